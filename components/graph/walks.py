# pyright: reportOptionalSubscript=false, reportOperatorIssue=false, reportArgumentType=false, reportAssignmentType=false
# scipy ships no types, and what pyright infers from its source is wrong in these places.
"""Walks from seeds over a sparse matrix from row to column: personalised PageRank and SALSA."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from components.graph.edges import inverse, scale_rows
from components.graph.pagerank import PageRank, PageRankConfig, pagerank

Vector = NDArray[np.float64]
Matrix = sparse.csr_array


def personalised_pagerank(weights: Matrix, seeds: ArrayLike) -> PageRank:
    """Where a walk from the seeds ends up that returns to them with probability 0.15 at each step.

    Dead ends return to the seeds at once.

    Raises:
        ValueError: there is no seed, or one is out of range.
    """
    home = seed_vector(seeds, weights.shape[0])
    return pagerank(weights, PageRankConfig(jump=0.15), teleport=home, dead_ends=home)


def seed_vector(seeds: ArrayLike, nodes: int) -> Vector:
    """``(nodes,)`` shares of the seeds, which sum to 1; repeated seeds add up."""
    rows = np.asarray(seeds, dtype=np.int64)
    if not len(rows):
        raise ValueError("seeds: expected one at least, got none")
    if rows.min() < 0 or rows.max() >= nodes:
        raise ValueError(f"seeds: expected rows from 0 to {nodes - 1}, got {rows.min()} to {rows.max()}")
    return np.bincount(rows, minlength=nodes) / len(rows)


@attrs.frozen(eq=False)
class Salsa:
    """Shares of a walk between hubs (who point) and authorities (who are pointed at); each sums to at most 1."""

    hubs: Vector
    authorities: Vector


def salsa(edges: Matrix, hub_seeds: ArrayLike, *, restart: float = 0.15, iterations: int = 50) -> Salsa:
    """Walks forth to authorities and back to hubs, starting anew at the seeds with probability ``restart``.

    Args:
        edges: ``(hubs, authorities)``; for accounts, the circle of trust and whom it follows.
        hub_seeds: rows of hubs, the viewer's circle of trust.

    Source: SALSA (Lempel and Moran 2000) as "WTF: The Who to Follow Service at Twitter" (2013) uses it: authorities
    are recommended, hubs are similar to the viewer.
    """
    home = seed_vector(hub_seeds, edges.shape[0])
    totals = [np.asarray(edges.sum(axis=axis)).ravel() for axis in (1, 0)]
    forth = scale_rows(edges, inverse(totals[0])).T.tocsr()
    back = scale_rows(sparse.csr_array(edges.T), inverse(totals[1])).T.tocsr()
    hubs = home
    for _ in range(iterations):
        returned = back @ (forth @ hubs)
        # Mass on hubs without an edge goes home as well, so that nothing leaks.
        hubs = (1.0 - restart) * returned + (1.0 - (1.0 - restart) * returned.sum()) * home
    return Salsa(hubs, forth @ hubs)
