"""Counts of the columns that occur, at a cost that grows with what occurs alone."""

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
