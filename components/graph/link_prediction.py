# pyright: reportOptionalSubscript=false, reportOperatorIssue=false, reportArgumentType=false, reportAssignmentType=false
# scipy ships no types, and what pyright infers from its source is wrong in these places.
"""Scores of pairs that may become edges, and the split that tells how good they are.

The graph is an undirected ``adjacency``. Source of the heuristics and the protocol: Zhang and Chen, "Link Prediction
Based on Graph Neural Networks" (2018), and the works named there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from components.graph.edges import checked_edges, inverse, scale_rows

Vector = NDArray[np.float64]
Matrix = sparse.csr_array
Pairs = NDArray[np.int64]

BLOCK = 256


def common_neighbours(graph: Matrix, pairs: Pairs) -> Vector:
    """How many neighbours both have."""
    return _shared(graph, pairs, np.ones(graph.shape[0]))


def adamic_adar(graph: Matrix, pairs: Pairs) -> Vector:
    """Common neighbours, each worth ``1 / ln degree``."""
    # A common neighbour has two edges at least; others are never looked up.
    return _shared(graph, pairs, 1.0 / np.log(np.maximum(_degrees(graph), 2.0)))


def resource_allocation(graph: Matrix, pairs: Pairs) -> Vector:
    """Common neighbours, each worth ``1 / degree``."""
    return _shared(graph, pairs, inverse(_degrees(graph)))


def jaccard(graph: Matrix, pairs: Pairs) -> Vector:
    """Common neighbours as a share of all neighbours of both."""
    common, degrees = common_neighbours(graph, pairs), _degrees(graph)
    return common * inverse(degrees[pairs[:, 0]] + degrees[pairs[:, 1]] - common)


def preferential_attachment(graph: Matrix, pairs: Pairs) -> Vector:
    """The product of both degrees."""
    degrees = _degrees(graph)
    return degrees[pairs[:, 0]] * degrees[pairs[:, 1]]


def katz(graph: Matrix, pairs: Pairs, damping: float = 0.001, max_length: int = 5) -> Vector:
    """Paths of every length up to ``max_length``, each worth ``damping ** length``."""

    def spread(start: NDArray[np.float64]) -> NDArray[np.float64]:
        total, reached = np.zeros_like(start), start
        for _ in range(max_length):
            reached = damping * (graph @ reached)
            total += reached
        return total

    return _by_source(spread, graph.shape[0], pairs)


def rooted_pagerank(graph: Matrix, pairs: Pairs, jump: float = 0.15, iterations: int = 30) -> Vector:
    """The personalised PageRank of each end seen from the other, summed."""
    walk = sparse.csr_array(scale_rows(graph, inverse(_degrees(graph))).T)

    def spread(start: NDArray[np.float64]) -> NDArray[np.float64]:
        shares = start
        for _ in range(iterations):
            shares = (1.0 - jump) * (walk @ shares) + jump * start
        return shares

    both = _by_source(spread, graph.shape[0], np.concatenate([pairs, pairs[:, ::-1]]))
    return both[: len(pairs)] + both[len(pairs) :]


Heuristic = Callable[[Matrix, Pairs], Vector]
HEURISTICS: Mapping[str, Heuristic] = {
    "common_neighbours": common_neighbours,
    "adamic_adar": adamic_adar,
    "resource_allocation": resource_allocation,
    "jaccard": jaccard,
    "preferential_attachment": preferential_attachment,
    "katz": katz,
    "rooted_pagerank": rooted_pagerank,
}


@attrs.frozen(eq=False)
class LinkSplit:
    """Edges to learn from, hidden edges, and as many pairs without an edge; each ``(n, 2)`` rows."""

    train: Pairs
    positives: Pairs
    negatives: Pairs

    @property
    def pairs(self) -> Pairs:
        """Hidden edges, then pairs without an edge."""
        return np.concatenate([self.positives, self.negatives])

    @property
    def labels(self) -> NDArray[np.bool_]:
        """True for hidden edges."""
        return np.arange(len(self.positives) + len(self.negatives)) < len(self.positives)


def hide_edges(edges: ArrayLike, nodes: int, share: float = 0.1, seed: int = 0) -> LinkSplit:
    """Hides a share of the undirected edges at random; duplicates and self loops are dropped first.

    Raises:
        ValueError: the graph has too few pairs without an edge.
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"share: expected between 0 and 1, got {share}")
    rng, pairs = np.random.default_rng(seed), np.sort(checked_edges(edges), axis=1)
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    hidden = rng.permutation(len(pairs)) < round(share * len(pairs))
    negatives = _non_edges(pairs, nodes, int(hidden.sum()), rng)
    return LinkSplit(pairs[~hidden], pairs[hidden], negatives)


def _non_edges(pairs: Pairs, nodes: int, count: int, rng: np.random.Generator) -> Pairs:
    free = nodes * (nodes - 1) // 2 - len(pairs)
    if free < count:
        raise ValueError(f"hide_edges: expected at least {count} pairs without an edge, got {free}")
    taken = set((pairs[:, 0] * nodes + pairs[:, 1]).tolist())
    found: list[tuple[int, int]] = []
    while len(found) < count:
        for low, high in np.sort(rng.integers(0, nodes, (2 * count, 2)), axis=1).tolist():
            if low != high and low * nodes + high not in taken and len(found) < count:
                taken.add(low * nodes + high)
                found.append((low, high))
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def _degrees(graph: Matrix) -> Vector:
    return np.diff(graph.indptr).astype(np.float64)


def _shared(graph: Matrix, pairs: Pairs, worth: Vector) -> Vector:
    both = sparse.csr_array(graph[pairs[:, 0]].multiply(graph[pairs[:, 1]])) if len(pairs) else None
    return np.zeros(0) if both is None else np.asarray(both @ worth)


def _by_source(
    spread: Callable[[NDArray[np.float64]], NDArray[np.float64]], nodes: int, pairs: Pairs
) -> Vector:
    """Spreads from distinct first ends, a block at a time, and reads off the second ends."""
    scores = np.zeros(len(pairs))
    sources, position = np.unique(pairs[:, 0], return_inverse=True)
    for first in range(0, len(sources), BLOCK):
        block = sources[first : first + BLOCK]
        start = np.zeros((nodes, len(block)))
        start[block, np.arange(len(block))] = 1.0
        reached = spread(start)
        mine = (position >= first) & (position < first + len(block))
        scores[mine] = reached[pairs[mine, 1], position[mine] - first]
    return scores
