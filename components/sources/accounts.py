"""Sources of accounts: over people, over interests, and from everybody."""

from __future__ import annotations

import attrs
import numpy as np

from components.sources.answers import best_accounts, capped, others, without
from components.stores.graph import Graph
from components.stores.stores import Stores
from components.stores.tally import tally
from components.stores.types import Account, Viewer
from mixer import Candidates, CandidateSource
from mixer.params import Param


@attrs.frozen
class FriendsOfFriends(CandidateSource[Viewer, Account]):
    """Whom those follow whom the viewer follows: each connector of ``d`` followings adds ``1 / ln(2 + d)``.

    Args:
        stores: where users are.
        cap: how many accounts to answer with.
        latest: how many followings of each connector are looked at.
        connectors: how many of those whom the viewer follows are looked at, the latest.
        strangers: leave out whom the viewer follows.

    Source: FRS follows of recent follows, ranked by connectors; damped as in Adamic and Adar (2003).
    """

    stores: Stores = attrs.field(repr=False)
    cap: int | Param[int] = 300
    latest: int = 500
    connectors: int | None = None
    strangers: bool = False

    def fetch(self, viewer: Viewer) -> Candidates[Account]:
        history, follows = viewer.history, self.stores.follows
        known = history.follows[-(self.connectors or len(history.follows)) :]
        at, connector = follows.expand(known, before_ms=history.now_ms, latest=self.latest)
        damping = 1.0 / np.log(2.0 + follows.degrees(known, history.now_ms))
        rows, scores = tally(follows.ends[at], damping[connector])
        if self.strangers:
            rows, scores = without(rows, scores, history.follows)
        return others(self.stores, viewer, rows, scores, self.cap)


@attrs.frozen
class MutualInterest(CandidateSource[Viewer, Account]):
    """Who is interested in the same things: a thing of ``d`` interested users adds ``1 / ln(2 + d)``.

    Args:
        stores: where users are.
        interests: users to things: posts they engaged with, or accounts they follow.
        cap: how many accounts to answer with.
        latest: how many interests of the viewer, and users of each, are looked at.
    """

    stores: Stores = attrs.field(repr=False)
    interests: Graph = attrs.field(repr=False)
    cap: int | Param[int] = 300
    latest: int = 200

    def fetch(self, viewer: Viewer) -> Candidates[Account]:
        now_ms, interested = viewer.history.now_ms, self.interests.reverse
        things = self.interests.of(viewer.history.row, now_ms)[-self.latest :]
        at, thing = interested.expand(things, before_ms=now_ms, latest=self.latest)
        damping = 1.0 / np.log(2.0 + interested.degrees(things, now_ms))
        rows, scores = tally(interested.ends[at], damping[thing])
        return others(self.stores, viewer, rows, scores, self.cap)


@attrs.frozen
class PopularAccounts(CandidateSource[Viewer, Account]):
    """The accounts with most followers, the same for every viewer."""

    label = "popular"
    stores: Stores = attrs.field(repr=False)
    cap: int | Param[int] = 100

    def fetch(self, viewer: Viewer) -> Candidates[Account]:
        cap, followers = capped(viewer, self.cap), self.stores.follows.reverse
        return best_accounts(self.stores, *followers.most(cap, viewer.history.now_ms), cap)
