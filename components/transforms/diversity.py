"""Spread authors: by a factor on a score, after which the list is sorted again, or by leaving posts out."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from components.stores.tally import earlier_equal
from components.stores.types import Post, setting
from components.transforms.conversations import first_of_each
from mixer import Candidates, Column, Transform, note, tracing
from mixer.params import Param
from mixer.transforms import Trait


@attrs.frozen
class AuthorDiversity(Transform[Any, Any]):
    """Multiplies each score by ``(1 - floor) * decay**k + floor``, k being how many by the same author rank higher.

    Needs distinct candidates with scores of at least 0.

    Source: For You: decay 0.5, floor 0.25, so 1, .625, .4375, .34375, ...
    """

    author: Column[Any, Any]
    score: Column[Any, Any]
    decay: float | Param[float] = 0.5
    floor: float | Param[float] = 0.25
    traits = Trait.REORDERS | Trait.ANNOTATES

    def transform(self, target: Any, candidates: Candidates[Any]) -> Candidates[Any]:
        ranked = candidates.sort(self.score)
        before = earlier_equal(ranked[self.author])
        floor = setting(target, self.floor)
        factor = (1.0 - floor) * setting(target, self.decay) ** before + floor
        scores = (ranked[self.score] * factor).astype(np.float32)
        order = np.argsort(-scores, kind="stable")
        spread = ranked.with_columns({self.score: scores}).pick(order)
        if tracing():
            note(self.name, candidates, spread, terms={"factor": factor[order]})
        return spread


@attrs.frozen
class OneOfEachStranger(Transform[Any, Post]):
    """Keeps, of the posts of one author out of network that one source found, the one with the best score.

    A post that several sources found is the first one's. The order stays; of equal scores, the first post does.

    Source: For You of 2023: the best of each author and suggest type out of network.
    """

    traits = Trait.DROPS

    def transform(self, target: Any, candidates: Candidates[Post]) -> Candidates[Post]:
        provenance, strangers = candidates.provenance, np.flatnonzero(~candidates[Post.in_network])
        if provenance is None:
            return candidates
        kinds = provenance.primary_of(candidates.handles[strangers]).astype(np.int64)
        keys = candidates[Post.author_row][strangers] * len(provenance.names) + kinds
        by_score = np.argsort(-np.nan_to_num(candidates[Post.score][strangers], nan=-np.inf), kind="stable")
        kept = candidates[Post.in_network].copy()
        kept[strangers[by_score[first_of_each(keys[by_score])]]] = True
        return candidates.pick(np.flatnonzero(kept))
