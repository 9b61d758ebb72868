"""Candidate types and their typed columns.

A candidate type is declared once; each class attribute is at the same time the typed key of a column in a
batch and the attribute of a row::

    class Post(Candidate):
        author_id = column(np.int64)
        score = column(np.float32, default=np.nan)


    posts[Post.author_id]  # NDArray[np.int64], shape (n,)
    Post(id=1, author_id=7).score  # a row, for people and tests
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, cast, overload

import attrs
import numpy as np

from mixer.errors import ColumnShapeError, ColumnTypeError, ConfigurationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

S = TypeVar("S", bound=np.generic)
I = TypeVar("I", bound=np.integer[Any])  # noqa: E741
F = TypeVar("F", bound=np.floating[Any])
V = TypeVar("V")


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()
"""Marks a column without a default: reading it while it is absent is an error."""


class Column(Generic[S, V]):
    """The typed key of one column: dtype, row shape and default.

    Class access (``Post.author_id``) gives the key itself, instance access the value of that row.
    """

    __slots__ = ("_home", "_ndim", "default", "doc", "dtype", "name", "owner", "shape")

    def __init__(self, dtype: np.dtype[Any], shape: tuple[int, ...], default: object, doc: str) -> None:
        self.dtype = dtype
        self.shape = shape
        self._ndim = 1 + len(shape)
        self.default = default
        self.doc = doc
        self.name = "?"
        self.owner = "?"
        self._home: type = object

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.owner = owner.__name__
        self._home = owner

    @overload
    def __get__(self, row: None, owner: type) -> Self: ...
    @overload
    def __get__(self, row: object, owner: type) -> V: ...
    def __get__(self, row: object, owner: type) -> Self | V:
        # Rows keep their values in __dict__, which wins over a descriptor without __set__.
        return self

    def __repr__(self) -> str:
        return f"{self.owner}.{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        # A key is its identity: pickling refers to the class attribute.
        return getattr, (self._home, self.name)

    @property
    def required(self) -> bool:
        """True when the column has no default."""
        return self.default is REQUIRED

    def filled(self, length: int) -> NDArray[S]:
        """An array of ``length`` rows holding the default."""
        return np.full((length, *self.shape), self.default, dtype=self.dtype)

    def coerce(self, values: object, length: int | None = None) -> NDArray[S]:
        """An array of this column's dtype and shape, the very same where it fits already.

        Raises:
            ColumnTypeError: the values would change kind (float to int, text to number).
            ColumnShapeError: wrong number of rows, or rows of another shape.
        """
        array = cast(
            "NDArray[Any]", values if isinstance(values, np.ndarray) else self._from_sequence(values)
        )
        if array.dtype is not self.dtype and array.dtype != self.dtype:
            array = self._cast(array)
        if array.ndim != self._ndim or array.shape[1:] != self.shape:
            expected = "(n" + "".join(f", {size}" for size in self.shape) + ")"
            raise ColumnShapeError(f"column {self!r}: expected shape {expected}, got {array.shape}")
        if length is not None and len(array) != length:
            raise ColumnShapeError(f"column {self!r}: expected {length} rows, got {len(array)}")
        return array

    def fits(self, values: object, length: int | None) -> bool:
        """True when :meth:`coerce` would return ``values`` itself."""
        return (
            type(values) is np.ndarray
            and values.dtype is self.dtype
            and values.ndim == self._ndim
            and (length is None or len(values) == length)
            and (not self.shape or values.shape[1:] == self.shape)
        )

    def _from_sequence(self, values: object) -> NDArray[Any]:
        if self.dtype == np.object_:
            items = list(cast("list[object]", values))
            array = np.empty(len(items), dtype=np.object_)
            array[:] = items
            return array
        try:
            array = np.asarray(values)
        except ValueError as error:
            raise ColumnShapeError(f"column {self!r}: rows of unequal shape") from error
        return array.reshape(0, *self.shape) if array.size == 0 else array

    def _cast(self, array: NDArray[Any]) -> NDArray[S]:
        if array.size == 0:
            return array.astype(self.dtype)
        if array.dtype.kind in "iu" and self.dtype.kind in "iu":
            cast_array = array.astype(
                self.dtype
            )  # any integers may fill an integer column that can hold them
            if bool((cast_array == array).all()):
                return cast_array
        elif np.can_cast(array.dtype, self.dtype, casting="same_kind"):
            return array.astype(self.dtype)
        raise ColumnTypeError(f"column {self!r}: expected dtype {self.dtype}, got {array.dtype}")

    def row_value(self, value: object) -> V:
        """The Python form of one cell."""
        return cast("V", value.item() if isinstance(value, np.generic) else value)


@overload
def column(dtype: type[np.bool_], *, default: object = ..., doc: str = ...) -> Column[np.bool_, bool]: ...
@overload
def column(dtype: type[str], *, default: object = ..., doc: str = ...) -> Column[np.object_, str]: ...
@overload
def column(
    dtype: type[S], *, shape: tuple[int, *tuple[int, ...]], default: object = ..., doc: str = ...
) -> Column[S, NDArray[S]]: ...
@overload
def column(dtype: type[I], *, default: object = ..., doc: str = ...) -> Column[I, int]: ...
@overload
def column(dtype: type[F], *, default: object = ..., doc: str = ...) -> Column[F, float]: ...
@overload
def column(dtype: type[S], *, default: object = ..., doc: str = ...) -> Column[S, Any]: ...
def column(
    dtype: type[Any],
    *,
    shape: tuple[int, ...] = (),
    default: object = REQUIRED,
    doc: str = "",
) -> Column[Any, Any]:
    """Declare a column of a candidate type.

    Args:
        dtype: a numpy scalar type; ``str`` and ``object`` are stored as object arrays.
        shape: the shape of one row; ``()`` for a scalar column, ``(64,)`` for a 64-d vector.
        default: what rows hold when nothing wrote the column; without it the column is required.
        doc: one line for the reference documentation.
    """
    resolved = np.dtype(np.object_) if dtype in (str, object) else np.dtype(dtype)
    if default is not REQUIRED:
        try:
            np.full(shape, cast("Any", default), dtype=resolved)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(
                "column", [f"default {default!r} does not fit {resolved}{shape}"]
            ) from error
    return Column(resolved, shape, default, doc)


def _same(a: object, b: object) -> bool:
    return bool(np.array_equal(cast("Any", a), cast("Any", b), equal_nan=True))


def _same_scalar(a: object, b: object) -> bool:
    return a == b or (a != a and b != b)  # noqa: PLR0124 - NaN is the only value that differs from itself


def _row_field(key: Column[Any, Any]) -> Any:
    default: Any = key.default
    if key.required:
        default = attrs.NOTHING
    elif key.shape:
        default = attrs.Factory(lambda: key.filled(1)[0])
    equality = attrs.cmp_using(eq=_same if key.shape else _same_scalar)
    return cast("Any", attrs).field(default=default, eq=equality, hash=key.name == "id")


class Candidate:
    """Base of every candidate type: something that can be recommended, identified by a 64-bit integer.

    Subclasses declare columns; mixer turns them into frozen attrs classes whose instances are single rows.
    """

    id: Column[np.int64, int] = column(np.int64, doc="64-bit id; need not be unique in a batch")
    source_score: Column[np.float32, float] = column(
        np.float32,
        default=np.nan,
        doc="what the candidate source thought of the row; NaN if it gave no score",
    )

    columns: ClassVar[tuple[Column[Any, Any], ...]] = ()
    column_set: ClassVar[frozenset[Column[Any, Any]]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _declare(cls)

    if TYPE_CHECKING:  # attrs writes the real one

        def __init__(self, **values: Any) -> None: ...


def _declare(kind: type[Candidate]) -> None:
    """Collect the columns of a candidate type and turn it into a frozen attrs class."""
    found: dict[str, Column[Any, Any]] = {}
    for base in reversed(kind.__mro__):
        for name, value in vars(base).items():
            if isinstance(value, Column):
                found[name] = cast("Column[Any, Any]", value)
    kind.columns = tuple(found.values())
    kind.column_set = frozenset(kind.columns)
    fields = {name: _row_field(key) for name, key in found.items()}
    attrs.define(kind, these=fields, frozen=True, slots=False, kw_only=True, eq=True)


_declare(Candidate)
