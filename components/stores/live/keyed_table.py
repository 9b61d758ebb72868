"""``KeyedTable``: rows with a distinct id, added at the end, some of them deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from components.datasets import Table
from components.stores.live.growing import Growing, Slots

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, DTypeLike, NDArray


class KeyedTable:
    """Columns that grow, with an index of the ids in one of them.

    Arrays that were handed out stay as they are: rows are only added behind them, or rewritten elsewhere. A deleted
    id stays known as such until it is forgotten, so that it cannot come back late. One thread at a time.

    Args:
        key: the column of ids.
        dtypes: of all columns.
    """

    def __init__(self, key: str, dtypes: Mapping[str, DTypeLike]) -> None:
        self.key = key
        self.dtypes = dict(dtypes)
        self._start(np.zeros(0, np.int64))

    def _start(self, ids: NDArray[np.int64]) -> None:
        self.slots = Slots(ids)
        self._columns = {name: Growing(dtype) for name, dtype in self.dtypes.items() if name != self.key}
        self._alive = Growing(np.bool_)

    def __len__(self) -> int:
        return len(self.slots)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """``(rows,)`` a column, deleted rows included."""
        return self.slots.ids if name == self.key else self._columns[name].values

    @property
    def alive(self) -> NDArray[np.bool_]:
        """``(rows,)`` false for what was deleted; changes in place."""
        return self._alive.values

    def has(self, ids: ArrayLike) -> NDArray[np.bool_]:
        """``(n,)`` is it here, and not deleted?"""
        rows = self.slots.rows_of(ids)
        return (rows >= 0) & self.alive[rows] if len(self) else rows >= 0

    def deleted(self, ids: ArrayLike) -> NDArray[np.bool_]:
        """``(n,)`` was it deleted?"""
        rows = self.slots.rows_of(ids)
        return (rows >= 0) & ~self.alive[rows] if len(self) else rows >= 0

    def add(self, rows: Mapping[str, NDArray[Any]]) -> NDArray[np.intp]:
        """Add rows of ids that were never here; the first row of an id counts. Returns the places of those added."""
        return self._append(rows, alive=True)

    def replace(self, rows: Mapping[str, NDArray[Any]]) -> None:
        """Add rows; the last row of an id counts."""
        last = len(rows[self.key]) - 1 - np.unique(rows[self.key][::-1], return_index=True)[1]
        old = self.slots.rows_of(rows[self.key])
        kept = np.ones(len(self), dtype=np.bool_)
        kept[old[old >= 0]] = False
        self.keep(kept)
        self.add({name: rows[name][np.sort(last)] for name in self.dtypes})

    def delete(self, rows: Mapping[str, NDArray[Any]]) -> None:
        """Delete ids; those that were never here are remembered, with the given columns; others are blank."""
        self._append(rows, alive=False)
        self.alive[self.slots.rows_of(rows[self.key])] = False

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Forget all other rows."""
        if mask.all():
            return
        self.load_arrays({name: array[mask] for name, array in self.arrays().items()})

    def table(self) -> Table:
        """What is not deleted."""
        columns = Table({name: self[name] for name in self.dtypes})
        return columns if self.alive.all() else columns.where(self.alive)

    @property
    def nbytes(self) -> int:
        """Memory of the columns, without what objects point to."""
        return sum(column.nbytes for column in (*self._columns.values(), self._alive, self.slots))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What :meth:`load_arrays` takes."""
        return {**{name: self[name] for name in self.dtypes}, "alive": self.alive.copy()}

    def load_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what :meth:`arrays` told."""
        self._start(arrays[self.key])
        for name, column in self._columns.items():
            column.append(arrays[name])
        self._alive.append(arrays["alive"])

    def _append(self, rows: Mapping[str, NDArray[Any]], *, alive: bool) -> NDArray[np.intp]:
        ids, before = rows[self.key], len(self)
        slots = self.slots.rows_for(ids)
        numbers, first = np.unique(slots, return_index=True)
        new = first[numbers >= before]
        for name, column in self._columns.items():
            blank = "" if self.dtypes[name] is object else 0
            column.append(rows[name][new] if name in rows else np.full(len(new), blank, self.dtypes[name]))
        self._alive.append(np.full(len(new), alive))
        return new
