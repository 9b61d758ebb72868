"""``NewAuthors``: exploration of authors whom few follow yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from attrs.validators import and_, ge, le

from components.sources.answers import best, posts_at
from components.stores.stores import Stores
from components.stores.types import Post, Viewer, setting
from components.units import HOUR_MS
from mixer import Candidates, CandidateSource
from mixer.params import Param

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen
class NewAuthors(CandidateSource[Viewer, Post]):
    """The newest post of each of some authors with few followers, drawn by the seed of the request.

    Every such author is equally likely to be drawn; the viewer and whom the viewer follows are not. At most
    ``share`` of ``slate`` posts come, so that exploring costs a bounded part of the timeline.

    Args:
        stores: where posts are.
        most_followers: of an author.
        slate: how many posts all sources together are to give.
        share: of the slate, from 0 to 1.
        max_age_h: of a post.
    """

    stores: Stores = attrs.field(repr=False)
    most_followers: int = 10
    slate: int | Param[int] = 1200
    share: float = attrs.field(default=0.05, validator=and_(ge(0.0), le(1.0)))
    max_age_h: float | Param[float] = 48.0

    def fetch(self, viewer: Viewer) -> Candidates[Post]:
        history, posts = viewer.history, self.stores.posts
        since_ms = history.now_ms - setting(viewer, self.max_age_h) * HOUR_MS
        posted, rows = posts.newest_between(since_ms, history.now_ms)
        newest = np.full(len(self.stores.users), -1, dtype=np.int64)
        newest[posted] = rows
        newest[history.follows] = -1
        if history.row >= 0:
            newest[history.row] = -1
        authors = np.flatnonzero(newest >= 0)
        count = viewer.request.scaled(int(setting(viewer, self.slate) * self.share))
        draws = 1.0 - viewer.request.rng(self.name).random(len(authors))
        chosen = self._first(authors, draws, count, history.now_ms)
        return posts_at(self.stores, newest[authors[chosen]], draws[chosen])

    def _first(
        self, authors: NDArray[np.int64], draws: NDArray[np.float64], count: int, now_ms: int
    ) -> NDArray[np.int64]:
        """Positions of the highest draws among authors with few followers, highest first."""
        # Followers are counted for the highest draws alone; most authors have few, so that suffices as a rule.
        for looked_at in (16 * count, len(authors)):
            order = highest_draws(draws, looked_at)
            followers = self.stores.follows.reverse.degrees(authors[order], now_ms)
            chosen = order[followers <= self.most_followers][:count]
            if len(chosen) == count:
                break
        return chosen


def highest_draws(draws: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """``best`` of numbers drawn evenly from 0 to 1: about the highest of them suffice as a rule."""
    high = np.flatnonzero(draws >= 1.0 - 2.0 * count / max(len(draws), 1))
    if len(high) < count:
        return best(draws, count)
    return high[best(draws[high], count)]
