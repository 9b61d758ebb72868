"""What every recommender has to beat: the newest, anything at random, and - where truth is known - the best there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from components.sources.answers import best_accounts, best_posts, posts_at
from components.stores.stores import Stores
from components.stores.types import Account, Post, Viewer, setting
from components.units import HOUR_MS
from mixer import Candidates, CandidateSource
from mixer.params import Param

Worth = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
"""``(viewer ids, post ids)`` to how good it would be to show each to each."""


@attrs.frozen
class NewestPosts(CandidateSource[Viewer, Post]):
    """The latest posts of everybody, the same for every viewer."""

    stores: Stores = attrs.field(repr=False)
    cap: int | Param[int] = 300
    max_age_h: float | Param[float] = 48.0

    def fetch(self, viewer: Viewer) -> Candidates[Post]:
        rows = young_posts(self.stores, viewer, setting(viewer, self.max_age_h))
        times = self.stores.posts.created_ms[rows]
        chosen = np.argsort(-times, kind="stable")[: setting(viewer, self.cap)]
        return posts_at(self.stores, rows[chosen], times[chosen] / viewer.history.now_ms)


@attrs.frozen
class RandomPosts(CandidateSource[Viewer, Post]):
    """Posts within the age limit, in an order drawn from the seed of the request."""

    stores: Stores = attrs.field(repr=False)
    cap: int | Param[int] = 300
    max_age_h: float | Param[float] = 48.0

    def fetch(self, viewer: Viewer) -> Candidates[Post]:
        rows = young_posts(self.stores, viewer, setting(viewer, self.max_age_h))
        scores = 1.0 - viewer.request.rng(self.name).random(len(rows))
        return best_posts(self.stores, rows, scores, setting(viewer, self.cap))


@attrs.frozen
class BestPosts(CandidateSource[Viewer, Post]):
    """What somebody would show who knew the truth: the ceiling of every metric that is judged by it."""

    stores: Stores = attrs.field(repr=False)
    worth: Worth = attrs.field(repr=False)
    cap: int | Param[int] = 300
    max_age_h: float | Param[float] = 48.0

    def fetch(self, viewer: Viewer) -> Candidates[Post]:
        rows = young_posts(self.stores, viewer, setting(viewer, self.max_age_h))
        scores = self.worth(np.full(len(rows), viewer.user_id), self.stores.posts.index.ids[rows])
        return best_posts(self.stores, rows, scores, setting(viewer, self.cap))


@attrs.frozen
class RandomAccounts(CandidateSource[Viewer, Account]):
    """Anybody, in an order drawn from the seed of the request."""

    stores: Stores = attrs.field(repr=False)
    cap: int | Param[int] = 300

    def fetch(self, viewer: Viewer) -> Candidates[Account]:
        scores = 1.0 - viewer.request.rng(self.name).random(len(self.stores.users))
        return best_accounts(self.stores, np.arange(len(scores)), scores, setting(viewer, self.cap))


@attrs.frozen
class NewestAccounts(CandidateSource[Viewer, Account]):
    """The accounts that somebody followed last."""

    stores: Stores = attrs.field(repr=False)
    cap: int | Param[int] = 300

    def fetch(self, viewer: Viewer) -> Candidates[Account]:
        followers, now_ms = self.stores.follows.reverse, viewer.history.now_ms
        everybody = np.arange(len(followers))
        stops = followers.stops(everybody, now_ms)
        any_yet = stops > followers.starts[:-1]
        last = np.zeros(len(followers))
        last[any_yet] = followers.time_ms[stops[any_yet] - 1] + 1.0
        return best_accounts(self.stores, everybody, last / max(now_ms, 1), setting(viewer, self.cap))


def young_posts(stores: Stores, viewer: Viewer, max_age_h: float) -> NDArray[np.int64]:
    """Rows of the posts that exist at the time of the request and are within an age limit."""
    now_ms = viewer.history.now_ms
    created: NDArray[Any] = stores.posts.created_ms
    return np.flatnonzero((created < now_ms) & (created >= now_ms - max_age_h * HOUR_MS))
