"""Sources of accounts by who pays attention to whom: who is followed most just now, and who follows the viewer."""

from __future__ import annotations

import attrs
import numpy as np

from components.sources.answers import best_accounts, capped
from components.stores.stores import Stores
from components.stores.tally import tally
from components.stores.types import Account, Viewer, setting
from components.units import HOUR_MS
from mixer import Candidates, CandidateSource
from mixer.params import Param


@attrs.frozen
class TrendingAccounts(CandidateSource[Viewer, Account]):
    """The accounts with most new followers in the window before the request, the same for every viewer."""

    label = "trending"
    stores: Stores = attrs.field(repr=False)
    cap: int | Param[int] = 100
    window_h: float | Param[float] = 24.0

    def fetch(self, viewer: Viewer) -> Candidates[Account]:
        now_ms, follows = viewer.history.now_ms, self.stores.follows
        since_ms = now_ms - int(setting(viewer, self.window_h) * HOUR_MS)
        rows, counts = tally(follows.ends_in_time[follows.span_between(since_ms, now_ms)])
        return best_accounts(self.stores, rows, counts, capped(viewer, self.cap))


@attrs.frozen
class Reciprocation(CandidateSource[Viewer, Account]):
    """Who follows the viewer, the latest first; whom the viewer follows back is left to the filters."""

    stores: Stores = attrs.field(repr=False)
    cap: int | Param[int] = 100

    def fetch(self, viewer: Viewer) -> Candidates[Account]:
        now_ms, followers = viewer.history.now_ms, self.stores.follows.reverse
        row = viewer.history.row
        # Undated follows count as equally old; the latest has the highest score, all are above 0.
        age_h = (now_ms - followers.times_of(row, now_ms)) / HOUR_MS
        rows = followers.of(row, now_ms)
        order = np.argsort(rows)
        scores = 1.0 / (1.0 + age_h[order])
        return best_accounts(self.stores, rows[order], scores, capped(viewer, self.cap))
