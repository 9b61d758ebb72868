"""``InArrivalOrder``: keeps the order, and says so in the score."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from mixer import Candidates, Column, Ranker
from mixer.transforms import Trait


@attrs.frozen
class InArrivalOrder(Ranker[Any, Any]):
    """Scores candidates ``1 / (1 + place)`` as they come; stands in for a ranker that failed."""

    score: Column[Any, Any]
    traits = Trait.ANNOTATES

    def rank(self, target: object, candidates: Candidates[Any]) -> Candidates[Any]:
        places = np.arange(len(candidates), dtype=np.float32)
        return candidates.with_columns({self.score: (1.0 / (1.0 + places)).astype(np.float32)})
