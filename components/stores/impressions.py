"""``ImpressionStore``: what each viewer has been shown, bounded in time and size."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from components.stores.tally import looked_up, tally

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Shown = tuple[NDArray[np.int64], NDArray[np.int64]]

_NOTHING = np.zeros(0, dtype=np.int64)


class ImpressionStore:
    """Impressions of the last days, newest kept, in memory.

    Args:
        ttl_s: how long an impression counts.
        per_viewer: how many impressions of a viewer are kept.
        viewers: how many viewers are kept; the one that was shown nothing for longest goes first.

    Source: home-mixer's impression store: 2 days, 5,000 a viewer.
    """

    def __init__(
        self, *, ttl_s: float = 2 * 86_400.0, per_viewer: int = 5_000, viewers: int = 100_000
    ) -> None:
        self.ttl_s = ttl_s
        self.per_viewer = per_viewer
        self.viewers = viewers
        self._shown: OrderedDict[int, Shown] = OrderedDict()

    def record(self, viewer_id: int, ids: ArrayLike, now_ms: int) -> None:
        """Remember that these candidates were shown."""
        new = np.asarray(ids, dtype=np.int64)
        old_ids, old_times = self._shown.get(viewer_id, (_NOTHING, _NOTHING))
        times = np.concatenate([old_times, np.full(len(new), now_ms)])[-self.per_viewer :]
        self._shown[viewer_id] = (np.concatenate([old_ids, new])[-self.per_viewer :], times)
        self._shown.move_to_end(viewer_id)
        if len(self._shown) > self.viewers:
            self._shown.popitem(last=False)

    def shown(self, viewer_id: int, now_ms: int) -> NDArray[np.int64]:
        """``(s,)`` ids shown within the time to live before ``now_ms``, oldest first, once an impression."""
        ids, times = self._shown.get(viewer_id, (_NOTHING, _NOTHING))
        return ids[(times > now_ms - self.ttl_s * 1000.0) & (times <= now_ms)]

    def counts(self, viewer_id: int, ids: NDArray[np.int64], now_ms: int) -> NDArray[np.int64]:
        """``(n,)`` how often each candidate was shown to the viewer."""
        return looked_up(tally(self.shown(viewer_id, now_ms)), ids)
