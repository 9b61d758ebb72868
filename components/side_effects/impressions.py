"""``RecordImpressions``: remember what was shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from components.stores.types import Viewer
from components.stores.views import ViewCounts
from mixer import RecommendationResult, SideEffect
from mixer.params import Param

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Recorder(Protocol):
    """Remembers what viewers were shown."""

    def record(self, viewer_id: int, ids: ArrayLike, now_ms: int) -> None: ...


@attrs.frozen
class RecordImpressions(SideEffect[Viewer, Any]):
    """Records every candidate of an answer as shown at the time of the request.

    Args:
        stores: remember it for minutes, or days.
        views: counts over all viewers, if anybody asks.
        switch: records only where it is on.
    """

    stores: Sequence[Recorder]
    views: ViewCounts | None = None
    switch: Param[bool] | None = None

    @property
    def name(self) -> str:
        return (
            "record_impressions" if self.switch is None else f"record_{self.switch.name.rsplit('.', 1)[-1]}"
        )

    def apply(self, viewer: Viewer, result: RecommendationResult[Any]) -> None:
        if self.switch is not None and not viewer.request.params[self.switch]:
            return
        for store in self.stores:
            store.record(viewer.user_id, result.candidates.ids, viewer.request.now_ms)
        if self.views is not None:
            self.views.record(result.candidates.ids)
