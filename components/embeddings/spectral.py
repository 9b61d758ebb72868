# pyright: reportOptionalSubscript=false, reportArgumentType=false, reportAssignmentType=false
# scipy ships no types, and what pyright infers from its source is wrong in these places.
"""Spectral embedding of an undirected graph: the best low-rank picture of who is linked with whom."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import eigsh


def spectral_embedding(
    graph: sparse.csr_array, dimensions: int = 16, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Vectors whose inner products approximate how many links two nodes have, given their degrees.

    The normalised adjacency ``D^-1/2 A D^-1/2`` is cut to its eigenvalues of largest magnitude and scaled back by
    ``D^1/2`` on both sides.

    Args:
        graph: symmetric ``(n, n)`` adjacency.
        dimensions: at most ``n - 1`` are used; of a graph without edges, none mean anything and all are zeros.

    Returns:
        ``(n, d)`` vectors of the one end and ``(n, d)`` of the other; a pair scores ``<left[i], right[j]>``.
    """
    nodes = graph.shape[0]
    count = min(dimensions, nodes - 1)
    if not graph.nnz or count < 1:
        return np.zeros((nodes, dimensions)), np.zeros((nodes, dimensions))
    root = np.sqrt(np.asarray(graph.sum(axis=1), dtype=np.float64).ravel())
    shrunk = sparse.diags_array(np.divide(1.0, root, out=np.zeros(nodes), where=root > 0))
    start = np.random.default_rng(seed).random(nodes)
    values, vectors = eigsh(shrunk @ graph @ shrunk, k=count, which="LM", v0=start)
    left = np.zeros((nodes, dimensions))
    left[:, :count] = vectors * np.sqrt(np.abs(values)) * root[:, None]
    right = left.copy()
    right[:, :count] *= np.sign(values)
    return left, right
