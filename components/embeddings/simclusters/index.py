# pyright: reportOptionalSubscript=false, reportOperatorIssue=false, reportArgumentType=false
# scipy ships no types, and what pyright infers from its source is wrong in these places.
"""``PostClusters``: from clusters to their best posts, and nearest posts through them."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Literal

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from components.embeddings.simclusters.config import PostConfig
from components.embeddings.simclusters.model import SimClusters, take_rows
from components.embeddings.simclusters.posts import author_vectors, post_vectors, truncated
from components.embeddings.simclusters.similarity import row_norms
from components.graph.edges import rank_within, row_of_entries, top_per_row
from components.stores.graph import flattened
from components.stores.stores import Stores
from components.units import HOUR_MS

Scoring = Literal["cosine", "stored_cosine", "no_source_norm", "log_cosine", "dot"]
_SCORINGS = ("cosine", "stored_cosine", "no_source_norm", "log_cosine", "dot")
_NOTHING = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32))


@attrs.frozen(kw_only=True)
class SearchOptions:
    """How to look up posts.

    Source: simclusters-ann (2023, 2026): 50 clusters, 400 to 800 posts a cluster, age up to 24 h (2023) or 48 h
    (2026), at most 1,000 results. Thresholds used downstream: consumers 0.072, producers 0.7, posts 0.5.

    Args:
        clusters: strongest clusters of the source that are looked at.
        posts: best posts of each that are looked at.
        min_score: results below are left out.
        max_age_ms: of a post; None for any age.
        min_age_ms: of a post.
        scoring: ``cosine`` divides by the length of the source and of the post; ``stored_cosine`` (2026) takes the
            whole post where it is longer than what was visited; ``no_source_norm`` divides by that of the post; ``log_cosine`` by ``ln(1 + length)`` of the source and ``ln(1 + length squared)`` of the post;
            ``dot`` by nothing.
    """

    clusters: int = attrs.field(default=50, validator=attrs.validators.ge(1))
    posts: int = attrs.field(default=800, validator=attrs.validators.ge(1))
    min_score: float = 0.0
    max_age_ms: int | None = 48 * HOUR_MS
    min_age_ms: int = 0
    scoring: Scoring = attrs.field(default="cosine", validator=attrs.validators.in_(_SCORINGS))


@attrs.frozen(eq=False, slots=False)
class PostClusters:
    """The posts of each cluster, best first, as of one moment.

    The length of a post counts the clusters that a search visits alone, as published, so a post seen in one cluster
    scores that cluster's share of the source.

    Args:
        vectors: ``(posts, clusters)`` cut to the best clusters of each post.
        starts: ``(clusters + 1,)`` where the posts of each cluster begin.
        posts: ``(entries,)`` post rows.
        values: ``(entries,)`` descending within a cluster.
        created_ms: ``(posts,)``.
        at_ms: engagements before this moment are in here.
    """

    vectors: sparse.csr_array
    starts: NDArray[np.int64]
    posts: NDArray[np.int64]
    values: NDArray[np.float32]
    created_ms: NDArray[np.int64]
    at_ms: int

    @classmethod
    def of(
        cls, stores: Stores, model: SimClusters, at_ms: int, max_age_ms: int | None = 48 * HOUR_MS
    ) -> PostClusters:
        """The index of the posts made within ``max_age_ms`` before a moment; None for posts of any age."""
        config = model.config.posts
        since_ms = 0 if max_age_ms is None else max(at_ms - max_age_ms, 0)
        weights = take_users(stores, model)
        sums = post_vectors(stores, weights, config, at_ms, since_ms=since_ms)
        if config.author:
            sums = sums + author_vectors(stores, weights, config, at_ms, since_ms=since_ms)
        return cls.build(sums, stores.posts.created_ms, config, at_ms)

    @classmethod
    def build(
        cls, sums: sparse.csr_array, created_ms: NDArray[np.int64], config: PostConfig, at_ms: int
    ) -> PostClusters:
        """The index of ``(posts, clusters)`` sums, such as ``PostSums.as_of`` gives."""
        indexed = sparse.csr_array(sums.T)
        indexed.data[indexed.data < config.min_indexed] = 0.0
        indexed.eliminate_zeros()
        indexed.sort_indices()
        rows = row_of_entries(indexed)
        order = _descending_within(rows, indexed.data.astype(np.float32))
        order = order[rank_within(rows[order]) < config.posts]
        counts = np.bincount(rows[order], minlength=indexed.shape[0])
        return cls(
            truncated(sums, config),
            np.append(0, np.cumsum(counts)),
            indexed.indices[order].astype(np.int64),
            indexed.data[order].astype(np.float32),
            created_ms,
            at_ms,
        )

    @cached_property
    def lengths(self) -> NDArray[np.float64]:
        """``(posts,)`` Euclidean length of each post's vector."""
        return row_norms(self.vectors)

    @cached_property
    def _squares(self) -> NDArray[np.float64]:
        return self.lengths**2

    def top_posts(self, cluster: int, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows of the up to ``k`` best posts of a cluster, best first, and their values."""
        start, stop = int(self.starts[cluster]), int(self.starts[cluster + 1])
        return self.posts[start : min(stop, start + k)], self.values[start : min(stop, start + k)]

    def search(
        self,
        source: sparse.csr_array,
        k: int = 200,
        options: SearchOptions | None = None,
        *,
        at_ms: int | None = None,
        exclude: NDArray[np.integer] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The up to ``k`` nearest posts of one source, best first.

        Args:
            source: ``(1, clusters)`` of a user, author or post.
            at_ms: moment that ages of posts are counted from; that of the index if not given.
            exclude: post rows to leave out, such as the source itself.

        Returns:
            Rows of posts and their scores; equal scores in order of row.

        Raises:
            ValueError: the source is of another number of clusters.
        """
        chosen = options or SearchOptions()
        if source.shape != (1, len(self.starts) - 1):
            raise ValueError(f"source: expected shape (1, {len(self.starts) - 1}), got {source.shape}")
        best = top_per_row(source, chosen.clusters)
        starts = self.starts[best.indices]
        stops = np.minimum(self.starts[best.indices + 1], starts + chosen.posts)
        at, owner = flattened(starts, stops)
        at, owner = self._allowed(at, owner, chosen, self.at_ms if at_ms is None else at_ms, exclude)
        if not len(at):
            return _NOTHING
        found, local = _numbered(self.posts[at], len(self.created_ms))
        value = self.values[at].astype(np.float64)
        dot = np.bincount(local, best.data[owner] * value)
        squares = np.bincount(local, value * value)
        if chosen.scoring == "stored_cosine":
            squares = np.maximum(squares, self._squares[found])
        scores = _scored(dot, squares, float(np.linalg.norm(best.data)), chosen.scoring)
        return _best(found, scores, k, chosen.min_score)

    def _allowed(
        self,
        at: NDArray[np.int64],
        owner: NDArray[np.int64],
        options: SearchOptions,
        now_ms: int,
        exclude: NDArray[np.integer] | None,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        posts = self.posts[at]
        created = self.created_ms[posts]
        allowed = created <= now_ms - options.min_age_ms
        if options.max_age_ms is not None:
            allowed &= created >= now_ms - options.max_age_ms
        if exclude is not None and len(exclude):
            allowed &= ~np.isin(posts, exclude)
        return at[allowed], owner[allowed]


def take_users(stores: Stores, model: SimClusters) -> sparse.csr_array:
    """``(users of the stores, clusters)`` what an engagement adds; empty for users whom the model does not know."""
    if stores.users is model.users or np.array_equal(stores.users.ids, model.users.ids):
        return model.weights
    return take_rows(model.weights, model.users.rows_of(stores.users.ids))


def _descending_within(rows: NDArray[np.int64], values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Order by row, then from the largest value down, then as given; one sort where ``lexsort`` needs two."""
    # Positive floats compare as their bits do.
    bits = values.view(np.uint32).astype(np.int64)
    return np.argsort((rows << 32) | (0xFFFFFFFF - bits), kind="stable")


def _numbered(rows: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct rows, and for each row its position among them; without sorting, without clearing memory."""
    slot = np.empty(size, dtype=np.int32)
    slot[rows] = np.arange(len(rows), dtype=np.int32)
    distinct = rows[slot[rows] == np.arange(len(rows))]
    slot[distinct] = np.arange(len(distinct))
    return distinct, slot[rows].astype(np.int64)


def _scored(
    dot: NDArray[np.float64], squares: NDArray[np.float64], length: float, scoring: Scoring
) -> NDArray[np.float64]:
    if scoring in ("cosine", "stored_cosine"):
        return dot / (length * np.sqrt(squares))
    if scoring == "no_source_norm":
        return dot / np.sqrt(squares)
    if scoring == "log_cosine":
        return dot / (math.log1p(length) * np.log1p(squares))
    return dot


def _best(
    rows: NDArray[np.int64], scores: NDArray[np.float64], k: int, min_score: float
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    # Cosines of posts seen in one cluster are equal but for rounding; they must tie.
    rounded = scores.astype(np.float32)
    if k < len(rows):
        enough = max(float(np.partition(rounded, len(rows) - k)[len(rows) - k]), min_score)
    else:
        enough = min_score
    kept = np.flatnonzero(rounded >= np.float32(enough))
    order = kept[np.lexsort((rows[kept], -rounded[kept]))][:k]
    return rows[order], rounded[order]
