"""``ImpressionFatigue``: what was shown often moves down."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from components.stores.impressions import ImpressionStore
from components.stores.types import Viewer
from mixer import Candidates, Ranker
from mixer.transforms import Trait


@attrs.frozen
class ImpressionFatigue(Ranker[Viewer, Any]):
    """Each impression costs a candidate ``positions`` places; ties keep their order.

    Source: FRS ImpressionBasedFatigueRanker, factor 5.
    """

    impressions: ImpressionStore
    positions: int = 5
    traits = Trait.REORDERS

    def rank(self, viewer: Viewer, candidates: Candidates[Any]) -> Candidates[Any]:
        counts = self.impressions.counts(viewer.user_id, candidates.ids, viewer.request.now_ms)
        if not counts.any():
            return candidates
        places = np.arange(len(candidates)) + self.positions * counts
        return candidates.pick(np.argsort(places, kind="stable"))
