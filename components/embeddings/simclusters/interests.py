# pyright: reportOptionalSubscript=false, reportOperatorIssue=false, reportArgumentType=false
# scipy ships no types, and what pyright infers from its source is wrong in these places.
"""InterestedIn: the clusters of the producers that a user follows or likes; and producers by their audience."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from components.embeddings.simclusters.config import InterestConfig, ProducerConfig
from components.embeddings.simclusters.signals import Signals
from components.embeddings.simclusters.similarity import column_cosines, row_norms
from components.graph.edges import inverse, rank_within, row_of_entries, top_per_row

SCORES = (
    "follow",
    "follow_normalised",
    "favourite",
    "favourite_normalised",
    "log_favourite",
    "log_favourite_normalised",
)
"""Scores of a user's interest in a cluster; *normalised* divides by the length of each producer's column."""
ORDER = ("favourite", "log_favourite", "follow")
"""What decides which clusters a user keeps; the next score counts where the one before is equal."""


@attrs.frozen(eq=False)
class Interests:
    """Scores of users and clusters, of which all share one sparsity.

    Args:
        support: ``(users, clusters)`` number of distinct producers behind each entry.
        scores: ``(entries, 6)`` in the order of ``SCORES``.
        norms: ``(6, clusters)`` length of each column before users were cut to their best clusters.
    """

    support: sparse.csr_array
    scores: NDArray[np.float32]
    norms: NDArray[np.float32]

    def matrix(self, score: str = "log_favourite", *, by_cluster: bool = False) -> sparse.csr_array:
        """``(users, clusters)`` one score; ``by_cluster`` divides each column by its length over all users.

        Raises:
            ValueError: there is no such score.
        """
        if score not in SCORES:
            raise ValueError(f"expected a score of {', '.join(SCORES)}, got {score!r}")
        which, support = SCORES.index(score), self.support
        values = self.scores[:, which].astype(np.float32)
        if by_cluster:
            values = values * inverse(self.norms[which].astype(np.float64))[support.indices].astype(
                np.float32
            )
        matrix = sparse.csr_array(
            (values, support.indices.copy(), support.indptr.copy()), shape=support.shape
        )
        matrix.eliminate_zeros()
        return matrix


def interested_in(
    signals: Signals, known_for: sparse.csr_array, config: InterestConfig | None = None
) -> Interests:
    """What users care about, by the clusters of the producers that they follow or like.

    Args:
        known_for: ``(users, clusters)`` membership of producers.
    """
    settings = config or InterestConfig()
    follows, likes = signals.follows, signals.favourites
    logs = _with_data(likes, np.log10(1.0 + likes.data))
    weights = (
        follows,
        _normalised(follows),
        likes,
        _normalised(likes),
        logs,
        _normalised(logs),
    )
    touched = sparse.csr_array(follows + likes)
    touched = _with_data(touched, np.ones(touched.nnz))
    support = sparse.csr_array(touched @ _with_data(known_for, np.ones(known_for.nnz)))
    support = _with_data(support, np.where(support.data >= settings.min_producers, support.data, 0.0))
    support.eliminate_zeros()
    support.sort_indices()
    scores = np.stack([_values_at(support, matrix @ known_for) for matrix in weights], axis=1)
    norms = np.sqrt(
        np.stack([np.bincount(support.indices, column**2, support.shape[1]) for column in scores.T])
    )
    return _cut(support, scores, norms, settings.clusters)


def _cut(
    support: sparse.csr_array, scores: NDArray[np.float64], norms: NDArray[np.float64], clusters: int
) -> Interests:
    rows = row_of_entries(support)
    keys = [-scores[:, SCORES.index(name)] for name in ORDER]
    order = np.lexsort((support.indices, *reversed(keys), rows))
    kept = np.sort(order[rank_within(rows[order]) < clusters])
    starts = np.append(0, np.cumsum(np.bincount(rows[kept], minlength=support.shape[0])))
    best = sparse.csr_array((support.data[kept], support.indices[kept], starts), shape=support.shape)
    return Interests(best, scores[kept].astype(np.float32), norms.astype(np.float32))


def producer_vectors(
    audience: sparse.csr_array, interests: sparse.csr_array, config: ProducerConfig | None = None
) -> sparse.csr_array:
    """``(users, clusters)`` cosine between who follows (or likes) a producer and who cares about a cluster.

    Args:
        audience: ``(users, users)`` weights of follows or likes.
        interests: ``(users, clusters)`` a score of ``Interests``.
    """
    settings = config or ProducerConfig()
    consumers = np.bincount(audience.indices, minlength=audience.shape[1])
    enough = (consumers >= settings.min_consumers)[audience.indices]
    eligible = _with_data(audience, np.where(enough, audience.data, 0.0))
    eligible.eliminate_zeros()
    cosines = column_cosines(eligible, interests)
    cosines.data[cosines.data < settings.min_cosine] = 0.0
    cosines.eliminate_zeros()
    by_producer = top_per_row(cosines, settings.clusters)
    return sparse.csr_array(top_per_row(sparse.csr_array(by_producer.T), settings.producers).T)


def _with_data(matrix: sparse.csr_array, data: NDArray[np.float64]) -> sparse.csr_array:
    return sparse.csr_array((data, matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape)


def _normalised(matrix: sparse.csr_array) -> sparse.csr_array:
    norms = row_norms(sparse.csr_array(matrix.T))
    return _with_data(matrix, matrix.data * inverse(norms)[matrix.indices])


def _values_at(pattern: sparse.csr_array, matrix: sparse.csr_array) -> NDArray[np.float64]:
    """The entries of ``matrix`` where ``pattern`` has some, 0 where it has none itself."""
    columns = pattern.shape[1]
    values = sparse.csr_array(matrix)
    values.sort_indices()
    there = row_of_entries(values) * columns + values.indices
    wanted = row_of_entries(pattern) * columns + pattern.indices
    if not len(there):
        return np.zeros(len(wanted))
    at = np.minimum(np.searchsorted(there, wanted), len(there) - 1)
    return np.where(there[at] == wanted, values.data[at], 0.0)
