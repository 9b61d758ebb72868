"""Sources of posts by learned similarity: vectors of any encoder, and communities of SimClusters."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import attrs
import numpy as np

from components.sources.answers import best, posts_at
from components.stores.stores import Stores
from components.stores.types import Post, Viewer, setting
from mixer import Candidates, CandidateSource
from mixer.params import Param

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from components.embeddings.simclusters.search import SimClustersSearch

HOUR_MS = 3_600_000


class Encoder(Protocol):
    """Users and posts in one space; zeros are unknown, and nothing from ``at_ms`` on is looked at."""

    name: str

    def user_vectors(self, user_ids: NDArray[np.int64]) -> NDArray[np.float32]: ...

    def post_vectors(self, post_rows: NDArray[np.int64], at_ms: int) -> NDArray[np.float32]: ...


@attrs.frozen(eq=False)
class _Shelf:
    """Vectors of the posts that were young at a moment."""

    rows: NDArray[np.int64]
    vectors: NDArray[np.float32]


class NearestPosts(CandidateSource[Viewer, Post]):
    """The young posts whose vectors have the largest inner product with the viewer's.

    The vectors of all young posts are made once an hour; those of posts that came since, at the request. So a post
    is found from the moment it exists, and no request looks into its future. Search is exact.

    Args:
        stores: where posts are.
        encoder: makes the vectors; the source bears its name.
        cap: how many posts to answer with.
        max_age_h: of a post.
        kept: how many hours' vectors are kept, the latest used.

    Source: For You 2026 asks its two-tower index for 1,000 posts of 48 hours.
    """

    def __init__(
        self,
        stores: Stores,
        encoder: Encoder,
        cap: int | Param[int] = 300,
        max_age_h: float | Param[float] = 48.0,
        kept: int = 4,
    ) -> None:
        self.stores = stores
        self.encoder = encoder
        self.cap = cap
        self.max_age_h = max_age_h
        self.kept = kept
        self._shelves: OrderedDict[tuple[int, float], _Shelf] = OrderedDict()
        self._lock = Lock()

    @property
    def name(self) -> str:
        return self.encoder.name

    def fetch(self, viewer: Viewer) -> Candidates[Post]:
        now_ms, max_age_h = viewer.history.now_ms, float(setting(viewer, self.max_age_h))
        wanted = self.encoder.user_vectors(np.array([viewer.user_id]))[0]
        if not viewer.controls.personalised or not wanted.any():
            return posts_at(self.stores, np.empty(0, np.int64), np.empty(0))
        hour = now_ms - now_ms % HOUR_MS
        shelf, fresh = self._shelf(hour, max_age_h), self._made(hour, now_ms, now_ms)
        rows = np.concatenate([shelf.rows, fresh.rows])
        scores = np.concatenate([shelf.vectors @ wanted, fresh.vectors @ wanted])
        scores[self.stores.posts.created_ms[rows] < now_ms - max_age_h * HOUR_MS] = -1.0
        chosen = best(scores, viewer.request.scaled(setting(viewer, self.cap)))
        return posts_at(self.stores, rows[chosen], scores[chosen])

    def _shelf(self, hour_ms: int, max_age_h: float) -> _Shelf:
        # Waiting requests want the vectors that are being made; made twice, they would only take longer.
        with self._lock:
            key = hour_ms, max_age_h
            if key not in self._shelves:
                self._shelves[key] = self._made(hour_ms - int(max_age_h * HOUR_MS), hour_ms, hour_ms)
            self._shelves.move_to_end(key)
            while len(self._shelves) > self.kept:
                self._shelves.popitem(last=False)
            return self._shelves[key]

    def _made(self, begin_ms: int, end_ms: int, at_ms: int) -> _Shelf:
        created = self.stores.posts.created_ms
        rows = np.flatnonzero((created >= begin_ms) & (created < end_ms))
        vectors = self.encoder.post_vectors(rows, at_ms)
        known = vectors.any(axis=1)
        return _Shelf(rows[known], np.ascontiguousarray(vectors[known]))


@attrs.frozen
class SimClustersPosts(CandidateSource[Viewer, Post]):
    """Posts that people engage with who are interested in the viewer's communities.

    Source: the SimClusters ANN of For You: cosine of the viewer's InterestedIn with posts' decayed clusters.
    """

    label = "simclusters"
    stores: Stores = attrs.field(repr=False)
    search: SimClustersSearch = attrs.field(repr=False)
    cap: int | Param[int] = 300
    max_age_h: float | Param[float] = 48.0

    def fetch(self, viewer: Viewer) -> Candidates[Post]:
        cap = viewer.request.scaled(setting(viewer, self.cap))
        if not viewer.controls.personalised or cap < 1:
            return posts_at(self.stores, np.empty(0, np.int64), np.empty(0))
        age_ms = int(setting(viewer, self.max_age_h) * HOUR_MS)
        rows, scores = self.search.nearest_posts(
            np.array([viewer.user_id]), viewer.history.now_ms, cap, max_age_ms=age_ms
        )[0]
        return posts_at(self.stores, rows, scores)
