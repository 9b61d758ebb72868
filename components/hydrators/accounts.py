"""What a ranker may know about a viewer and an account."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import numpy as np

from components.stores.graph import Graph
from components.stores.stores import Stores
from components.stores.tally import looked_up, tally
from components.stores.types import Account, Viewer, setting
from components.units import HOUR_MS
from mixer import Candidates, Hydrator
from mixer.hydrators import Columns
from mixer.params import Param


@attrs.frozen
class Connections(Hydrator[Viewer, Account]):
    """Whom the viewer follows and who follows the account; who follows whom altogether, and lately."""

    stores: Stores = attrs.field(repr=False)
    latest: int = 500
    window_h: float | Param[float] = 24.0
    reads: ClassVar[Any] = (Account.row,)
    writes: ClassVar[Any] = (
        Account.connectors,
        Account.followers,
        Account.new_followers,
        Account.followings,
        Account.follows_viewer,
    )

    def hydrate(self, viewer: Viewer, accounts: Candidates[Account]) -> Columns:
        rows, history, follows = accounts[Account.row], viewer.history, self.stores.follows
        at, _ = follows.expand(history.follows, before_ms=history.now_ms, latest=self.latest)
        fans = np.isin(rows, follows.reverse.of(history.row, history.now_ms))
        since_ms = history.now_ms - int(setting(viewer, self.window_h) * HOUR_MS)
        followers = follows.reverse.degrees(rows, history.now_ms)
        return {
            Account.connectors: looked_up(tally(follows.ends[at]), rows).astype(np.int32),
            Account.followers: followers.astype(np.float32),
            Account.new_followers: (followers - follows.reverse.degrees(rows, since_ms)).astype(np.float32),
            Account.followings: follows.degrees(rows, history.now_ms).astype(np.float32),
            Account.follows_viewer: fans.astype(np.float32),
        }


@attrs.frozen
class SharedInterests(Hydrator[Viewer, Account]):
    """How many things both the viewer and the account are interested in."""

    stores: Stores = attrs.field(repr=False)
    interests: Graph = attrs.field(repr=False)
    latest: int = 200
    reads: ClassVar[Any] = (Account.row,)
    writes: ClassVar[Any] = (Account.shared_interests,)

    def hydrate(self, viewer: Viewer, accounts: Candidates[Account]) -> Columns:
        now_ms, interested = viewer.history.now_ms, self.interests.reverse
        things = self.interests.of(viewer.history.row, now_ms)[-self.latest :]
        at, _ = interested.expand(things, before_ms=now_ms, latest=self.latest)
        shared = looked_up(tally(interested.ends[at]), accounts[Account.row])
        return {Account.shared_interests: shared.astype(np.int32)}
