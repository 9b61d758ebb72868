"""Scores once, ranks twice: remember what a ranker said, and say it again."""

from __future__ import annotations

from typing import Any

import attrs

from components.stores.replays import ReplayStore
from components.stores.types import Post, Viewer
from mixer import Candidates, Ranker
from mixer.component import resolved
from mixer.params import Param
from mixer.provenance import found_first_by
from mixer.transforms import TraitsWrapper


@attrs.frozen
class Remembered(TraitsWrapper, Ranker[Viewer, Post]):
    """Ranks as the inner ranker does, and remembers its scores for the viewer's next request.

    Args:
        inner: scores.
        replays: where to remember it; not where a request must leave no trace.
        switch: whether the request wants that.
        without: sources whose candidates are not for reuse.
    """

    inner: Ranker[Viewer, Post]
    replays: ReplayStore
    switch: Param[bool]
    without: frozenset[str] = frozenset()

    async def rank(self, target: Viewer, candidates: Candidates[Post]) -> Candidates[Post]:
        ranked = await resolved(self.inner.rank(target, candidates))
        if target.request.params[self.switch] and not target.request.debug.skip_side_effects:
            reusable = ranked.where(~found_first_by(ranked, self.without))
            self.replays.keep(target, reusable.ids, reusable[Post.score])
        return ranked


@attrs.frozen
class AsBefore(Ranker[Any, Post]):
    """Ranks by the score that the source of replayed candidates brought along."""

    def rank(self, target: Any, candidates: Candidates[Post]) -> Candidates[Post]:
        return candidates.with_columns({Post.score: candidates[Post.source_score]}).sort(Post.score)
