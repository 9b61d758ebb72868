"""``TopicPosts``: posts on the topics that a request names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from components.sources.answers import best_posts, capped
from components.stores.stores import Stores
from components.stores.types import Post, Viewer, setting
from components.units import HOUR_MS
from mixer import Candidates, CandidateSource
from mixer.params import Param

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEW_TOPICS = 6
"""More are a filter on what other sources find; source: For You 2026, topic requests of one to six topics."""


def asked_topics(viewer: Viewer) -> frozenset[int]:
    """The topics of a topic request; none where no topic is named, or more than six."""
    topics = viewer.controls.topics
    return topics if len(topics) <= FEW_TOPICS else frozenset()


@attrs.frozen
class TopicPosts(CandidateSource[Viewer, Post]):
    """The young posts on the topics asked for: those most engaged with in the window first, then the newest.

    A post's score is how often it was engaged with in the window, plus ``1 / (1 + age in hours)``. Neither replies
    nor reposts come, as in every published index; without one to six topics, nothing.

    Args:
        stores: where posts are.
        cap: how many posts to answer with.
        max_age_h: of a post.
        window_h: hours in which engagements count.

    Source: For You 2026: retrieval restricted to the topics asked for, 1,000 posts of 48 hours.
    """

    stores: Stores = attrs.field(repr=False)
    cap: int | Param[int] = 1_000
    max_age_h: float | Param[float] = 48.0
    window_h: float | Param[float] = 24.0

    def fetch(self, viewer: Viewer) -> Candidates[Post]:
        posts, now_ms = self.stores.posts, viewer.history.now_ms
        wanted = asked_topics(viewer)
        if not wanted:
            return Candidates.empty(Post)
        since_ms = now_ms - setting(viewer, self.max_age_h) * HOUR_MS
        rows = np.sort(posts.made_between(since_ms, now_ms))
        about = np.isin(posts.number("topic", -1)[rows], list(wanted))
        rows = rows[about & posts.threads.are_original(rows)]
        scores = self._engaged(viewer, rows) + 1.0 / (1.0 + (now_ms - posts.created_ms[rows]) / HOUR_MS)
        return best_posts(self.stores, rows, scores, capped(viewer, self.cap))

    def _engaged(self, viewer: Viewer, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        engagers, now_ms = self.stores.engagements.reverse, viewer.history.now_ms
        since_ms = now_ms - int(setting(viewer, self.window_h) * HOUR_MS)
        return engagers.degrees(rows, now_ms) - engagers.degrees(rows, since_ms)
