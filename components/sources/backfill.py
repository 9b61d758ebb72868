"""``Backfill``: older posts for a timeline that would be short."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np

from components.sources.answers import capped, posts_at
from components.stores.stores import Stores
from components.stores.types import Post, Viewer, setting
from components.units import HOUR_MS
from mixer import Candidates, CandidateSource
from mixer.params import Param

_LOOKED_AT = 1_000


@attrs.frozen
class Backfill(CandidateSource[Viewer, Post]):
    """The newest posts that are older than what the other sources look at, and that somebody engaged with.

    They belong behind everything else. The score is ``1 / (1 + age in hours)``.

    Args:
        stores: where posts are.
        cap: how many posts to answer with.
        older_h: posts of at most this age are for the other sources.
        max_age_h: of a post.
        engagements: before the request that make a post worth it.

    Source: home-mixer's backfill: at most 50 posts, behind the others; it asks a reverse-chronological service.
    """

    label: ClassVar[str] = "backfill"
    stores: Stores = attrs.field(repr=False)
    cap: int | Param[int] = 50
    older_h: float | Param[float] = 48.0
    max_age_h: float | Param[float] = 24.0 * 30
    engagements: int = 1

    def fetch(self, viewer: Viewer) -> Candidates[Post]:
        now_ms, posts = viewer.history.now_ms, self.stores.posts
        cap = capped(viewer, self.cap)
        begin, end = (now_ms - setting(viewer, age_h) * HOUR_MS for age_h in (self.max_age_h, self.older_h))
        rows = posts.made_between(begin, end)[::-1]
        found, count = [np.empty(0, np.int64)], 0
        for start in range(0, len(rows), _LOOKED_AT):
            if count >= cap:
                break
            part = rows[start : start + _LOOKED_AT]
            found.append(part[self.stores.engagements.reverse.degrees(part, now_ms) >= self.engagements])
            count += len(found[-1])
        chosen = np.concatenate(found)[:cap]
        age_h = (now_ms - posts.created_ms[chosen]) / HOUR_MS
        return posts_at(self.stores, chosen, 1.0 / (1.0 + age_h))
