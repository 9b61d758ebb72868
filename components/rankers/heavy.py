"""``HeavyRanker``: one batch of features a request, calibrated probabilities of every head, one weighted score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

import anyio.to_thread
import attrs
import numpy as np
from numpy.typing import NDArray

from components.features.declared import Asked, FeatureSet
from components.models.heavy_ranker.rows import Rows
from components.models.runner import Scorer
from components.models.weighted_score import (
    APRIL_2023,
    AUGUST_2026,
    WeightedScore,
    WeightSet,
    good_click,
    weighted_score,
)
from components.rankers.pairs import Pairs
from components.scores import rescored
from components.stores.types import Post, Viewer
from mixer import Candidates, Column, Ranker
from mixer.component import resolved
from mixer.run import Cause, degrade

_CLICK, _CLICK_V2 = "is_good_clicked_convo_desc_favorited_or_replied", "is_good_clicked_convo_desc_v2"
AUGUST_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "is_favorited": "favorite",
        "is_retweeted": "repost",
        "is_replied": "reply",
        _CLICK: "click",
        "is_profile_clicked_and_profile_engaged": "profile_click",
        "is_video_playback_50": "vqv",
        "is_negative_feedback_v2": "not_interested",
        "is_report_tweet_clicked": "report",
    }
)
"""The head of August 2026 that comes closest to a head of April 2023; the other two have none."""


def on_recap_heads(weights: WeightSet) -> WeightSet:
    """A weight set for the ten heads of April 2023, of which those unknown to the set are left out."""
    if weights.name != AUGUST_2026.name:
        return weights
    names = AUGUST_NAMES.items()
    return WeightSet(
        f"{weights.name}_on_recap_heads",
        {head: weights.weights[name] for head, name in names},
        mutual_boosts={
            head: weights.mutual_boosts[name] for head, name in names if name in weights.mutual_boosts
        },
        video_gated=frozenset(head for head, name in names if name in weights.video_gated),
    )


class Served(Protocol):
    """A model that answers without blocking the event loop; a ``ModelRunner`` is one."""

    async def score(self, rows: Rows) -> NDArray[np.float32]: ...


@attrs.frozen(eq=False)
class Threaded:
    """A model in a worker thread, one request at a time; for where no ``ModelRunner`` runs."""

    scorer: Scorer

    async def score(self, rows: Rows) -> NDArray[np.float32]:
        return await anyio.to_thread.run_sync(self.scorer.probabilities, rows)


@attrs.frozen(eq=False)
class HeavyRanker(Ranker[Viewer, Post]):
    """Sorts by the weighted sum of calibrated probabilities; a traced request sees what each head added.

    The terms of a candidate, with the offset, add up to its score. A score never depends on other candidates.

    Args:
        features: what the model was trained on; the pairs of a request are computed in one batch.
        model: answers with (pairs, heads).
        heads: names of its columns.
        weights: a weight set, or what chooses one for a request.
        given: columns of the candidates that are features too.

    Weight sets of 2026 look at the pair, too: a video view counts for long videos alone, a reply for more among people
    who follow each other.

    Source: home-mixer 2023: value of a conversation click is the larger of its two heads; offset epsilon 0.001.
    """

    features: FeatureSet = attrs.field(repr=False)
    model: Served = attrs.field(repr=False)
    heads: tuple[str, ...]
    weights: WeightSet | Callable[[Viewer], WeightSet] = APRIL_2023
    given: tuple[Column[Any, Any], ...] = ()

    async def rank(self, target: Viewer, candidates: Candidates[Post]) -> Candidates[Post]:
        if not len(candidates):
            return candidates
        history = target.history
        given = {column.name: candidates[column] for column in self.given}
        asked = Asked.one(history.row, history.now_ms, candidates[Post.row], given)
        rows = await anyio.to_thread.run_sync(self.features.rows, asked)
        scored = self.combine(target, candidates, await self.model.score(rows))
        return rescored(
            self.name,
            candidates,
            {Post.score: scored.score},
            lambda: {**scored.terms, "offset": scored.score - scored.net},
        )

    def combine(
        self, target: Viewer, candidates: Candidates[Post], probabilities: NDArray[np.float32]
    ) -> WeightedScore:
        """One score a row from the probabilities (rows, heads) under the request's weights."""
        weights = self.weights if isinstance(self.weights, WeightSet) else self.weights(target)
        predicted: dict[str, NDArray[Any]] = dict(zip(self.heads, probabilities.T, strict=True))
        if _CLICK in predicted and _CLICK_V2 in predicted:
            predicted[_CLICK] = good_click(predicted[_CLICK], predicted[_CLICK_V2])
        known = {head: values for head, values in predicted.items() if head in weights.weights}
        if not weights.video_gated and not weights.mutual_boosts:
            return weighted_score(known, weights)
        pairs = Pairs.of(target, candidates)
        return weighted_score(pairs.gated(known, weights), weights, pairs.boosts(known, weights))


@attrs.frozen
class UnderLoad(Ranker[Viewer, Post]):
    """The light ranker where the load or the deadline leaves no room for the heavy one, or where that one fails.

    Args:
        heavy: asked when there is room.
        light: asked otherwise; the result says so.
        quality_floor: at this quality factor or below, the heavy ranker is left out.
        needs_s: it is left out too when less time than this is left.

    Source: FRS switches its scorer off at a quality factor of 0.3.
    """

    heavy: Ranker[Viewer, Post]
    light: Ranker[Viewer, Post]
    quality_floor: float = 0.3
    needs_s: float = 0.02

    async def rank(self, target: Viewer, candidates: Candidates[Post]) -> Candidates[Post]:
        request = target.request
        left = request.time_left_s()
        if request.quality_factor > self.quality_floor and left >= self.needs_s:
            spare = None if np.isinf(left) else left - self.needs_s / 2
            guarded = self.heavy.fallback(self.light, within_s=spare)
            return await resolved(guarded.rank(target, candidates))
        why = "too little time left" if left < self.needs_s else "load"
        degrade(self.heavy.name, Cause.TIMEOUT, f"{self.light.name} instead: {why}")
        return await resolved(self.light.rank(target, candidates))
