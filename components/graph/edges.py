# pyright: reportOptionalSubscript=false, reportOperatorIssue=false, reportArgumentType=false, reportAssignmentType=false
# scipy ships no types, and what pyright infers from its source is wrong in these places.
"""Edges as arrays, checked once where they enter, and the sparse matrices that algorithms work on."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse


def checked_edges(edges: ArrayLike, name: str = "edges") -> NDArray[np.int64]:
    """Edges as ``(n, 2)`` int64.

    Raises:
        ValueError: the shape is another, or the values are no integers.
    """
    array = np.asarray(edges)
    if array.size == 0:
        return np.zeros((0, 2), dtype=np.int64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"{name}: expected shape (n, 2), got {array.shape}")
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name}: expected integers, got {array.dtype}")
    return array.astype(np.int64, copy=False)


def adjacency(
    edges: ArrayLike,
    nodes: int,
    weights: ArrayLike | None = None,
    *,
    directed: bool = True,
) -> sparse.csr_array:
    """The matrix of a graph over rows ``0 .. nodes - 1``, without self loops.

    Duplicate edges count once, or add up where weights are given.

    Args:
        edges: ``(n, 2)`` from row, to row.
        weights: ``(n,)``, not negative; edges of weight 0 vanish.
        directed: when false, each edge is there in both directions.

    Raises:
        ValueError: a row is out of range, or weights do not fit.
    """
    pairs = checked_edges(edges)
    if len(pairs) and (pairs.min() < 0 or pairs.max() >= nodes):
        raise ValueError(f"edges: expected rows from 0 to {nodes - 1}, got {pairs.min()} to {pairs.max()}")
    values = np.ones(len(pairs)) if weights is None else np.asarray(weights, dtype=np.float64)
    if values.shape != (len(pairs),) or (values < 0).any() or not np.isfinite(values).all():
        raise ValueError(f"weights: expected ({len(pairs)},) finite values >= 0, got shape {values.shape}")
    keep = pairs[:, 0] != pairs[:, 1]
    pairs, values = pairs[keep], values[keep]
    if not directed:
        pairs, values = np.concatenate([pairs, pairs[:, ::-1]]), np.concatenate([values, values])
    matrix = sparse.csr_array((values, (pairs[:, 0], pairs[:, 1])), shape=(nodes, nodes))
    matrix.sum_duplicates()
    if weights is None:
        matrix.data[:] = 1.0
    matrix.eliminate_zeros()
    return matrix


def top_per_row(matrix: sparse.csr_array, k: int) -> sparse.csr_array:
    """The ``k`` largest entries of each row; of equal ones, those with the lower column."""
    csr = sparse.csr_array(matrix)
    rows = row_of_entries(csr)
    order = np.lexsort((csr.indices, -csr.data, rows))
    kept = np.sort(order[rank_within(rows[order]) < k])
    indptr = np.concatenate(([0], np.cumsum(np.bincount(rows[kept], minlength=csr.shape[0]))))
    return sparse.csr_array((csr.data[kept], csr.indices[kept], indptr), shape=csr.shape)


def row_of_entries(matrix: sparse.csr_array) -> NDArray[np.int64]:
    """``(entries,)`` row of each stored entry."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def rank_within(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of each element within its run of equal, adjacent values.

    >>> rank_within(np.array([4, 4, 7, 7, 7])).tolist()
    [0, 1, 0, 1, 2]
    """
    if not len(groups):
        return np.zeros(0, dtype=np.int64)
    first = np.flatnonzero(np.append(True, groups[1:] != groups[:-1]))
    return np.arange(len(groups)) - np.repeat(first, np.diff(np.append(first, len(groups))))


def scale_rows(matrix: sparse.csr_array, factors: NDArray[np.float64]) -> sparse.csr_array:
    """Each row times its factor."""
    data = matrix.data * np.repeat(factors, np.diff(matrix.indptr))
    return sparse.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def inverse(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """``1 / x``, and 0 where ``x`` is 0."""
    return np.divide(1.0, values, out=np.zeros_like(values, dtype=np.float64), where=values != 0)
