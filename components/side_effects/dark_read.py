"""``DarkRead``: let another flow answer some requests too, unseen, and count where the answers differ."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import attrs
import numpy as np

from components.stores.types import setting
from mixer import Candidates, Column, RecommendationResult, SideEffect, Target
from mixer.concurrency import Failure, attempt
from mixer.experiments import BUCKETS, bucket_of
from mixer.flow import BaseFlow
from mixer.params import Param
from mixer.stats import StatsReceiver

DEPTHS = (3, 5, 25, 50, 75)


@attrs.frozen(eq=False)
class DarkRead(SideEffect[Any, Any]):
    """Asks another flow the same question after the answer is out; nothing is shown, recorded or raised.

    Both flows see the same seed and the same clock. The other one gets its own time, whatever the first one used.
    Behind a running flow (``async with flow:``) the answer never waits. Put it before side effects that write what
    the other flow reads, or it will see what was just shown.

    Stats: ``requests``, ``latency_ms``, ``timeout``, ``failures/<Class>``; for each depth ``k`` that both reach,
    ``first_<k>/same_order``, ``same_ids`` or ``different_ids``, and ``overlap_at_<k>``, the share of the first ``k``
    that both have; over ids in both answers ``rank_difference`` and ``score_differs``; ``missing`` and ``added`` ids.

    Args:
        other: the flow to compare with.
        percent: of requests, by hash of their id.
        stats: where counts go.
        score: compared for ids in both answers.
        within_s: seconds for the other flow.

    Source: FRS ProductPipelineSelector: dark reads without logging, compared at 3, 5, 25, 50 and 75.
    """

    other: BaseFlow[Any, Any] = attrs.field(repr=False)
    percent: float | Param[float]
    stats: StatsReceiver = attrs.field(repr=False)
    score: Column[Any, Any] | None = None
    within_s: float = 1.0

    async def apply(self, target: Target, result: RecommendationResult[Any]) -> None:
        request = target.request
        if (
            bucket_of("dark_read", self.other.name, request.id)
            >= setting(target, self.percent) / 100.0 * BUCKETS
        ):
            return
        self.stats.counter("requests").incr()
        debug = attrs.evolve(request.debug, skip_side_effects=True, trace=False, capture=False)
        asked = attrs.evolve(target, request=attrs.evolve(request, debug=debug, deadline=None))
        begin = perf_counter()
        answer = await attempt(lambda: self.other.process(asked), asked, self.within_s)
        if isinstance(answer, Failure):
            self._failed(answer)
            return
        self.stats.distribution("latency_ms").add((perf_counter() - begin) * 1e3)
        self._compare(result.candidates, answer.candidates)

    def _failed(self, failure: Failure) -> None:
        if failure.error is None:
            self.stats.counter("timeout").incr()
        else:
            self.stats.scope("failures").counter(type(failure.error).__name__).incr()

    def _compare(self, ours: Candidates[Any], theirs: Candidates[Any]) -> None:
        for depth in DEPTHS:
            if min(len(ours), len(theirs)) >= depth:
                self._compare_first(depth, ours.ids[:depth].tolist(), theirs.ids[:depth].tolist())
        _, here, there = np.intersect1d(ours.ids, theirs.ids, return_indices=True)
        self.stats.distribution("rank_difference").extend(np.abs(here - there).astype(np.float64))
        self.stats.counter("missing").incr(len(ours) - len(here))
        self.stats.counter("added").incr(len(theirs) - len(there))
        if self.score is not None:
            same = np.isclose(ours[self.score][here], theirs[self.score][there], equal_nan=True)
            self.stats.counter("score_differs").incr(int(np.count_nonzero(~same)))

    def _compare_first(self, depth: int, ours: list[int], theirs: list[int]) -> None:
        common = len(set(ours) & set(theirs))
        verdict = "same_order" if ours == theirs else "same_ids" if common == depth else "different_ids"
        self.stats.scope(f"first_{depth}").counter(verdict).incr()
        self.stats.distribution(f"overlap_at_{depth}").add(common / depth)
