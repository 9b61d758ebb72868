"""``RecordImpressions``: remember what was shown."""

from __future__ import annotations

from typing import Any

import attrs

from components.stores.impressions import ImpressionStore
from components.stores.types import Viewer
from mixer import RecommendationResult, SideEffect


@attrs.frozen
class RecordImpressions(SideEffect[Viewer, Any]):
    """Records every candidate of an answer as shown at the time of the request."""

    impressions: ImpressionStore

    def apply(self, viewer: Viewer, result: RecommendationResult[Any]) -> None:
        self.impressions.record(viewer.user_id, result.candidates.ids, viewer.request.now_ms)
