"""``Candidates[C]``: an immutable batch of candidates, stored as columns.

Filtering and reordering a batch moves row numbers, not data: a column is gathered when somebody reads it, so
dropping and sorting 1,500 candidates costs the same whether they carry five columns or fifty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import numpy as np

from mixer.columns import Candidate, Column
from mixer.errors import (
    AbsentColumnError,
    CandidateError,
    ColumnShapeError,
    ColumnTypeError,
    UnknownColumnError,
)
from mixer.grouping import first_rows
from mixer.ordering import stable_order
from mixer.provenance import Provenance

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Self

    from numpy.typing import NDArray

C_co = TypeVar("C_co", bound=Candidate, covariant=True)
C = TypeVar("C", bound=Candidate)
S = TypeVar("S", bound=np.generic)

AnyColumn = Column[Any, Any]
Arrays = dict[AnyColumn, "NDArray[Any]"]

_HANDLE: AnyColumn = Column(np.dtype(np.int64), (), -1, "row handle")


class Candidates(Generic[C_co]):
    """An immutable columnar batch of candidates of one type.

    Args:
        kind: the candidate type.
        columns: arrays by column key, equally long; ``id`` is mandatory. Arrays are shared, not copied, and
            must not be changed afterwards.

    Shapes: a scalar column is ``(n,)``, a column of row shape ``(d,)`` is ``(n, d)``. Arrays that come out
    are read-only.

    Raises:
        UnknownColumnError, ColumnTypeError, ColumnShapeError, AbsentColumnError.

    >>> from mixer import column
    >>> class Post(Candidate):
    ...     author_id = column(np.int64)
    >>> posts = Candidates(Post, {Post.id: [3, 1, 2], Post.author_id: [7, 7, 8]})
    >>> posts.where(posts[Post.author_id] == 7).ids.tolist()
    [3, 1]
    """

    __slots__ = ("_cache", "_fresh", "_layers", "_length", "kind", "provenance")

    kind: type[C_co]
    provenance: Provenance | None

    def __init__(self, kind: type[C_co], columns: Mapping[AnyColumn, object]) -> None:
        known = kind.column_set
        fresh: Arrays = {}
        length: int | None = None
        for key, values in columns.items():
            if key not in known:
                raise UnknownColumnError(_unknown(kind, key))
            array = cast("NDArray[Any]", values) if key.fits(values, length) else key.coerce(values, length)
            length = len(array)
            fresh[key] = array
        if length is None:
            length = 0
        elif Candidate.id not in fresh:
            raise AbsentColumnError(
                f"{kind.__name__}: a batch needs the column id, got {sorted(map(repr, fresh))}"
            )
        self.kind = kind
        self.provenance = None
        self._length = length
        self._fresh = fresh  # written in the current row order
        self._layers: tuple[
            tuple[Arrays, NDArray[np.intp]], ...
        ] = ()  # older columns and the row each row reads
        self._cache: Arrays = {}  # gathered from layers, in the current row order

    @classmethod
    def _make(
        cls,
        like: Candidates[Any],
        length: int,
        fresh: Arrays,
        layers: tuple[tuple[Arrays, NDArray[np.intp]], ...],
        cache: Arrays,
    ) -> Self:
        batch = object.__new__(cls)
        batch.kind = like.kind
        batch.provenance = like.provenance
        batch._length = length
        batch._fresh = fresh
        batch._layers = layers
        batch._cache = cache
        return batch

    @property
    def _anonymous(self) -> bool:
        # No rows of no particular type, as a source without an answer gives them: every column reads as empty.
        return self._length == 0 and self.kind is Candidate

    # -- building ----------------------------------------------------------------------------------------

    @staticmethod
    def empty(kind: type[C]) -> Candidates[C]:
        """A batch without rows; every column reads as an empty array."""
        return Candidates(kind, {})

    @staticmethod
    def from_rows(kind: type[C], rows: Iterable[C]) -> Candidates[C]:
        """A batch from row objects, for tests and small inputs."""
        listed = list(rows)
        if not listed:
            return Candidates.empty(kind)
        return Candidates(
            kind, {key: key.coerce([getattr(row, key.name) for row in listed]) for key in kind.columns}
        )

    @staticmethod
    def concat(parts: Sequence[Candidates[C]]) -> Candidates[C]:
        """One batch of all rows in order, with the union of columns.

        A column that a part lacks takes its default there; if it has none, the result lacks the column and
        reading it raises. Empty parts impose nothing. Parts of the same run keep their row handles.

        Raises:
            CandidateError: no part at all, parts of different candidate types, or rows with and without origin.
        """
        if not parts:
            raise CandidateError("concat: expected at least one batch, got none")
        filled = [part for part in parts if len(part)]
        if not filled:
            return next((part for part in parts if part.kind is not Candidate), parts[0])
        first = filled[0]
        if len(filled) == 1:
            return first
        kinds = {part.kind for part in filled}
        if len(kinds) > 1:
            names = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise CandidateError(f"concat: expected one candidate type, got {names}")
        present = dict.fromkeys(key for part in filled for key in part.present)
        fresh: Arrays = {
            key: np.concatenate([part[key] for part in filled])
            for key in present
            if not key.required or all(part.has(key) for part in filled)
        }
        batch = first._make(first, sum(map(len, filled)), fresh, (), {})
        if any(part.provenance is not first.provenance for part in filled):
            tables = [part.provenance for part in filled if part.provenance is not None]
            if len(tables) < len(filled):
                raise CandidateError("concat: some rows belong to a run and some have no origin")
            batch.provenance, offsets = Provenance.joined(tables)
            handles = [part.handles + offset for part, offset in zip(filled, offsets, strict=True)]
            fresh[_HANDLE] = np.concatenate(handles)
        elif first.provenance is not None:
            fresh[_HANDLE] = np.concatenate([part.handles for part in filled])
        return batch

    # -- reading -----------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, key: Column[S, Any]) -> NDArray[S]:
        """The column as a read-only array, ``(n,)`` or ``(n, *row shape)``.

        Raises:
            AbsentColumnError: nothing wrote the column and it has no default.
            UnknownColumnError: the key belongs to another candidate type.
        """
        found = self._cache.get(key)
        return cast("NDArray[S]", self._read(key) if found is None else found)

    def _read(self, key: AnyColumn) -> NDArray[Any]:
        if key in self._fresh:
            found = self._fresh[key][:]  # a view: making it read-only leaves the owner's array alone
        else:
            for arrays, index in self._layers:
                if key in arrays:
                    found = arrays[key][index]
                    break
            else:
                found = self._default(key)
        found.setflags(write=False)
        self._cache[key] = found
        return found

    def _default(self, key: AnyColumn) -> NDArray[Any]:
        if key not in self.kind.column_set and key is not _HANDLE and not self._anonymous:
            raise UnknownColumnError(_unknown(self.kind, key))
        if not key.required:
            return key.filled(self._length)
        if self._length == 0:
            return np.empty((0, *key.shape), dtype=key.dtype)
        present = ", ".join(sorted(column.name for column in self.present))
        raise AbsentColumnError(f"column {key!r} has no default and nothing wrote it; present: {present}")

    def has(self, key: AnyColumn) -> bool:
        """True when something wrote the column; a default is not a value."""
        return key in self._fresh or any(key in arrays for arrays, _ in self._layers)

    @property
    def present(self) -> tuple[AnyColumn, ...]:
        """Columns that something wrote, oldest first."""
        keys: dict[AnyColumn, None] = {}
        for arrays, _ in reversed(self._layers):
            keys.update(dict.fromkeys(arrays))
        keys.update(dict.fromkeys(self._fresh))
        keys.pop(_HANDLE, None)
        return tuple(keys)

    @property
    def ids(self) -> NDArray[np.int64]:
        """``(n,)`` the ids."""
        return self[Candidate.id]

    @property
    def handles(self) -> NDArray[np.int64]:
        """``(n,)`` per-run row handles that link rows to provenance and trace; -1 outside a run."""
        return cast("NDArray[np.int64]", self[_HANDLE])

    def __iter__(self) -> Iterator[C_co]:
        return iter(self.rows())

    def rows(self) -> list[C_co]:
        """Rows as frozen attrs objects; for people, tests and the served page, never for the pool."""
        lists = [[key.row_value(value) for value in self[key]] for key in self.kind.columns]
        names = [key.name for key in self.kind.columns]
        return [self.kind(**dict(zip(names, values, strict=True))) for values in zip(*lists, strict=True)]

    def equals(self, other: Candidates[Any]) -> bool:
        """Same type, same rows in the same order, same written columns; provenance is not compared."""
        if self.kind is not other.kind or len(self) != len(other) or set(self.present) != set(other.present):
            return False
        return all(
            np.array_equal(self[key], other[key], equal_nan=key.dtype.kind == "f") for key in self.present
        )

    def __repr__(self) -> str:
        names = ", ".join(key.name for key in self.present)
        return f"Candidates[{self.kind.__name__}](n={len(self)}, columns=[{names}])"

    # -- deriving ----------------------------------------------------------------------------------------

    def where(self, mask: NDArray[np.bool_]) -> Self:
        """Rows whose mask is true, in order.

        Raises:
            ColumnTypeError, ColumnShapeError: the mask is not a boolean array of ``n`` values.
        """
        if mask.dtype != np.bool_:
            raise ColumnTypeError(f"where: expected a boolean mask, got dtype {mask.dtype}")
        if mask.shape != (self._length,):
            raise ColumnShapeError(f"where: expected a mask of {self._length} values, got shape {mask.shape}")
        index = mask.nonzero()[0]
        return self if len(index) == self._length else self.pick(index)

    def take(self, order: NDArray[np.integer[Any]] | Sequence[int]) -> Self:
        """Rows by position, in the given order; positions may repeat.

        Raises:
            ColumnTypeError: positions are not integers.
            IndexError: a position lies outside the batch.
        """
        index = np.asarray(order)
        if index.size == 0:
            index = index.astype(np.intp)
        if index.dtype.kind not in "iu" or index.ndim != 1:
            raise ColumnTypeError(
                f"take: expected a list of integers, got {index.dtype} of shape {index.shape}"
            )
        if index.size and (int(index.min()) < 0 or int(index.max()) >= self._length):
            raise IndexError(
                f"take: expected positions in [0, {self._length}), got {index.min()}..{index.max()}"
            )
        return self.pick(index.astype(np.intp, copy=False))

    def head(self, count: int) -> Self:
        """The first ``count`` rows."""
        return self.slice(0, count)

    def slice(self, start: int, stop: int) -> Self:
        """Rows from ``start`` up to, not including, ``stop``."""
        if start <= 0 and stop >= self._length:
            return self
        start, stop = max(start, 0), max(min(stop, self._length), 0)
        layers = [(arrays, older[start:stop]) for arrays, older in self._layers]
        if self._fresh:
            layers.insert(0, (self._fresh, np.arange(start, stop, dtype=np.intp)))
        return self._make(self, max(stop - start, 0), {}, tuple(layers), {})

    def pick(self, index: NDArray[np.intp]) -> Self:
        """Like :meth:`take` for positions that are known to lie in the batch; nothing is checked."""
        layers = tuple([(arrays, older[index]) for arrays, older in self._layers])
        if self._fresh:
            layers = ((self._fresh, index), *layers)
        return self._make(self, len(index), {}, layers, {})

    def with_columns(self, columns: Mapping[AnyColumn, object]) -> Self:
        """The same rows with columns added or replaced.

        Raises:
            UnknownColumnError, ColumnTypeError, ColumnShapeError.
        """
        fresh = dict(self._fresh)
        for key, values in columns.items():
            if key not in self.kind.column_set and not self._anonymous:
                raise UnknownColumnError(_unknown(self.kind, key))
            fresh[key] = key.coerce(values, self._length)
        cache = {key: values for key, values in self._cache.items() if key not in columns}
        return self._make(self, self._length, fresh, self._layers, cache)

    def sort(self, by: Column[Any, Any] | NDArray[Any], *, descending: bool = True) -> Self:
        """Rows ordered by a column or by ``(n,)`` keys; stable; NaN comes last either way."""
        keys = self[by] if isinstance(by, Column) else by
        if keys.shape != (self._length,):
            raise ColumnShapeError(f"sort: expected {self._length} keys, got shape {keys.shape}")
        return self.pick(stable_order(keys, descending=descending))

    def unique_by(self, key: Column[Any, Any]) -> Self:
        """The first row of each value of ``key``, in order."""
        first = first_rows(self[key])
        kept = (first == np.arange(self._length)).nonzero()[0]
        return self if len(kept) == self._length else self.pick(kept)

    def deduplicate(self) -> Self:
        """The first row of each id, in order; provenance of its duplicates is united into it."""
        first = first_rows(self.ids)
        stays = first == np.arange(self._length)
        kept = self.where(stays)
        if kept is not self and self.provenance is not None:
            handles, gone = self.handles, ~stays
            kept.provenance = self.provenance.merged(handles[first[gone]], handles[gone])
        return kept

    def stamped(self, provenance: Provenance) -> Self:
        """The same rows as the entries of a new run, in order."""
        fresh = {**self._fresh, _HANDLE: np.arange(self._length, dtype=np.int64)}
        batch = self._make(self, self._length, fresh, self._layers, {})
        batch.provenance = provenance
        return batch

    def __reduce__(self) -> tuple[Any, ...]:
        # Provenance belongs to a run and is not kept; the type must be importable.
        return _restored, (self.kind, {key.name: np.asarray(self[key]) for key in self.present})

    def detached(self) -> Candidates[C_co]:
        """The same rows without handles and provenance, as a source of another run has to give them."""
        if self.provenance is None:
            return self
        return Candidates(self.kind, {key: self[key] for key in self.present})

    # -- Arrow -------------------------------------------------------------------------------------------

    def to_arrow(self) -> Any:
        """A ``pyarrow.Table`` of the written columns; numeric columns are not copied."""
        from mixer.arrow import to_arrow

        return to_arrow(self)

    @staticmethod
    def from_arrow(kind: type[C], data: object) -> Candidates[C]:
        """A batch from anything that exports an Arrow stream and names the columns of ``kind``."""
        from mixer.arrow import from_arrow

        return from_arrow(kind, data)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)


def _restored(kind: type[C], columns: Mapping[str, object]) -> Candidates[C]:
    keys = {key.name: key for key in kind.columns}
    return Candidates(kind, {keys[name]: values for name, values in columns.items()})


def _unknown(kind: type[Candidate], key: AnyColumn) -> str:
    names = ", ".join(column.name for column in kind.columns)
    return f"{key!r} is not a column of {kind.__name__}; its columns: {names}"
