# pyright: reportOptionalSubscript=false, reportOperatorIssue=false, reportArgumentType=false
# scipy ships no types, and what pyright infers from its source is wrong in these places.
"""Vectors of posts: decayed sums of what those who engaged with them are interested in."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from components.embeddings.simclusters.config import PostConfig
from components.embeddings.simclusters.interests import Interests
from components.graph.edges import top_per_row
from components.stores.stores import Stores
from components.units import HOUR_MS


def engagement_weights(interests: Interests, config: PostConfig) -> sparse.csr_array:
    """``(users, clusters)`` what one engagement of a user adds to a post."""
    gate, added = interests.matrix(config.gate), interests.matrix(config.score, by_cluster=True)
    passed = sparse.csr_array(gate >= config.min_gate) if config.min_gate else gate > 0
    return sparse.csr_array(added.multiply(passed), dtype=np.float64)


def post_vectors(
    stores: Stores,
    weights: sparse.csr_array,
    config: PostConfig,
    at_ms: int,
    *,
    since_ms: int = 0,
) -> sparse.csr_array:
    """``(posts, clusters)`` sums as of a moment, of the engagements strictly before it.

    Ignored are engagements of authors with their own posts and those with posts older than three days.

    Args:
        weights: from :func:`engagement_weights`.
        since_ms: leave out posts made before; they have no vector then.
    """
    graph = stores.engagements
    events = graph.between(since_ms, at_ms)
    users, posts, times = graph.sources[events], graph.ends[events], graph.time_ms[events]
    keep = counted(stores, users, posts, times, config) & (stores.posts.created_ms[posts] >= since_ms)
    users, posts, times = users[keep], posts[keep], times[keep]
    decay = 0.5 ** ((at_ms - times) / (config.half_life_h * HOUR_MS))
    shape = (len(stores.posts), len(stores.users))
    engaged = sparse.csr_array((decay, (posts, users)), shape=shape)
    return sparse.csr_array(engaged @ weights)


def author_vectors(
    stores: Stores, weights: sparse.csr_array, config: PostConfig, at_ms: int, *, since_ms: int = 0
) -> sparse.csr_array:
    """``(posts, clusters)`` what authors add to their posts, as if they had engaged with them when they posted."""
    created = stores.posts.created_ms
    posts = np.flatnonzero((created >= since_ms) & (created < at_ms))
    decay = config.author * 0.5 ** ((at_ms - created[posts]) / (config.half_life_h * HOUR_MS))
    shape = (len(stores.posts), len(stores.users))
    return sparse.csr_array(
        sparse.csr_array((decay, (posts, stores.posts.author[posts])), shape=shape) @ weights
    )


def counted(
    stores: Stores,
    users: NDArray[np.integer],
    posts: NDArray[np.integer],
    times: NDArray[np.int64],
    config: PostConfig,
) -> NDArray[np.bool_]:
    """``(n,)`` which engagements count for the vectors of posts."""
    age_ms = times - stores.posts.created_ms[posts]
    return (users != stores.posts.author[posts]) & (age_ms <= config.max_engagement_age_h * HOUR_MS)


def truncated(sums: sparse.csr_array, config: PostConfig) -> sparse.csr_array:
    """The best clusters of each post, of values from the least on."""
    kept = sums.copy()
    kept.data[kept.data < config.min_value] = 0.0
    kept.eliminate_zeros()
    crowded = np.diff(kept.indptr).max(initial=0) > config.clusters
    return top_per_row(kept, config.clusters) if crowded else kept


class PostSums:
    """Vectors of posts as a stream of engagements makes them; one add of 1 reads 0.5 a half-life later.

    Sums are kept as they would read at a fixed moment, so an engagement is one addition, in any order of time; the
    moment moves on before numbers grow large.

    Args:
        weights: ``(users, clusters)`` from :func:`engagement_weights`.
        posts: how many rows of posts there are.
        half_life_h: of an engagement.
    """

    _FAR = 200.0  # half-lives from the fixed moment; doubles hold five times as many
    _PENDING = 65_536

    def __init__(self, weights: sparse.csr_array, posts: int, half_life_h: float = 8.0) -> None:
        self._weights, self._half_life_ms = weights, half_life_h * HOUR_MS
        self._sums = sparse.csr_array((posts, weights.shape[1]), dtype=np.float64)
        self._recent: sparse.csr_array = self._sums
        self._landmark_ms: int | None = None

    def add(self, users: ArrayLike, posts: ArrayLike, times_ms: ArrayLike) -> None:
        """Takes in ``(n,)`` engagements, all of which count."""
        user, post = np.asarray(users, dtype=np.int64), np.asarray(posts, dtype=np.int64)
        times = np.asarray(times_ms, dtype=np.int64)
        if not len(times):
            return
        self._move_landmark(int(times.max()))
        grown = 2.0 ** ((times - (self._landmark_ms or 0)) / self._half_life_ms)
        engaged = sparse.csr_array((grown, (post, user)), shape=(self._sums.shape[0], self._weights.shape[0]))
        self._recent = sparse.csr_array(self._recent + engaged @ self._weights)
        # Adding small batches to a large sum each time would cost its whole size each time.
        if self._recent.nnz > max(self._PENDING, self._sums.nnz // 4):
            self._merge()

    def as_of(self, at_ms: int) -> sparse.csr_array:
        """``(posts, clusters)`` sums as they read at a moment, which no engagement taken in may follow."""
        self._merge()
        return self._sums * 0.5 ** ((at_ms - (self._landmark_ms or 0)) / self._half_life_ms)

    def _move_landmark(self, latest_ms: int) -> None:
        if self._landmark_ms is None:
            self._landmark_ms = latest_ms
        passed = (latest_ms - self._landmark_ms) / self._half_life_ms
        if passed > self._FAR:
            self._merge()
            self._sums = self._sums * 0.5**passed
            self._sums.eliminate_zeros()
            self._landmark_ms = latest_ms

    def _merge(self) -> None:
        self._sums = sparse.csr_array(self._sums + self._recent)
        self._recent = sparse.csr_array(self._sums.shape, dtype=np.float64)
