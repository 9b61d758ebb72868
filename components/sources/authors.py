"""``RecommendedAuthors``: posts of accounts that the viewer might follow."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np

from components.sources.accounts import FriendsOfFriends
from components.sources.answers import capped, posts_at
from components.stores.stores import Stores
from components.stores.types import Account, Post, Viewer, setting
from components.units import HOUR_MS
from mixer import Candidates, CandidateSource
from mixer.component import MaybeAwaitable, resolved
from mixer.params import Param

AUTHORS, CONNECTORS = 100, 1_000
"""Recommended accounts whose posts are looked at; followings that recommend them, as many as For You weighs."""


@attrs.frozen
class RecommendedAuthors(CandidateSource[Viewer, Post]):
    """The latest original posts of recommended accounts: neither replies nor reposts.

    The score is ``1 / (1 + place of the author)``; of one author the newest comes first.

    Args:
        stores: where posts are.
        recommend: accounts for a viewer, best first; such as a source's ``fetch`` or a flow.
        cap: how many posts to answer with.
        max_age_h: of a post.
        per_author: posts of one author.

    Source: For You's posts of recommended authors: 100 authors, originals only.
    """

    stores: Stores = attrs.field(repr=False)
    recommend: Callable[[Viewer], MaybeAwaitable[Candidates[Account]]] = attrs.field(repr=False)
    cap: int | Param[int] = 300
    max_age_h: float | Param[float] = 48.0
    per_author: int = 10

    async def fetch(self, viewer: Viewer) -> Candidates[Post]:
        history, by_author, threads = viewer.history, self.stores.posts.by_author, self.stores.posts.threads
        accounts = await resolved(self.recommend(viewer))
        authors = accounts[Account.row][:AUTHORS] if len(accounts) else np.empty(0, np.int64)
        at, place = by_author.expand(authors, before_ms=history.now_ms)
        at, place = at[::-1], place[::-1]
        rows = by_author.ends[at].astype(np.int64)
        young = history.now_ms - by_author.time_ms[at] <= setting(viewer, self.max_age_h) * HOUR_MS
        keep = young & threads.are_original(rows)
        rows, place = rows[keep], place[keep]
        order = np.argsort(place, kind="stable")
        rows, place = rows[order], place[order]
        nth = np.arange(len(place)) - np.searchsorted(place, place)
        few = np.flatnonzero(nth < self.per_author)[: capped(viewer, self.cap)]
        return posts_at(self.stores, rows[few], 1.0 / (1.0 + place[few]))


def followed_by_followed(stores: Stores) -> FriendsOfFriends:
    """Accounts for :class:`RecommendedAuthors` to look at, without a ranking: strangers whom the followed follow."""
    return FriendsOfFriends(stores, AUTHORS, connectors=CONNECTORS, strangers=True)
