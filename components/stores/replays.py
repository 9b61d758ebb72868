"""``ReplayStore``: what a ranker made of a viewer's candidates, for minutes."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import attrs
import numpy as np

from components.stores.types import Replay, Viewer

if TYPE_CHECKING:
    from numpy.typing import NDArray

TTL_S, MOST, LEAST = 180.0, 750, 500
"""Source: For You 2026 keeps at most 750 posts with scores above 0 for 180 s, and reuses 500 or more."""


@attrs.frozen
class _Kept:
    at_ms: int
    asked: tuple[object, ...]
    replay: Replay


class ReplayStore:
    """The latest scored candidates of each viewer, in memory.

    They serve requests that ask for the same: with other controls or settings, the viewer begins anew.

    Args:
        ttl_s: for how long they serve; no longer at that very moment.
        most: how many candidates of a viewer are kept, the best.
        viewers: how many viewers are kept; the one that asked least lately goes first.
    """

    def __init__(self, *, ttl_s: float = TTL_S, most: int = MOST, viewers: int = 10_000) -> None:
        self.ttl_s = ttl_s
        self.most = most
        self.viewers = viewers
        self._kept: OrderedDict[int, _Kept] = OrderedDict()

    def keep(self, viewer: Viewer, ids: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        """Remember the candidates with scores above 0."""
        order = np.argsort(-scores, kind="stable")
        order = order[scores[order] > 0][: self.most]  # NaN is not above 0
        replay = Replay(ids[order], scores[order])
        self._kept[viewer.user_id] = _Kept(viewer.request.now_ms, _asked(viewer), replay)
        self._kept.move_to_end(viewer.user_id)
        if len(self._kept) > self.viewers:
            self._kept.popitem(last=False)

    def of(self, viewer: Viewer) -> Replay | None:
        """What was remembered for the viewer, best first, if it still serves and the viewer asks for the same."""
        kept = self._kept.get(viewer.user_id)
        if kept is None or kept.asked != _asked(viewer):
            return None
        return kept.replay if 0 <= viewer.request.now_ms - kept.at_ms < self.ttl_s * 1_000 else None


def _asked(viewer: Viewer) -> tuple[object, ...]:
    return viewer.controls, viewer.settings
