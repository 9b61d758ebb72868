"""``EdgeStore``: dated edges from both ends, bounded, read while they are written."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from components.stores.live.checkpoint import joined, parted
from components.stores.live.edge_rows import EdgeRows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

_FOREVER = np.iinfo(np.int64).max


class EdgeStore:
    """The newest edges of each id, as source and as end; every call sees whole batches.

    An edge that has left a full row may still be in the row of its other end. A pair may have several edges.

    Args:
        cap: how many edges a source keeps.
        reverse_cap: how many an end keeps; as many unless given.
        lock: what calls hold; of its own unless given.

    Source: GraphJet, a log of edges indexed from both sides, of which the oldest are dropped.
    """

    def __init__(self, cap: int, reverse_cap: int | None = None, lock: threading.RLock | None = None) -> None:
        self.forward = EdgeRows(cap)
        self.backward = EdgeRows(reverse_cap or cap)
        self._lock = lock or threading.RLock()

    def add(self, sources: ArrayLike, ends: ArrayLike, times: ArrayLike) -> None:
        """Add ``(n,)`` edges, oldest first."""
        with self._lock:
            self.forward.add(sources, ends, times)
            self.backward.add(ends, sources, times)

    def remove(self, sources: ArrayLike, ends: ArrayLike, until_ms: ArrayLike = _FOREVER) -> None:
        """Remove the edges of ``(n,)`` pairs that are not newer than a moment."""
        with self._lock:
            self.forward.remove(sources, ends, until_ms)
            self.backward.remove(ends, sources, until_ms)

    def remove_ends(self, ends: ArrayLike) -> None:
        """Remove all edges to these ends, except from sources that a full row of an end has forgotten."""
        with self._lock:
            gone = np.unique(np.asarray(ends, dtype=np.int64))
            sources, _, which = self.backward.expand(gone)
            self.remove(sources, gone[which])

    def drop_before(self, moment_ms: int) -> None:
        """Remove older edges."""
        with self._lock:
            self.forward.drop_before(moment_ms)
            self.backward.drop_before(moment_ms)

    def of(self, source: int, latest: int | None = None) -> NDArray[np.int64]:
        """``(e,)`` ends of a source, oldest first; at most the newest ``latest``."""
        with self._lock:
            return self.forward.of(source, latest)[0]

    def dated(self, source: int, latest: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ends and times of a source, oldest first."""
        with self._lock:
            return self.forward.of(source, latest)

    def reverse_of(self, end: int, latest: int | None = None) -> NDArray[np.int64]:
        """``(e,)`` sources of an end, oldest first."""
        with self._lock:
            return self.backward.of(end, latest)[0]

    def expand(
        self, sources: ArrayLike, latest: int | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Edges of many sources.

        Returns:
            Ends, times, and for each the index into ``sources``; source by source, oldest first.
        """
        with self._lock:
            return self.forward.expand(sources, latest)

    def edges(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Sources, ends and times of all edges that sources keep; of each source the oldest first."""
        with self._lock:
            return self.forward.edges()

    def __len__(self) -> int:
        with self._lock:
            return len(self.forward)

    @property
    def nbytes(self) -> int:
        """Memory of the edges, from both ends."""
        return self.forward.nbytes + self.backward.nbytes

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What :meth:`load_arrays` takes."""
        with self._lock:
            return joined({"forward": self.forward.arrays(), "backward": self.backward.arrays()})

    def load_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what :meth:`arrays` told."""
        sides = parted(arrays)
        with self._lock:
            self.forward, self.backward = (
                EdgeRows.of_arrays(sides[side]) for side in ("forward", "backward")
            )
