# pyright: reportOptionalSubscript=false, reportOperatorIssue=false, reportArgumentType=false, reportAssignmentType=false
# scipy ships no types, and what pyright infers from its source is wrong in these places.
"""Walks that recommend accounts: personalised PageRank, SALSA, two hops, triangular loops.

All graphs are sparse matrices from row to column (``adjacency`` makes them), all answers sparse matrices with a
row for each viewer and the highest scores only.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import numpy as np
from attrs.validators import ge
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from components.graph.edges import inverse, row_of_entries, scale_rows, top_per_row
from components.graph.pagerank import PageRank, PageRankConfig, pagerank

Vector = NDArray[np.float64]
Matrix = sparse.csr_array

BLOCK = 512
"""Viewers worked on at once; bounds the memory of two-hop products."""


def personalised_pagerank(
    weights: Matrix, seeds: ArrayLike, seed_weights: ArrayLike | None = None, jump: float = 0.15
) -> PageRank:
    """Where a walk from the seeds ends up that returns to them with probability ``jump`` at each step.

    Dead ends return to the seeds at once.

    Raises:
        ValueError: there is no seed of positive weight, or one is out of range.
    """
    home = seed_vector(seeds, seed_weights, weights.shape[0])
    return pagerank(weights, PageRankConfig(jump=jump), teleport=home, dead_ends=home)


def seed_vector(seeds: ArrayLike, weights: ArrayLike | None, nodes: int) -> Vector:
    """``(nodes,)`` shares of the seeds, which sum to 1; repeated seeds add up."""
    rows = np.asarray(seeds, dtype=np.int64)
    values = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)
    if len(rows) and (rows.min() < 0 or rows.max() >= nodes):
        raise ValueError(f"seeds: expected rows from 0 to {nodes - 1}, got {rows.min()} to {rows.max()}")
    if values.shape != rows.shape or (values < 0).any() or not values.sum() > 0:
        raise ValueError(f"seeds: expected a weight >= 0 each and one above 0, got {len(rows)} seeds")
    return np.bincount(rows, weights=values, minlength=nodes) / values.sum()


@attrs.frozen(eq=False)
class Salsa:
    """Shares of a walk between hubs (who point) and authorities (who are pointed at); each sums to at most 1."""

    hubs: Vector
    authorities: Vector


def salsa(
    edges: Matrix,
    hub_seeds: ArrayLike,
    seed_weights: ArrayLike | None = None,
    *,
    restart: float = 0.15,
    iterations: int = 50,
) -> Salsa:
    """Walks forth to authorities and back to hubs, starting anew at the seeds with probability ``restart``.

    Args:
        edges: ``(hubs, authorities)``; for accounts, the circle of trust and whom it follows.
        hub_seeds: rows of hubs, the viewer's circle of trust.

    Source: SALSA (Lempel and Moran 2000) as "WTF: The Who to Follow Service at Twitter" (2013) uses it: authorities
    are recommended, hubs are similar to the viewer.
    """
    home = seed_vector(hub_seeds, seed_weights, edges.shape[0])
    totals = [np.asarray(edges.sum(axis=axis)).ravel() for axis in (1, 0)]
    forth = scale_rows(edges, inverse(totals[0])).T.tocsr()
    back = scale_rows(sparse.csr_array(edges.T), inverse(totals[1])).T.tocsr()
    hubs = home
    for _ in range(iterations):
        returned = back @ (forth @ hubs)
        # Mass on hubs without an edge goes home as well, so that nothing leaks.
        hubs = (1.0 - restart) * returned + (1.0 - (1.0 - restart) * returned.sum()) * home
    return Salsa(hubs, forth @ hubs)


@attrs.frozen
class SalsaExpansionConfig:
    """Limits of the expansion; the defaults are those of the published follow recommendations.

    Args:
        neighbours: of each seed, the strongest so many count.
        connectors: seeds that must lead to a candidate (fewer, where there are fewer seeds).
        proofs: seeds named for each candidate.
        results: candidates a viewer.
    """

    neighbours: int = attrs.field(default=2000, validator=ge(1))
    connectors: int = attrs.field(default=2, validator=ge(1))
    proofs: int = attrs.field(default=3, validator=ge(0))
    results: int = attrs.field(default=200, validator=ge(1))


@attrs.frozen(eq=False)
class Expansion:
    """Candidates of one viewer, best first: ``(n,)`` rows and scores, and the seeds that led to each."""

    candidates: NDArray[np.int64]
    scores: Vector
    connectors: list[NDArray[np.int64]]


def salsa_expansion(
    similar: Matrix, seeds: ArrayLike, config: SalsaExpansionConfig | None = None
) -> Expansion:
    """Adds up what precomputed neighbour lists say for a viewer's seeds; seeds themselves are left out."""
    config, rows = config or SalsaExpansionConfig(), np.unique(np.asarray(seeds, dtype=np.int64))
    lists = top_per_row(sparse.csr_array(similar[rows]), config.neighbours).tocsc()
    scores, counts = np.asarray(lists.sum(axis=0)).ravel(), np.diff(lists.indptr)
    scores[(counts < min(config.connectors, len(rows))) | (counts == 0)] = -np.inf
    scores[rows] = -np.inf
    order = np.lexsort((np.arange(len(scores)), -scores))[: config.results]
    best = order[scores[order] > -np.inf]
    proofs = []
    for candidate in best:
        span = slice(lists.indptr[candidate], lists.indptr[candidate + 1])
        strongest = np.argsort(-lists.data[span], kind="stable")[: config.proofs]
        proofs.append(rows[lists.indices[span][strongest]])
    return Expansion(best, scores[best], proofs)


def two_hop(first: Matrix, second: Matrix, k: int) -> Matrix:
    """Accounts two steps away, scored by the sum over paths of the product of both weights.

    Args:
        first: ``(viewers, n)`` tie strength of each viewer to those of the first degree.
        second: ``(n, n)`` weight of the second step.
        k: at most so many a viewer; those of the first degree, and the viewer where ``first`` is square, are out.
    """
    square = first.shape[0] == first.shape[1]
    parts = []
    for rows in _row_blocks(first):
        paths = sparse.csr_array(first[rows] @ second)
        paths = without(paths, sparse.csr_array(first[rows]))
        parts.append(top_per_row(_without_self(paths, rows) if square else paths, k))
    return _stacked(parts, first.shape)


def triangular_loops(follows: Matrix, k: int = 100) -> Matrix:
    """Who follows the viewer, is not followed back, and is followed by somebody whom the viewer follows.

    That is, ``u -> v -> w -> u`` without ``v -> u`` recommends ``u`` to ``v``. Scores are
    ``1 / max(1, followers + followings)`` of ``u``: small accounts first, for whom such a loop says most.
    """
    pattern = _ones(follows)
    degrees = np.diff(pattern.indptr) + np.bincount(pattern.indices, minlength=pattern.shape[1])
    followers, parts = sparse.csr_array(pattern.T), []
    for rows in _row_blocks(pattern):
        loops = sparse.csr_array((pattern[rows] @ pattern).multiply(followers[rows]))
        loops = _without_self(without(loops, sparse.csr_array(pattern[rows])), rows)
        loops.data = 1.0 / np.maximum(1.0, degrees[loops.indices])
        parts.append(top_per_row(loops, k))
    return _stacked(parts, follows.shape)


def without(matrix: Matrix, mask: Matrix) -> Matrix:
    """The entries of a matrix where ``mask`` has none."""
    width = matrix.shape[1]
    keys = row_of_entries(matrix) * width + matrix.indices
    masked = row_of_entries(mask) * width + mask.indices
    return _kept(matrix, ~np.isin(keys, masked))


def _without_self(matrix: Matrix, rows: NDArray[np.int64]) -> Matrix:
    return _kept(matrix, rows[row_of_entries(matrix)] != matrix.indices)


def _kept(matrix: Matrix, keep: NDArray[np.bool_]) -> Matrix:
    rows = row_of_entries(matrix)[keep]
    return sparse.csr_array((matrix.data[keep], (rows, matrix.indices[keep])), shape=matrix.shape)


def _ones(matrix: Matrix) -> Matrix:
    return sparse.csr_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)


def _row_blocks(matrix: Matrix) -> Iterator[NDArray[np.int64]]:
    for start in range(0, matrix.shape[0], BLOCK):
        yield np.arange(start, min(start + BLOCK, matrix.shape[0]))


def _stacked(parts: list[Matrix], shape: tuple[int, int]) -> Matrix:
    return sparse.csr_array(sparse.vstack(parts, format="csr")) if parts else sparse.csr_array(shape)
