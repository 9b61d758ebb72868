"""Sources of posts: from whom the viewer follows, from whom the viewer agrees with, from everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from components.sources.answers import best, best_posts, capped, posts_at
from components.sources.moving_counts import MovingCounts
from components.stores.stores import Stores
from components.stores.tally import tally
from components.stores.types import Post, Viewer, setting
from components.units import HOUR_MS
from mixer import Candidates, CandidateSource
from mixer.params import Param

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@attrs.frozen
class InNetwork(CandidateSource[Viewer, Post]):
    """Recent posts of those whom the viewer follows, newest first.

    The score is ``1 / (1 + age in hours)``.

    Source: x-algorithm Thunder: newest first, at most 50 posts an author.
    """

    stores: Stores = attrs.field(repr=False)
    cap: int | Param[int] = 1200
    max_age_h: float | Param[float] = 48.0
    per_author: int = 50

    def fetch(self, viewer: Viewer) -> Candidates[Post]:
        history, by_author = viewer.history, self.stores.posts.by_author
        at, _ = by_author.expand(history.follows, before_ms=history.now_ms, latest=self.per_author)
        age_h = (history.now_ms - by_author.time_ms[at]) / HOUR_MS
        young = age_h <= setting(viewer, self.max_age_h)
        at, age_h = at[young], age_h[young]
        newest = np.argsort(age_h, kind="stable")[: capped(viewer, self.cap)]
        return posts_at(self.stores, by_author.ends[at[newest]], 1.0 / (1.0 + age_h[newest]))


@attrs.frozen
class CoEngagement(CandidateSource[Viewer, Post]):
    """What those engaged with who engaged with what the viewer engaged with.

    The viewer's latest posts are the seeds. A user who engaged with a seed of ``d`` engagements gains
    ``1 / ln(2 + d)``, so agreement on a niche post counts more. The most similar users then vote for their latest
    posts with their similarity divided by the root of how much they engage.

    Source: the two-step walk of the user-tweet graph with its logarithmic damping, in its consumer-based variant.
    """

    stores: Stores = attrs.field(repr=False)
    cap: int | Param[int] = 300
    max_age_h: float | Param[float] = 48.0
    seeds: int = 100
    neighbours: int = 200

    def fetch(self, viewer: Viewer) -> Candidates[Post]:
        history, engagements = viewer.history, self.stores.engagements
        users, similarity = self._neighbours(viewer)
        at, voter = engagements.expand(users, before_ms=history.now_ms, latest=self.seeds)
        weights = similarity / np.sqrt(np.maximum(engagements.degrees(users, history.now_ms), 1))
        rows, votes = tally(engagements.ends[at], weights[voter])
        keep = young(self.stores, viewer, self.max_age_h)(rows) & ~np.isin(rows, history.engaged)
        return best_posts(self.stores, rows[keep], votes[keep], capped(viewer, self.cap))

    def _neighbours(self, viewer: Viewer) -> tuple[NDArray[np.integer], NDArray[Any]]:
        history, engagers = viewer.history, self.stores.engagements.reverse
        seeds = history.engaged[-self.seeds :]
        at, seed = engagers.expand(seeds, before_ms=history.now_ms, latest=self.seeds)
        damping = 1.0 / np.log(2.0 + engagers.degrees(seeds, history.now_ms))
        users, similarity = tally(engagers.ends[at], damping[seed])
        similarity[users == history.row] = 0.0
        nearest = best(similarity, self.neighbours)
        return users[nearest], similarity[nearest]


@attrs.frozen
class PopularPosts(CandidateSource[Viewer, Post]):
    """The posts with most engagements in the window before the request, the same for every viewer."""

    label = "popular"
    stores: Stores = attrs.field(repr=False)
    cap: int | Param[int] = 300
    max_age_h: float | Param[float] = 48.0
    window_h: float | Param[float] = 24.0
    _counts: MovingCounts = attrs.field(
        init=False,
        default=attrs.Factory(lambda self: MovingCounts(self.stores.engagements), takes_self=True),
        repr=False,
        eq=False,
    )

    def fetch(self, viewer: Viewer) -> Candidates[Post]:
        now_ms, cap = viewer.history.now_ms, capped(viewer, self.cap)
        since_ms = now_ms - int(setting(viewer, self.window_h) * HOUR_MS)
        rows, counts = self._counts.most(since_ms, now_ms, cap, young(self.stores, viewer, self.max_age_h))
        return posts_at(self.stores, rows, counts)


def young(
    stores: Stores, viewer: Viewer, max_age_h: float | Param[float]
) -> Callable[[NDArray[np.integer]], NDArray[np.bool_]]:
    """Says of posts, by row, which exist at the time of the request and are within an age limit."""
    now_ms, limit_ms = viewer.history.now_ms, setting(viewer, max_age_h) * HOUR_MS

    def are_young(rows: NDArray[np.integer]) -> NDArray[np.bool_]:
        age_ms = now_ms - stores.posts.created_ms[rows]
        return (age_ms > 0) & (age_ms <= limit_ms)

    return are_young
