"""``RecordImpressions``: remember what was shown."""

from __future__ import annotations

from typing import Any

import attrs

from components.stores.impressions import ImpressionStore
from components.stores.types import Viewer
from components.stores.views import ViewCounts
from mixer import RecommendationResult, SideEffect


@attrs.frozen
class RecordImpressions(SideEffect[Viewer, Any]):
    """Records every candidate of an answer as shown at the time of the request.

    Args:
        impressions: remembers for days.
        served: remembers for minutes, if anybody asks.
        views: counts over all viewers, if anybody asks.
    """

    impressions: ImpressionStore
    served: ImpressionStore | None = None
    views: ViewCounts | None = None

    def apply(self, viewer: Viewer, result: RecommendationResult[Any]) -> None:
        for store in (self.impressions, self.served):
            if store is not None:
                store.record(viewer.user_id, result.candidates.ids, viewer.request.now_ms)
        if self.views is not None:
            self.views.record(result.candidates.ids)
