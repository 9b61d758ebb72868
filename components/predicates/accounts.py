"""Which accounts are not worth recommending, and which may not be.

Source: the predicates of FRS, with their reasons and boundaries. Where upstream asks a service, we ask the stores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import attrs
import numpy as np
from numpy.typing import NDArray

from components.predicates.timeline import holdout_bucket
from components.stores.graph import Graph
from components.stores.labels import AccountLabel, bit_of
from components.stores.requests import PeopleRequest
from components.stores.stores import Stores, mask_of
from components.stores.types import Account, Viewer, setting
from components.units import DAY_MS
from mixer import CandidatePredicate, Candidates, OnError, Verdicts
from mixer.experiments import BUCKETS, bucket_of
from mixer.params import Param


@attrs.frozen
class NotExcluded(CandidatePredicate[Any, Account]):
    """Keeps accounts that are not the viewer, nor among the ids that the request excludes."""

    reason: ClassVar[str] = "excluded_id_from_request"

    def check(self, request: PeopleRequest, accounts: Candidates[Account]) -> Verdicts:
        wanted = ~_among(accounts.ids, request.excluded) & (accounts[Account.row] != request.history.row)
        return Verdicts.keep_where(wanted, self.reason)


@attrs.frozen
class NotRecommended(CandidatePredicate[Any, Account]):
    """Keeps accounts that the request does not name as recommended before."""

    reason: ClassVar[str] = "already_recommended"

    def check(self, request: PeopleRequest, accounts: Candidates[Account]) -> Verdicts:
        return Verdicts.keep_where(~_among(accounts.ids, request.recommended), self.reason)


@attrs.frozen
class NotAmong(CandidatePredicate[Any, Account]):
    """Keeps accounts that are not among some that were looked up for the request.

    Args:
        rows: their rows among users; None when they could not be looked up.
        reason: why an account goes.
        unknown: what becomes of all accounts in that case.
    """

    rows: Callable[[PeopleRequest], NDArray[np.integer] | None] = attrs.field(repr=False)
    reason: str
    unknown: OnError = OnError.KEEP

    @property
    def name(self) -> str:
        return f"not_{self.reason}"

    def check(self, request: PeopleRequest, accounts: Candidates[Account]) -> Verdicts:
        rows = self.rows(request)
        if rows is None:
            if self.unknown is OnError.KEEP:
                return Verdicts.keep_all(len(accounts))
            return Verdicts.drop_all(len(accounts), f"{self.reason}_unknown")
        marked = mask_of(rows, len(request.history.stores.users))
        return Verdicts.keep_where(~marked[accounts[Account.row]], self.reason)


@attrs.frozen
class ActedLately(CandidatePredicate[Viewer, Account]):
    """Keeps accounts that did something of a kind in the days before the request.

    Args:
        acts: users to what they did, each with its date.
        days: how far back that may be; exactly so long ago still counts.
        reason: why an account goes.

    Source: FRS drops accounts without a status of 60 days [1, 500] as inactive, and optionally near-zero users.
    """

    acts: tuple[Graph, ...] = attrs.field(repr=False)
    days: float | Param[float]
    reason: str

    @property
    def name(self) -> str:
        return f"not_{self.reason}"

    def check(self, viewer: Viewer, accounts: Candidates[Account]) -> Verdicts:
        now_ms, rows = viewer.request.now_ms, accounts[Account.row]
        since_ms = now_ms - int(setting(viewer, self.days) * DAY_MS)
        acted = np.zeros(len(rows), dtype=np.bool_)
        for graph in self.acts:
            acted |= graph.degrees(rows, now_ms) > graph.degrees(rows, since_ms)
        return Verdicts.keep_where(acted, self.reason)


LABELS: Mapping[str, AccountLabel] = {
    "deactivated": AccountLabel.DEACTIVATED,
    "erased": AccountLabel.ERASED,
    "offboarded": AccountLabel.OFFBOARDED,
    "suspended": AccountLabel.SUSPENDED,
    "restricted": AccountLabel.READ_ONLY,
    "nsfw_user": AccountLabel.NSFW_USER,
    "nsfw_admin": AccountLabel.NSFW_ADMIN,
    "protected": AccountLabel.PROTECTED,
    "takedown": AccountLabel.TAKEDOWN,
    "do_not_amplify": AccountLabel.DO_NOT_AMPLIFY,
}
"""Labels of accounts that are not recommended, by reason; blink-bad and blink-worst are ``do_not_amplify`` here."""


@attrs.frozen
class InGoodStanding(CandidatePredicate[Any, Account]):
    """Drops accounts that are gone, suspended, restricted, protected, not safe for work, or taken down.

    Source: FRS Gizmoduck predicate.
    """

    stores: Stores = attrs.field(repr=False)

    def check(self, viewer: Viewer, accounts: Candidates[Account]) -> Verdicts:
        labels = self.stores.labels
        if labels is None:
            return Verdicts.keep_all(len(accounts))
        bits = labels.accounts[accounts[Account.row]]
        return Verdicts.first_match({why: bits & bit_of(label) != 0 for why, label in LABELS.items()})


@attrs.frozen
class HeldBackSources(CandidatePredicate[Viewer, Account]):
    """Withholds, from a fixed share of viewers, what only some sources found, so that their effect can be measured.

    Args:
        sources: their names.
        percent: share of viewers, by hash of their id, to a hundredth of a percent.

    Source: FRS holdback of social sources; off by default, and asked last, so that nobody counts as held back who
    would have been dropped anyway.
    """

    sources: frozenset[str]
    percent: float | Param[float] = 0.0
    reason: ClassVar[str] = "candidate_side_holdback"

    def check(self, viewer: Viewer, accounts: Candidates[Account]) -> Verdicts:
        share, provenance = setting(viewer, self.percent) / 100.0, accounts.provenance
        if provenance is None or bucket_of("follow_recs", "sources", viewer.user_id) >= share * BUCKETS:
            return Verdicts.keep_all(len(accounts))
        rest = sum(1 << at for at, name in enumerate(provenance.names) if name not in self.sources)
        found = provenance.sources_of(accounts.handles)
        return Verdicts.keep_where(found & np.uint64(rest) != 0, self.reason)


@attrs.frozen
class HeldBackAccounts(CandidatePredicate[Viewer, Account]):
    """Withholds a fixed share of accounts from everybody, so that the effect of being recommended can be measured.

    Source: FRS producer holdback; off by default, and asked last.
    """

    percent: float | Param[float] = 0.0
    reason: ClassVar[str] = "producer_side_holdback"

    def check(self, viewer: Viewer, accounts: Candidates[Account]) -> Verdicts:
        buckets = holdout_bucket(accounts.ids, 0)
        return Verdicts.keep_where(buckets >= setting(viewer, self.percent), self.reason)


def _among(ids: NDArray[np.int64], some: frozenset[int]) -> NDArray[np.bool_]:
    if not some:
        return np.zeros(len(ids), dtype=np.bool_)
    possible = [one for one in some if -(2**63) <= one < 2**63]
    return np.isin(ids, np.array(possible, dtype=np.int64))
