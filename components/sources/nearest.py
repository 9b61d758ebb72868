"""Sources of posts by learned similarity: vectors of any encoder, and communities of SimClusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from components.sources.answers import best_posts, capped, posts_at
from components.sources.topics import asked_topics
from components.stores.stores import Stores
from components.stores.types import Post, Viewer, setting
from components.stores.vectors import RecentVectors
from components.units import HOUR_MS
from mixer import Candidates, CandidateSource
from mixer.params import Param

if TYPE_CHECKING:
    from components.embeddings.simclusters.search import SimClustersSearch


@attrs.frozen
class NearestPosts(CandidateSource[Viewer, Post]):
    """The young posts whose vectors have the largest inner product with the viewer's; search is exact.

    A request that names one to six topics gets posts on them alone.

    Args:
        vectors: of viewers and posts; the source bears the name of their encoder.
        cap: how many posts to answer with.

    Source: For You 2026 asks its two-tower index for 1,000 posts of 48 hours.
    """

    vectors: RecentVectors = attrs.field(repr=False)
    cap: int | Param[int] = 300

    @property
    def name(self) -> str:
        return self.vectors.encoder.name

    def fetch(self, viewer: Viewer) -> Candidates[Post]:
        stores, wanted = self.vectors.stores, self.vectors.wanted(viewer)
        if not wanted.any():
            return Candidates.empty(Post)
        kept, fresh = self.vectors.young(viewer)
        rows = np.concatenate([kept.rows, fresh.rows])
        scores = np.concatenate([kept.vectors @ wanted, fresh.vectors @ wanted])
        since_ms = viewer.history.now_ms - setting(viewer, self.vectors.max_age_h) * HOUR_MS
        scores[stores.posts.created_ms[rows] < since_ms] = -1.0
        if topics := asked_topics(viewer):
            scores[~np.isin(stores.posts.number("topic", -1)[rows], list(topics))] = -1.0
        return best_posts(stores, rows, scores, capped(viewer, self.cap))


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
        cap = capped(viewer, self.cap)
        if not viewer.controls.personalised or cap < 1:
            return Candidates.empty(Post)
        age_ms = int(setting(viewer, self.max_age_h) * HOUR_MS)
        rows, scores = self.search.nearest_posts(
            np.array([viewer.user_id]), viewer.history.now_ms, cap, max_age_ms=age_ms
        )[0]
        return posts_at(self.stores, rows, scores)
