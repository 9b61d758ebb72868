# pyright: reportOptionalSubscript=false, reportOperatorIssue=false, reportArgumentType=false
# scipy ships no types, and what pyright infers from its source is wrong in these places.
"""Which producers are alike: the cosine between the sets of their followers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from components.embeddings.progress import Progress, ProgressListener, silent
from components.embeddings.simclusters.config import SimilarityConfig
from components.graph.edges import inverse, scale_rows, top_per_row

PRODUCTS_A_BLOCK = 10_000_000
"""Multiplications of one block of the sparse product; bounds its memory to a few hundred MB."""


def producers_of(follows: sparse.csr_array, min_followers: int) -> NDArray[np.int64]:
    """Rows of the accounts with enough followers, ascending."""
    return np.flatnonzero(np.bincount(follows.indices, minlength=follows.shape[1]) >= min_followers)


def producer_similarity(
    follows: sparse.csr_array,
    producers: NDArray[np.int64],
    config: SimilarityConfig | None = None,
    listener: ProgressListener = silent,
) -> sparse.csr_array:
    """``(p, p)`` symmetric similarities of producers, without the diagonal.

    Each keeps its most similar neighbours; an edge that either end keeps is kept.

    Args:
        follows: ``(users, users)`` binary.
        producers: ``(p,)`` columns of ``follows``.
    """
    settings = config or SimilarityConfig()
    chosen = sparse.csr_array(sparse.csc_array(follows)[:, producers], dtype=np.float32)
    norms = np.sqrt(np.bincount(chosen.indices, minlength=len(producers)))
    chosen.data /= norms[chosen.indices].astype(np.float32)
    by_producer = sparse.csr_array(chosen.T)
    parts: list[sparse.csr_array] = []
    for start, stop in _blocks(by_producer, np.diff(chosen.indptr)):
        product = _without_diagonal(by_producer[start:stop] @ chosen, start)
        product.data[product.data < settings.min_similarity] = 0.0
        product.eliminate_zeros()
        parts.append(top_per_row(product, settings.neighbours))
        listener(Progress("similarity", stop, len(producers)))
    if not parts:
        return sparse.csr_array((len(producers), len(producers)), dtype=np.float32)
    kept = sparse.csr_array(sparse.vstack(parts))
    kept = sparse.csr_array(kept.maximum(kept.T))
    if settings.squared:
        kept.data = 10.0 * kept.data**2
    kept.sort_indices()
    return kept


def _blocks(by_producer: sparse.csr_array, degrees: NDArray[np.integer]) -> Iterator[tuple[int, int]]:
    work = np.append(0, np.cumsum(degrees[by_producer.indices].astype(np.int64)))[by_producer.indptr]
    start, producers = 0, by_producer.shape[0]
    while start < producers:
        stop = int(np.searchsorted(work, work[start] + PRODUCTS_A_BLOCK, side="right")) - 1
        stop = min(max(stop, start + 1), producers)
        yield start, stop
        start = stop


def _without_diagonal(product: sparse.csr_array, start: int) -> sparse.csr_array:
    rows = np.repeat(np.arange(product.shape[0]), np.diff(product.indptr))
    product.data[product.indices == rows + start] = 0.0
    return product


def column_cosines(left: sparse.csr_array, right: sparse.csr_array) -> sparse.csr_array:
    """``(a, b)`` cosine between each column of one matrix and each column of another; 0 for empty columns."""
    turned = (sparse.csr_array(matrix.T) for matrix in (left, right))
    first, second = (scale_rows(matrix, inverse(row_norms(matrix))) for matrix in turned)
    return sparse.csr_array(first @ second.T)


def row_norms(matrix: sparse.csr_array) -> NDArray[np.float64]:
    """``(rows,)`` Euclidean length of each row."""
    return np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1), dtype=np.float64).ravel())
