"""Filtered link prediction: the rank of each true end among all ends that are not known to be true."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import distance

from components.embeddings.twhin.config import Relation
from components.embeddings.twhin.embeddings import TwhinEmbeddings, unit

BLOCK = 256
Scorer = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.floating]]


@attrs.frozen
class LinkPrediction:
    """Mean reciprocal rank and hits at 1, 3, 10 over both sides of all test edges."""

    mrr: float
    hits_1: float
    hits_3: float
    hits_10: float
    ranks: int

    @classmethod
    def of(cls, ranks: NDArray[np.float64]) -> LinkPrediction:
        """Sums up ranks that count from 1."""
        if not len(ranks):
            return cls(float("nan"), float("nan"), float("nan"), float("nan"), 0)
        first, third, tenth = (float((ranks <= k).mean()) for k in (1, 3, 10))
        return cls(float((1.0 / ranks).mean()), first, third, tenth, len(ranks))


def evaluate(
    embeddings: TwhinEmbeddings, test: Sequence[Relation], known: Sequence[Relation]
) -> LinkPrediction:
    """Ranks the target of each test edge among all entities of its type, and the source among those of its own.

    Every ``known`` or tested edge but the one at hand is left out of the competition. Equal scores share the mean
    of their ranks. An edge with an end that was never trained takes the worst rank.
    """
    ranks = [
        side
        for relation in test
        for side in _relation_ranks(
            embeddings, relation, [other for other in (*known, *test) if other.name == relation.name]
        )
    ]
    return LinkPrediction.of(np.concatenate(ranks) if ranks else np.zeros(0))


def _relation_ranks(
    embeddings: TwhinEmbeddings, relation: Relation, known: Sequence[Relation]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    translation = embeddings.relations[relation.name]
    sources, targets = embeddings.entities[translation.source], embeddings.entities[translation.target]
    true = np.concatenate([other.edges for other in known])
    rows = np.stack([sources.index.rows_of(true[:, 0]), targets.index.rows_of(true[:, 1])], axis=1)
    rows = rows[(rows >= 0).all(axis=1)]
    test = np.stack(
        [sources.index.rows_of(relation.edges[:, 0]), targets.index.rows_of(relation.edges[:, 1])], axis=1
    )
    onward, back = sources.vectors + translation.vector, targets.vectors - translation.vector
    score = inner_products if embeddings.cosine else negative_distances
    if embeddings.cosine:
        onward, back = unit(onward), unit(back)
    forward = filtered_ranks(onward, targets.vectors, test, rows, score)
    return forward, filtered_ranks(back, sources.vectors, test[:, ::-1], rows[:, ::-1], score)


def inner_products(queries: NDArray[np.float32], candidates: NDArray[np.float32]) -> NDArray[np.floating]:
    """``(q, c)``."""
    return queries @ candidates.T


def negative_distances(queries: NDArray[np.float32], candidates: NDArray[np.float32]) -> NDArray[np.floating]:
    """``(q, c)`` sums of absolute differences, times -1."""
    return -distance.cdist(queries, candidates, "cityblock")


def filtered_ranks(
    queries: NDArray[np.float32],
    candidates: NDArray[np.float32],
    test: NDArray[np.int64],
    known: NDArray[np.int64],
    score: Scorer = inner_products,
) -> NDArray[np.float64]:
    """``(n,)`` ranks of the second column of ``test`` by their score with the query of the first.

    Args:
        queries: ``(q, d)``.
        candidates: ``(c, d)``.
        test: ``(n, 2)`` rows of query and true candidate; -1 where unknown.
        known: ``(k, 2)`` rows of query and candidate that do not compete.
        score: of queries and candidates.
    """
    ranks = np.full(len(test), float(len(candidates)))
    usable = np.flatnonzero((test >= 0).all(axis=1))
    order = known[np.argsort(known[:, 0], kind="stable")]
    for start in range(0, len(usable), BLOCK):
        block = usable[start : start + BLOCK]
        asked, truth = test[block].T
        scores = score(queries[asked], candidates)
        own = scores[np.arange(len(block)), truth]
        first, last = (np.searchsorted(order[:, 0], asked, side=side) for side in ("left", "right"))
        for row in range(len(block)):
            scores[row, order[first[row] : last[row], 1]] = -np.inf
        scores[np.arange(len(block)), truth] = own
        better, equal = (scores > own[:, None]).sum(axis=1), (scores == own[:, None]).sum(axis=1)
        ranks[block] = better + (equal + 1) / 2
    return ranks
