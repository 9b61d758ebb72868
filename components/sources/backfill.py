"""``Backfill``: popular posts for a timeline that would be short."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np

from components.sources.answers import posts_at
from components.stores.stores import Stores
from components.stores.types import Post, Viewer, setting
from mixer import Candidates, CandidateSource
from mixer.component import MaybeAwaitable, resolved
from mixer.params import Param

HOUR_MS = 3_600_000


@attrs.frozen
class Backfill(CandidateSource[Viewer, Post]):
    """The newest of the posts with enough engagements, when another source finds fewer than a minimum.

    Best placed behind the other sources. The score is ``1 / (1 + age in hours)``.

    Args:
        stores: where posts are.
        found: what there is without it; it is asked again here, so a cached source serves best. None: always fill.
        minimum: posts that make help unnecessary.
        cap: how many posts to answer with.
        max_age_h: of a post.
        engagements: before the request that make a post popular.
    """

    stores: Stores = attrs.field(repr=False)
    found: Callable[[Viewer], MaybeAwaitable[Candidates[Post]]] | None = attrs.field(default=None, repr=False)
    minimum: int | Param[int] = 50
    cap: int | Param[int] = 50
    max_age_h: float | Param[float] = 24.0 * 30
    engagements: int = 1

    async def fetch(self, viewer: Viewer) -> Candidates[Post]:
        now_ms, posts = viewer.history.now_ms, self.stores.posts
        enough = self.found is not None and len(await resolved(self.found(viewer))) >= setting(
            viewer, self.minimum
        )
        age_h = (now_ms - posts.created_ms) / HOUR_MS
        rows = np.flatnonzero((age_h > 0) & (age_h <= setting(viewer, self.max_age_h)) & (not enough))
        rows = rows[self.stores.engagements.reverse.degrees(rows, now_ms) >= self.engagements]
        cap = viewer.request.scaled(setting(viewer, self.cap))
        rows = rows[np.argsort(age_h[rows], kind="stable")[:cap]]
        return posts_at(self.stores, rows, 1.0 / (1.0 + age_h[rows]))
