"""``ViewCounts``: how often each post was shown, to whomever."""

from __future__ import annotations

from collections import OrderedDict
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class ViewCounts:
    """Counts of impressions by id, of the ids that were shown most recently.

    Args:
        most: how many ids are kept; the one that was shown to nobody for longest goes first.
    """

    def __init__(self, most: int = 1_000_000) -> None:
        self.most = most
        self._counts: OrderedDict[int, int] = OrderedDict()

    def record(self, ids: ArrayLike) -> None:
        """Count one more impression of each."""
        for one in np.asarray(ids, np.int64).tolist():
            self._counts[one] = self._counts.get(one, 0) + 1
            self._counts.move_to_end(one)
        while len(self._counts) > self.most:
            self._counts.popitem(last=False)

    def of(self, ids: ArrayLike) -> NDArray[np.int64]:
        """``(n,)`` how often each was shown; 0 where that is not known."""
        wanted = np.asarray(ids, np.int64).tolist()
        return np.fromiter(map(self._counts.get, wanted, repeat(0)), np.int64, len(wanted))
