"""What goes into a ranker: the first candidates of each source in turn, with what every source said of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np

from components.stores.types import setting
from mixer import Candidates, Column, Transform
from mixer.params import Param
from mixer.provenance import found_first_by
from mixer.transforms import Trait


@attrs.frozen
class FirstToRank(Transform[Any, Any]):
    """Takes candidates from their sources in turn, best first, up to what the load allows.

    Under load (quality factor below 1) fewer are taken, but never less than ``least`` of them.

    Source: FRS FirstNRanker: the count times the quality factor, at least 0.3 of it.
    """

    count: int | Param[int] = 500
    least: float | Param[float] = 0.3
    traits = Trait.REORDERS | Trait.DROPS

    def transform(self, target: Any, candidates: Candidates[Any]) -> Candidates[Any]:
        count = target.request.scaled(setting(target, self.count), setting(target, self.least))
        provenance = candidates.provenance
        if len(candidates) <= count or provenance is None:
            return candidates.head(count)
        ranks = provenance.rank_of(candidates.handles)
        return candidates.pick(np.argsort(ranks, kind="stable")[:count])


@attrs.frozen
class SourceScores(Transform[Any, Any]):
    """Writes what each source thought of a candidate, NaN where it did not find it.

    Args:
        columns: the column to write, by name of the source.
    """

    columns: Mapping[str, Column[np.float32, float]]

    def transform(self, target: object, candidates: Candidates[Any]) -> Candidates[Any]:
        provenance = candidates.provenance
        if provenance is None:
            return candidates
        scores, _ = provenance.matrix_of(candidates.handles)
        found = {
            self.columns[name]: scores[:, at]
            for at, name in enumerate(provenance.names)
            if name in self.columns
        }
        return candidates.with_columns(found)


@attrs.frozen
class SourcesLast(Transform[Any, Any]):
    """Puts what only these sources found behind everything else; the order within each part stays."""

    names: frozenset[str]
    traits = Trait.REORDERS

    def transform(self, target: object, candidates: Candidates[Any]) -> Candidates[Any]:
        return candidates.pick(np.argsort(found_first_by(candidates, self.names), kind="stable"))
