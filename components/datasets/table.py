"""``Table``: named columns of equal length, immutable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray


@attrs.frozen(eq=False)
class Lazy:
    """A column that is read when somebody asks for it: its length, dtype and how to read it."""

    length: int
    dtype: np.dtype[Any] = attrs.field(converter=np.dtype)
    read: Callable[[], Any]

    def __len__(self) -> int:
        return self.length


class Table(Mapping[str, NDArray[Any]]):
    """An ordered mapping of column names to arrays of equal length.

    ``len(table)`` is the number of rows; iterate over it for the column names. A column given as
    :class:`Lazy` is read at its first use, also through ``where``, ``take`` and ``sort_by``.

    >>> Table({"id": [3, 1], "age": [7, 8]}).sort_by("id")["age"].tolist()
    [8, 7]
    """

    __slots__ = ("_columns", "rows")

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self._columns: dict[str, NDArray[Any] | Lazy] = {
            name: values if isinstance(values, Lazy) else _frozen(values) for name, values in columns.items()
        }
        lengths = {name: len(array) for name, array in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"expected columns of one length, got {lengths}")
        self.rows = next(iter(lengths.values()), 0)

    def __getitem__(self, name: str) -> NDArray[Any]:
        try:
            column = self._columns[name]
        except KeyError:
            raise KeyError(f"no column {name!r}; columns: {', '.join(self._columns)}") from None
        if isinstance(column, Lazy):
            column = self._columns[name] = _frozen(column.read())
        return column

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return self.rows

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __repr__(self) -> str:
        return f"Table({self.rows:,} rows: {', '.join(self._columns)})"

    def __reduce__(self) -> tuple[type[Table], tuple[dict[str, NDArray[Any]]]]:
        return Table, ({name: self[name] for name in self},)

    def dtype(self, name: str) -> np.dtype[Any]:
        """The dtype of a column, without reading it."""
        return self._columns[name].dtype

    def where(self, mask: NDArray[np.bool_]) -> Table:
        """Rows whose mask is true."""
        return self._chosen(mask, int(np.count_nonzero(mask)))

    def take(self, rows: NDArray[np.integer[Any]]) -> Table:
        """Rows by position."""
        return self._chosen(rows, len(rows))

    def between(self, name: str, begin: int, end: int) -> Table:
        """Rows with ``begin <= column < end``; a view without copies where the column is ascending."""
        values = self[name]
        if (values[1:] >= values[:-1]).all():
            low, high = np.searchsorted(values, [begin, end])
            return self._chosen(slice(low, max(low, high)), max(0, int(high - low)))
        return self.where((values >= begin) & (values < end))

    @staticmethod
    def concat(tables: Sequence[Table]) -> Table:
        """The rows of one table or more, in order, with the columns of the first."""
        if len(tables) == 1:
            return tables[0]
        return Table({name: np.concatenate([table[name] for table in tables]) for name in tables[0]})

    def sort_by(self, *names: str) -> Table:
        """Rows in ascending order of columns, the first being the most significant; stable."""
        return self.take(np.lexsort([self[name] for name in reversed(names)]))

    def with_columns(self, **columns: Any) -> Table:
        """The same rows with columns added or replaced."""
        return Table({**self._columns, **columns})

    def _chosen(self, rows: Any, length: int) -> Table:
        return Table(
            {
                name: Lazy(length, column.dtype, lambda name=name: self[name][rows])
                if isinstance(column, Lazy)
                else column[rows]
                for name, column in self._columns.items()
            }
        )


def _frozen(values: Any) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind == "U":
        array = array.astype(object)
    view = array[:]
    view.setflags(write=False)
    return view
