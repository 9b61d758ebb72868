"""Counts of what occurs, at a cost that grows with that alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def tally(
    columns: NDArray[np.integer], weights: NDArray[np.floating] | None = None
) -> tuple[NDArray[np.integer], NDArray[Any]]:
    """Distinct columns in ascending order, and how often each occurs or the sum of its weights.

    Equal, to the last bit, to ``np.bincount`` over all columns; the cost grows with what is counted alone.

    >>> tally(np.array([7, 2, 7]))
    (array([2, 7]), array([1, 2]))
    """
    if weights is None:
        return np.unique(columns, return_counts=True)
    distinct, place = np.unique(columns, return_inverse=True)
    return distinct, np.bincount(place, weights=weights, minlength=len(distinct))


def looked_up(
    counted: tuple[NDArray[np.integer], NDArray[Any]], columns: NDArray[np.integer]
) -> NDArray[Any]:
    """``(n,)`` what a :func:`tally` says of columns; 0 for those that do not occur in it."""
    distinct, values = counted
    if not len(distinct):
        return np.zeros(len(columns), dtype=values.dtype)
    at = np.minimum(np.searchsorted(distinct, columns), len(distinct) - 1)
    return np.where(distinct[at] == columns, values[at], 0)


def earlier_equal(values: NDArray[Any]) -> NDArray[np.int64]:
    """``(n,)`` how many earlier positions hold the same value.

    >>> earlier_equal(np.array([7, 8, 7, 7])).tolist()
    [0, 0, 1, 2]
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    at = np.arange(len(values))
    begins = np.ones(len(values), dtype=np.bool_)
    begins[1:] = ordered[1:] != ordered[:-1]
    counts = np.empty(len(values), dtype=np.int64)
    counts[order] = at - np.maximum.accumulate(np.where(begins, at, 0))
    return counts
