"""Posts whose topic or language talks about them more than before."""

from __future__ import annotations

import attrs
import numpy as np
from attrs.validators import gt, in_

from components.sources.answers import best_posts, capped
from components.stores.stores import Stores
from components.stores.types import Post, Viewer, setting
from components.units import HOUR_MS
from mixer import Candidates, CandidateSource
from mixer.params import Param

PRIOR_PER_H = 1.0
"""Engagements an hour that are added to both rates, so that few engagements make no trend."""


@attrs.frozen
class TrendingPosts(CandidateSource[Viewer, Post]):
    """Posts of the viewer's topics, or languages, that are engaged with faster than the group was before.

    A post's score is its rate in the latest ``window_h`` hours over the rate of an average post of its group in
    the ``before_h`` hours before: ``(recent / window_h + 1) / (earlier / before_h / posts + 1)``. The viewer's
    groups are those of what the viewer engaged with; somebody without any gets all of them.

    Args:
        stores: where posts are.
        by: ``topic`` or ``language``.
        cap: how many posts to answer with.
        max_age_h: of a post.
        window_h: what counts as now.
        before_h: what it is compared with.
    """

    stores: Stores = attrs.field(repr=False)
    by: str = attrs.field(default="topic", validator=in_(("topic", "language")))
    cap: int | Param[int] = 100
    max_age_h: float | Param[float] = 48.0
    window_h: float = attrs.field(default=6.0, validator=gt(0.0))
    before_h: float = attrs.field(default=24.0, validator=gt(0.0))

    @property
    def name(self) -> str:
        return f"trending_{self.by}"

    def fetch(self, viewer: Viewer) -> Candidates[Post]:
        history, posts = viewer.history, self.stores.posts
        group, now_ms = posts.code(self.by), history.now_ms
        since_ms = now_ms - int(self.window_h * HOUR_MS)
        rows, recent = np.unique(self._engaged(since_ms, now_ms), return_counts=True)
        age_ms = now_ms - posts.created_ms[rows]
        keep = (age_ms > 0) & (age_ms <= setting(viewer, self.max_age_h) * HOUR_MS) & (group[rows] > 0)
        wanted = np.zeros(posts.codes(self.by), dtype=np.bool_)
        wanted[group[history.engaged]] = True
        if wanted[1:].any():
            keep &= wanted[group[rows]]
        earlier = self._usual(since_ms)
        scores = (recent / self.window_h + PRIOR_PER_H) / (earlier[group[rows]] + PRIOR_PER_H)
        return best_posts(self.stores, rows[keep], scores[keep], capped(viewer, self.cap))

    def _engaged(self, from_ms: int, before_ms: int) -> np.ndarray:
        engagements = self.stores.engagements
        return engagements.ends_in_time[engagements.span_between(from_ms, before_ms)]

    def _usual(self, since_ms: int) -> np.ndarray:
        """Engagements an hour of an average post of each group before the window, among those engaged with."""
        engagements, posts = self.stores.engagements, self.stores.posts
        span = engagements.span_between(since_ms - int(self.before_h * HOUR_MS), since_ms)
        group, groups = posts.code(self.by)[engagements.ends_in_time[span]], posts.codes(self.by)
        first = engagements.before_in_time[span] < span.start  # of a post within the span
        counts = np.bincount(group, minlength=groups)
        return counts / np.maximum(np.bincount(group[first], minlength=groups), 1) / self.before_h
