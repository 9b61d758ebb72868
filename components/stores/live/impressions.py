"""``DurableImpressions``: what each viewer has been shown, on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.stores.impressions import ImpressionStore
from components.stores.live.durable import DurableEvents, OnDisk

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from components.datasets import Table


class DurableImpressions(OnDisk, ImpressionStore):
    """An :class:`~components.stores.impressions.ImpressionStore` that survives a restart.

    The two answer alike as long as clocks do not run backwards. An impression is on the disk when ``record`` returns;
    threads and processes may use one file.

    Args:
        path: the file; it need not exist yet.
        ttl_s: how long an impression counts.
        per_viewer: how many impressions of a viewer are kept.
        viewers: how many viewers are kept.

    Raises:
        DataError: there is something else under this name.

    Source: home-mixer's impression store: 2 days, 5,000 a viewer.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        ttl_s: float = 2 * 86_400.0,
        per_viewer: int = 5_000,
        viewers: int = 1_000_000,
    ) -> None:
        super().__init__(ttl_s=ttl_s, per_viewer=per_viewer, viewers=viewers)
        self._events = DurableEvents(path, ttl_s, per_viewer, viewers)

    def record(self, viewer_id: int, ids: ArrayLike, now_ms: int) -> None:
        """Remember that these candidates were shown; on the disk when it returns."""
        self._events.record(viewer_id, ids, now_ms)

    def shown(self, viewer_id: int, now_ms: int) -> NDArray[np.int64]:
        """``(s,)`` ids shown within the time to live before ``now_ms``, oldest first, once an impression."""
        return self._events.within(viewer_id, now_ms)

    def apply(self, batch: Mapping[str, Table]) -> None:
        """Take in the impressions of a stretch of an event log; those that are here already are left out."""
        rows = batch.get("impressions")
        if rows is not None:
            self._events.add(rows["viewer_id"], rows["post_id"], rows["time_ms"])
