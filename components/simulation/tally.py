"""``Tally``: counts of few out of very many possible keys."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Tally:
    """Counts by 64-bit key, held in ascending order; a key that was never added counts zero."""

    def __init__(self, keys: NDArray[np.int64] | None = None) -> None:
        self.keys = np.zeros(0, np.int64)
        self.counts = np.zeros(0)
        if keys is not None:
            self.add(keys)

    def of(self, keys: NDArray[np.int64]) -> NDArray[np.float64]:
        """``(n,)`` the count of each key."""
        if not len(self.keys):
            return np.zeros(len(keys))
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, self.counts[at], 0.0)

    def add(self, keys: NDArray[np.int64]) -> None:
        """Count each key once more, as often as it is there."""
        merged, group = np.unique(np.concatenate([self.keys, keys]), return_inverse=True)
        weight = np.concatenate([self.counts, np.ones(len(keys))])
        self.keys, self.counts = merged, np.bincount(group, weight, len(merged))

    def fade(self, left: float, least: float = 0.01) -> None:
        """Leave a share of every count; what falls below ``least`` is forgotten."""
        counts = self.counts * left
        kept = counts >= least
        self.keys, self.counts = self.keys[kept], counts[kept]

    def between(self, begin: int, end: int) -> NDArray[np.int64]:
        """Keys in ``[begin, end)``."""
        low, high = np.searchsorted(self.keys, [begin, end])
        return self.keys[low:high]
