"""External 64-bit ids and the dense rows that stores index by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@attrs.frozen(eq=False)
class IdIndex:
    """Distinct ids in ascending order; the row of an id is its position.

    >>> IdIndex.of([30, 10, 30]).rows_of([10, 30, 99]).tolist()
    [0, 1, -1]
    """

    ids: NDArray[np.int64]

    @classmethod
    def of(cls, *ids: ArrayLike) -> IdIndex:
        """An index of everything that occurs in ``ids``."""
        parts = [np.asarray(part, dtype=np.int64) for part in ids]
        return cls(np.unique(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.ids)

    def rows_of(self, ids: ArrayLike) -> NDArray[np.int64]:
        """``(n,)`` rows; -1 for ids that are not here."""
        wanted: NDArray[Any] = np.asarray(ids, dtype=np.int64)
        if not len(self.ids):
            return np.full(wanted.shape, -1, dtype=np.int64)
        rows = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        return np.where(self.ids[rows] == wanted, rows, -1)

    def row_of(self, id: int) -> int:
        """The row of one id, or -1."""
        if not -(2**63) <= id < 2**63:
            return -1
        return int(self.rows_of([id])[0])
