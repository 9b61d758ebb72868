"""``ImpressionFatigue``: what was shown often moves down."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from components.stores.requests import PeopleRequest
from components.stores.tally import looked_up, tally
from mixer import Candidates, Ranker
from mixer.transforms import Trait


@attrs.frozen
class ImpressionFatigue(Ranker[Any, Any]):
    """Each impression costs a candidate ``positions`` places; ties keep their order.

    Source: FRS ImpressionBasedFatigueRanker, factor 5.
    """

    positions: int = 5
    traits = Trait.REORDERS

    def rank(self, request: PeopleRequest, candidates: Candidates[Any]) -> Candidates[Any]:
        if request.shown is None or not len(request.shown):
            return candidates
        times = looked_up(tally(request.shown), candidates.ids)
        places = np.arange(len(candidates)) + self.positions * times
        return candidates.pick(np.argsort(places, kind="stable"))
