"""What stands around the main ranker of follow recommendations: how much goes in, and what replaces it under load.

Source: the combined ranker of FRS: weighted sources, the first ones merged, the model, impression fatigue.
"""

from __future__ import annotations

import math
from typing import Any

import attrs
import numpy as np

from components.rankers.arrival import InArrivalOrder
from components.stores.types import setting
from mixer import Candidates, Column, Ranker, Transform
from mixer.concurrency import Failure, attempt
from mixer.errors import ContractError
from mixer.params import Param
from mixer.run import Cause, degrade, observing
from mixer.transforms import Trait, check_traits, noted


@attrs.frozen
class FirstMerged(Transform[Any, Any]):
    """Merges what several sources found into its first row, and takes the first ones, fewer under load.

    Args:
        count: how many at full quality.
        least: share of them that is taken whatever the load.

    Source: FRS FirstNRanker: 100 [50, 600] times the quality factor, at least 0.3 of it, duplicates grouped.
    """

    count: int | Param[int] = 100
    least: float | Param[float] = 0.3
    traits = Trait.DROPS | Trait.ANNOTATES

    def transform(self, target: Any, candidates: Candidates[Any]) -> Candidates[Any]:
        count = target.request.scaled(setting(target, self.count), setting(target, self.least))
        merged = candidates.deduplicate()
        if target.request.quality_factor < 1.0 and len(merged) > count:
            with observing("ranker/scaled_down_by_quality_factor") as observation:
                observation.rows = count
        return merged.head(count)


@attrs.frozen
class FoundBy(Transform[Any, Any]):
    """Writes how many sources found a candidate, and its reciprocal rank at the one that put it highest.

    Args:
        sources: the column of the count.
        best: the column of ``1 / (1 + rank)``.
    """

    sources: Column[Any, Any]
    best: Column[Any, Any]

    def transform(self, target: Any, candidates: Candidates[Any]) -> Candidates[Any]:
        provenance = candidates.provenance
        if provenance is None:
            return candidates
        best = np.zeros(len(provenance), dtype=np.float32)
        np.maximum.at(best, provenance.lead, 1.0 / (1.0 + provenance.rank))
        found = np.bitwise_count(provenance.sources_of(candidates.handles))
        return candidates.with_columns({self.sources: found, self.best: best[candidates.handles]})


@attrs.frozen
class UnlessLoaded(Ranker[Any, Any]):
    """The model, unless it is switched off, fails, answers nonsense, or neither load nor deadline leave room for it.

    Args:
        model: asked at a quality factor above ``floor``; no candidate may be missing or without a score.
        light: asked otherwise; writes the same score. The result says so, unless the model was switched off.
        on: False switches the model off.
        floor: at this quality factor or below, the model is left out.
        within_s: seconds for the model.
        reserve_s: seconds before the deadline that are left to later stages.

    Source: FRS UseMlRanker, and TurnoffMLScorerQFThreshold, 0.3 [0.1, 1.0].
    """

    model: Ranker[Any, Any]
    light: InArrivalOrder
    on: bool | Param[bool] = True
    floor: float | Param[float] = 0.3
    within_s: float = math.inf
    reserve_s: float = 0.02

    @property
    def traits(self) -> Trait:  # type: ignore[override] - computed
        return self.model.traits | self.light.traits

    async def rank(self, target: Any, candidates: Candidates[Any]) -> Candidates[Any]:
        if not setting(target, self.on):
            return await self._light("ranker/no_ml_ranker", target, candidates)
        if target.request.quality_factor <= setting(target, self.floor):
            degrade(self.model.name, Cause.TIMEOUT, f"{self.light.name} instead: load")
            return await self._light("ranker/ml_ranker_disabled_by_quality_factor", target, candidates)
        spare_s = min(self.within_s, max(target.request.time_left_s() - self.reserve_s, 0.0))
        answer = await attempt(
            lambda: self._sound(target, candidates), target, None if math.isinf(spare_s) else spare_s
        )
        if not isinstance(answer, Failure):
            return answer
        answer.report(self.model.name, f"{self.light.name} instead")
        return await self._light("ranker/no_ml_ranker", target, candidates)

    async def _light(self, scope: str, target: Any, candidates: Candidates[Any]) -> Candidates[Any]:
        with observing(scope) as observation:
            observation.rows = len(candidates)
            return await noted(self.light, candidates, lambda: self.light.rank(target, candidates))

    async def _sound(self, target: Any, candidates: Candidates[Any]) -> Candidates[Any]:
        ranked = await noted(self.model, candidates, lambda: self.model.rank(target, candidates))
        check_traits(self.model.name, self.model.traits, candidates, ranked)
        if ranked.has(self.light.score) and np.isnan(ranked[self.light.score]).any():
            raise ContractError(self.model.name, "a score for every candidate", "NaN")
        return ranked
