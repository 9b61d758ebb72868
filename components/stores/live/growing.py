"""Arrays that grow at the end, and ids that get rows in order of arrival."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

_FEW = 8_192
_Part: TypeAlias = "tuple[NDArray[np.int64], NDArray[np.int64]]"  # ascending ids, and the row of each
_NOTHING: _Part = (np.zeros(0, np.int64), np.zeros(0, np.int64))


class Growing:
    """A one-dimensional array to which values are appended at amortised constant cost."""

    def __init__(self, dtype: DTypeLike) -> None:
        self._held = np.zeros(16, dtype=dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def values(self) -> NDArray[Any]:
        """A view of what was appended; it goes stale with the next append."""
        return self._held[: self._length]

    @property
    def nbytes(self) -> int:
        """Memory held, spare room included."""
        return self._held.nbytes

    def append(self, values: ArrayLike) -> None:
        """Add values at the end."""
        new = np.asarray(values, dtype=self._held.dtype)
        begin = self.extend(len(new))
        self._held[begin : self._length] = new

    def extend(self, count: int) -> int:
        """Add zeros at the end, and return where they begin."""
        begin, self._length = self._length, self._length + count
        if self._length > len(self._held):
            larger = np.zeros(max(self._length, 2 * len(self._held)), dtype=self._held.dtype)
            larger[:begin] = self._held[:begin]
            self._held = larger
        return begin


class Slots:
    """Distinct 64-bit ids and their rows: a new id gets the next row.

    Ids are kept in two sorted parts, a large one and one of late arrivals, which is merged into the other once it has
    an eighth of its size: lookups are binary searches, and a batch of new ids does not move all old ones.
    """

    def __init__(self, ids: ArrayLike = ()) -> None:
        self._ids = Growing(np.int64)
        self._main = self._late = _NOTHING
        self.rows_for(ids)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def ids(self) -> NDArray[np.int64]:
        """``(rows,)`` the id of each row; a view."""
        return self._ids.values

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self._ids.nbytes + sum(part.nbytes for part in (*self._main, *self._late))

    def row_of(self, id: int) -> int:
        """The row of one id, or -1."""
        if not -(2**63) <= id < 2**63:
            return -1
        for ids, rows in (self._main, self._late):
            place = int(ids.searchsorted(id))
            if place < len(ids) and ids[place] == id:
                return int(rows[place])
        return -1

    def rows_of(self, ids: ArrayLike) -> NDArray[np.int64]:
        """``(n,)`` rows; -1 for ids that are not here."""
        wanted = np.asarray(ids, dtype=np.int64)
        rows = _looked_up(self._main, wanted)
        if len(self._late[0]):
            missing = (rows < 0).nonzero()[0]
            rows[missing] = _looked_up(self._late, wanted[missing])
        return rows

    def rows_for(self, ids: ArrayLike) -> NDArray[np.int64]:
        """``(n,)`` rows; unknown ids get the next ones, in order of their first place in ``ids``."""
        wanted = np.asarray(ids, dtype=np.int64)
        rows = self.rows_of(wanted)
        missing = (rows < 0).nonzero()[0]
        if len(missing):
            new, first, which = np.unique(wanted[missing], return_index=True, return_inverse=True)
            arrival = np.argsort(first)
            given = np.empty(len(new), dtype=np.int64)
            given[arrival] = np.arange(len(self), len(self) + len(new))
            rows[missing] = given[which]
            self._ids.append(new[arrival])
            self._admit((new, given))
        return rows

    def _admit(self, new: _Part) -> None:
        self._late = _merged(self._late, new)
        if len(self._late[0]) > max(_FEW, len(self._main[0]) // 8):
            self._main = _merged(self._main, self._late)
            self._late = _NOTHING


def _merged(one: _Part, two: _Part) -> _Part:
    ids, rows = (np.concatenate(part) for part in zip(one, two, strict=True))
    order = np.argsort(ids, kind="stable")  # which merges sorted runs in linear time
    return ids[order], rows[order]


def _looked_up(part: _Part, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    ids, rows = part
    if not len(ids):
        return np.full(len(wanted), -1, dtype=np.int64)
    places = np.minimum(ids.searchsorted(wanted), len(ids) - 1)
    return np.where(ids[places] == wanted, rows[places], -1)
