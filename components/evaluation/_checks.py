"""Turns what callers pass into checked numpy vectors; messages name argument, expectation, culprit."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.evaluation.errors import InvalidInputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def ids(values: ArrayLike, name: str) -> Ints:
    """A vector of int64 ids, shape (n,)."""
    array = np.asarray(values)
    if array.size == 0 and array.ndim == 1:
        return np.empty(0, np.int64)
    _one_dimensional(array, name)
    if not np.issubdtype(array.dtype, np.integer):
        raise InvalidInputError(f"{name}: expected integer ids, got dtype {array.dtype}")
    if array.dtype == np.uint64 and array.max() > np.iinfo(np.int64).max:
        raise InvalidInputError(f"{name}: ids must fit int64, got {array.max()}")
    return array.astype(np.int64, copy=False)


def floats(values: ArrayLike, name: str) -> Floats:
    """A vector of finite float64, shape (n,)."""
    array = _numbers(values, name)
    _refuse(~np.isfinite(array), array, name, "finite numbers")
    return array


def values_or_nan(values: ArrayLike, name: str) -> Floats:
    """A vector of float64 in which NaN means undefined, shape (n,)."""
    array = _numbers(values, name)
    _refuse(np.isinf(array), array, name, "finite numbers or NaN")
    return array


def labels(values: ArrayLike, name: str = "label") -> Floats:
    """A vector of zeros and ones as float64, shape (n,)."""
    array = floats(values, name)
    _refuse((array != 0.0) & (array != 1.0), array, name, "only 0 and 1")
    return array


def shares(values: ArrayLike, name: str) -> Floats:
    """A vector of float64 within [0, 1], shape (n,)."""
    array = floats(values, name)
    _refuse((array < 0.0) | (array > 1.0), array, name, "values within [0, 1]")
    return array


def not_negative(values: ArrayLike, name: str) -> Floats:
    """A vector of finite float64 >= 0, shape (n,)."""
    array = floats(values, name)
    _refuse(array < 0.0, array, name, "values >= 0")
    return array


def flags(values: ArrayLike, name: str) -> Bools:
    """A vector of booleans, shape (n,)."""
    array = np.asarray(values)
    if array.size == 0 and array.ndim == 1:
        return np.empty(0, np.bool_)
    _one_dimensional(array, name)
    if array.dtype != np.bool_:
        raise InvalidInputError(f"{name}: expected booleans, got dtype {array.dtype}")
    return array


def weights(values: ArrayLike | None, count: int) -> Floats:
    """Row weights >= 0, shape (count,); None means one each."""
    if values is None:
        return np.ones(count)
    array = not_negative(values, "weight")
    same_length(rows=np.empty(count), weight=array)
    return array


def same_length(**arrays: NDArray[np.generic]) -> None:
    """Raises InvalidInputError unless all arrays have one length."""
    if len({len(array) for array in arrays.values()}) > 1:
        found = ", ".join(f"{name} {len(array)}" for name, array in arrays.items())
        raise InvalidInputError(f"expected vectors of one length, got {found}")


def at_least(value: int, least: int, name: str) -> int:
    """An integer that is not below a bound."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InvalidInputError(f"{name}: expected an integer >= {least}, got {value!r}")
    return int(value)


def inside(value: float, name: str) -> float:
    """A number strictly between 0 and 1."""
    if not 0.0 < value < 1.0:
        raise InvalidInputError(f"{name}: expected a number strictly between 0 and 1, got {value!r}")
    return float(value)


def _numbers(values: ArrayLike, name: str) -> Floats:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise InvalidInputError(f"{name}: expected numbers, got dtype {array.dtype}")
    _one_dimensional(array, name)
    return array.astype(np.float64, copy=False)


def _one_dimensional(array: NDArray[np.generic], name: str) -> None:
    if array.ndim != 1:
        raise InvalidInputError(f"{name}: expected one dimension, got shape {array.shape}")


def _refuse(bad: Bools, array: Floats, name: str, expected: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise InvalidInputError(f"{name}: expected {expected}, row {row} holds {array[row]}")
