"""``Table``: named columns of equal length, immutable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Table(Mapping[str, NDArray[Any]]):
    """An ordered mapping of column names to arrays of equal length.

    ``len(table)`` is the number of rows; iterate over it for the column names.

    >>> Table({"id": [3, 1], "age": [7, 8]}).sort_by("id")["age"].tolist()
    [8, 7]
    """

    __slots__ = ("_columns", "rows")

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self._columns = {name: _frozen(values) for name, values in columns.items()}
        lengths = {name: len(array) for name, array in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"expected columns of one length, got {lengths}")
        self.rows = next(iter(lengths.values()), 0)

    def __getitem__(self, name: str) -> NDArray[Any]:
        try:
            return self._columns[name]
        except KeyError:
            raise KeyError(f"no column {name!r}; columns: {', '.join(self._columns)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return self.rows

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __repr__(self) -> str:
        return f"Table({self.rows:,} rows: {', '.join(self._columns)})"

    def where(self, mask: NDArray[np.bool_]) -> Table:
        """Rows whose mask is true."""
        return Table({name: array[mask] for name, array in self._columns.items()})

    def take(self, rows: NDArray[np.integer[Any]]) -> Table:
        """Rows by position."""
        return Table({name: array[rows] for name, array in self._columns.items()})

    def sort_by(self, *names: str) -> Table:
        """Rows in ascending order of columns, the first being the most significant; stable."""
        return self.take(np.lexsort([self[name] for name in reversed(names)]))

    def with_columns(self, **columns: Any) -> Table:
        """The same rows with columns added or replaced."""
        return Table({**self._columns, **columns})


def _frozen(values: Any) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind == "U":
        array = array.astype(object)
    view = array[:]
    view.setflags(write=False)
    return view
