"""``Dismissals``: what viewers did not want recommended, on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from components.datasets import Relation
from components.stores.live.durable import DurableEvents, OnDisk

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from components.datasets import Table

TTL_S = 180 * 86_400.0
PER_VIEWER = 100


class Dismissals(OnDisk):
    """Dismissed recommendations of the last months; threads and processes may use one file.

    Args:
        path: the file; it need not exist yet.
        ttl_s: how long a dismissal counts.
        per_viewer: how many dismissals of a viewer are kept, the newest.
        viewers: how many viewers are kept; the one that dismissed nothing for longest goes first.

    Raises:
        DataError: there is something else under this name.

    Source: follow recommendations: looks back 180 days, at most 100.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        ttl_s: float = TTL_S,
        per_viewer: int = PER_VIEWER,
        viewers: int = 1_000_000,
    ) -> None:
        self._events = DurableEvents(path, ttl_s, per_viewer, viewers)

    def record(self, viewer_id: int, ids: ArrayLike, now_ms: int) -> None:
        """Remember that the viewer dismissed these; on the disk when it returns."""
        self._events.record(viewer_id, ids, now_ms)

    def take_back(self, viewer_id: int, ids: ArrayLike, now_ms: int) -> None:
        """Forget that the viewer dismissed these until now."""
        gone = np.asarray(ids, dtype=np.int64)
        self._events.remove(np.full(len(gone), viewer_id), gone, np.full(len(gone), now_ms))

    def dismissed(self, viewer_id: int, now_ms: int) -> NDArray[np.int64]:
        """``(d,)`` distinct ids that the viewer dismissed, in order of the latest time, the oldest first."""
        newest_first = self._events.within(viewer_id, now_ms)[::-1]
        return newest_first[np.sort(np.unique(newest_first, return_index=True)[1])][::-1]

    def apply(self, batch: Mapping[str, Table]) -> None:
        """Take in the dismissals of a stretch of an event log, and their deletions; known ones are left out."""
        relations, deletions = batch.get("relations"), batch.get("deletions")
        if relations is not None:
            rows = relations.where(relations["kind"] == Relation.DISMISSED)
            self._events.add(rows["user_id"], rows["subject_id"], rows["time_ms"])
        if deletions is not None:
            kinds = (deletions["of"] == "relations") & (deletions["kind"] == Relation.DISMISSED)
            rows = deletions.where(kinds)
            self._events.remove(rows["user_id"], rows["subject_id"], rows["time_ms"])
