# pyright: reportOptionalSubscript=false, reportOperatorIssue=false, reportArgumentType=false
# scipy ships no types, and what pyright infers from its source is wrong in these places.
"""``SimClustersSearch``: nearest posts for users, authors and posts, at any moment; and vectors for other sources."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from components.embeddings.simclusters.index import PostClusters, SearchOptions
from components.embeddings.simclusters.model import SimClusters, row_cosines, take_rows, unit_rows
from components.stores.stores import Stores
from components.units import HOUR_MS


class SimClustersSearch:
    """Answers from an index a bucket of time, made when first asked for.

    A request is answered as of the beginning of its bucket, so never from its future; the posts of the bucket itself
    come with the next.

    Args:
        model: what was learnt.
        stores: posts and engagements.
        max_age_ms: of posts in the index; None for any age.
        bucket_ms: 0 makes an index a moment.
        buckets: how many indexes are kept, the latest used.
    """

    def __init__(
        self,
        model: SimClusters,
        stores: Stores,
        *,
        max_age_ms: int | None = 48 * HOUR_MS,
        bucket_ms: int = HOUR_MS,
        buckets: int = 4,
    ) -> None:
        if bucket_ms < 0 or buckets < 1:
            raise ValueError(f"expected bucket_ms >= 0 and buckets >= 1, got {bucket_ms} and {buckets}")
        self.model, self.stores = model, stores
        self._max_age_ms, self._bucket_ms, self._buckets = max_age_ms, bucket_ms, buckets
        self._made: OrderedDict[int, PostClusters] = OrderedDict()
        self._lock = Lock()

    def index(self, at_ms: int) -> PostClusters:
        """The index that answers requests at a moment."""
        moment = at_ms - at_ms % self._bucket_ms if self._bucket_ms else at_ms
        # Waiting threads want the index that is being made; made twice, it would only take longer.
        with self._lock:
            found = self._made.get(moment)
            if found is None:
                found = PostClusters.of(self.stores, self.model, moment, self._max_age_ms)
                self._made[moment] = found
            self._made.move_to_end(moment)
            while len(self._made) > self._buckets:
                self._made.popitem(last=False)
            return found

    def nearest_posts(
        self,
        users: ArrayLike | sparse.csr_array,
        at_ms: int,
        k: int = 200,
        options: SearchOptions | None = None,
        *,
        max_age_ms: int | None = None,
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """For each user the rows of the nearest posts, best first, and their scores.

        Args:
            users: ``(n,)`` ids, or ``(n, clusters)`` vectors.
            max_age_ms: in place of that of ``options``.
        """
        chosen = options or SearchOptions(max_age_ms=self._max_age_ms)
        if max_age_ms is not None:
            chosen = attrs.evolve(chosen, max_age_ms=max_age_ms)
        sources = users if isinstance(users, sparse.csr_array) else self.model.consumers(users)
        index = self.index(at_ms)
        return [
            index.search(_row(sources, position), k, chosen, at_ms=at_ms)
            for position in range(sources.shape[0])
        ]

    def similar_posts(
        self, post_row: int, at_ms: int, k: int = 200, options: SearchOptions | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows of the posts nearest to one post, itself left out, and their scores."""
        index = self.index(at_ms)
        source = take_rows(index.vectors, np.array([post_row]))
        chosen = options or SearchOptions(max_age_ms=self._max_age_ms)
        return index.search(source, k, chosen, at_ms=at_ms, exclude=np.array([post_row]))

    def cosines(self, user_id: int, post_rows: NDArray[np.int64], at_ms: int) -> NDArray[np.float32]:
        """``(n,)`` of a user's interests and of posts; NaN where one has no vector."""
        index, wanted = self.index(at_ms), self.model.consumers([user_id])
        products = index.vectors[post_rows] @ wanted.toarray()[0]
        lengths = index.lengths[post_rows] * np.linalg.norm(wanted.data)
        cosines = np.full(len(lengths), np.nan, dtype=np.float32)
        return np.divide(products, lengths, out=cosines, where=lengths > 0, casting="same_kind")

    def post_similarity(self, first: ArrayLike, second: ArrayLike, at_ms: int) -> NDArray[np.float64]:
        """``(n,)`` cosine of pairs of post rows; 0 where one has no vector."""
        vectors = self.index(at_ms).vectors
        ends = (take_rows(vectors, np.asarray(rows, dtype=np.int64)) for rows in (first, second))
        return row_cosines(*ends)


def _row(matrix: sparse.csr_array, row: int) -> sparse.csr_array:
    span = slice(matrix.indptr[row], matrix.indptr[row + 1])
    parts = (matrix.data[span], matrix.indices[span], np.array([0, span.stop - span.start]))
    return sparse.csr_array(parts, shape=(1, matrix.shape[1]))


@attrs.frozen(eq=False)
class SimClustersEncoder:
    """The same vectors, dense and of length 1, for indexes that want them; wide with many clusters."""

    search: SimClustersSearch
    name: str = "simclusters"

    @property
    def dimensions(self) -> int:
        """One a cluster."""
        return self.search.model.clusters

    def user_vectors(self, user_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """``(n, d)``; zeros for unknown users."""
        return unit_rows(self.search.model.consumers(user_ids)).toarray().astype(np.float32)

    def post_vectors(self, post_rows: NDArray[np.int64], at_ms: int) -> NDArray[np.float32]:
        """``(n, d)`` of engagements strictly before a moment; zeros where there were none."""
        return unit_rows(take_rows(self.search.index(at_ms).vectors, post_rows)).toarray().astype(np.float32)
