"""Accounts that somebody knows already, or that their language knows: contacts, visits, popular and chosen lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np

from components.sources.answers import capped, others, personal_row
from components.stores.graph import Graph
from components.stores.stores import Stores
from components.stores.tally import tally
from components.stores.types import Account, Viewer, setting
from components.units import DAY_MS
from mixer import Candidates, CandidateSource
from mixer.params import Param


@attrs.frozen
class PopularInLanguage(CandidateSource[Viewer, Account]):
    """The accounts that most people of the viewer's language follow; empty where that is unknown.

    Args:
        stores: where users are; their trait ``language`` says who is of a language.
        cap: how many accounts to answer with.

    Source: FRS popular accounts of a locale, 100 by score.
    """

    stores: Stores = attrs.field(repr=False)
    cap: int | Param[int] = 100
    _followers: dict[str, Graph] = attrs.field(init=False, factory=dict, repr=False, eq=False)

    def fetch(self, viewer: Viewer) -> Candidates[Account]:
        language = language_of(self.stores, viewer)
        if not language:
            return Candidates.empty(Account)
        # One more, for the viewer may be among them.
        rows, counts = self._of(language).most(capped(viewer, self.cap) + 1, viewer.history.now_ms)
        return others(self.stores, viewer, rows, counts, self.cap)

    def _of(self, language: str) -> Graph:
        """Users to their followers of a language; made once."""
        found = self._followers.get(language)
        if found is None:
            follows, spoken = self.stores.follows, self.stores.traits["language"] == language
            edges = np.flatnonzero(spoken[follows.sources])
            size = len(self.stores.users)
            ends, sources = follows.ends[edges], follows.sources[edges]
            found = Graph.build(ends, sources, follows.time_ms[edges], shape=(size, size))
            self._followers[language] = found
        return found


@attrs.frozen
class RepeatedVisits(CandidateSource[Viewer, Account]):
    """Whose profile the viewer visited again and again, by the number of visits.

    Args:
        stores: where users are.
        visits: users to users, an edge a visit, repeated.
        cap: how many accounts to answer with.
        least: visits from which an account counts.
        window_days: how far back visits count.

    Source: FRS RepeatedProfileVisits: at least 3 visits in 14 days.
    """

    stores: Stores = attrs.field(repr=False)
    visits: Graph = attrs.field(repr=False)
    cap: int | Param[int] = 100
    least: int | Param[int] = 3
    window_days: float = 14.0

    def fetch(self, viewer: Viewer) -> Candidates[Account]:
        row, now_ms = personal_row(viewer), viewer.history.now_ms
        times = self.visits.times_of(row, now_ms)
        old = np.searchsorted(times, now_ms - int(self.window_days * DAY_MS))
        visited = self.visits.of(row, now_ms)[old:]
        rows, counts = tally(visited)
        often = counts >= setting(viewer, self.least)
        return others(self.stores, viewer, rows[often], counts[often], self.cap)


@attrs.frozen
class ContactBook(CandidateSource[Viewer, Account]):
    """People in the viewer's uploaded contacts, or with the viewer in theirs; every score is 1.

    Contacts are hashes of addresses or numbers, numbered by whoever builds the graphs; nothing else is stored.

    Args:
        stores: where users are.
        uploaded: users to the contacts in their books.
        owned: users to the contacts under which they can be reached.
        reverse: False, who is in the viewer's book; True, in whose book the viewer is.
        cap: how many accounts to answer with; None: 1,000 forward, 500 in reverse.

    Source: FRS ForwardEmailBook and ForwardPhoneBook (1,000), ReverseEmailBook and ReversePhoneBook (500).
    """

    stores: Stores = attrs.field(repr=False)
    uploaded: Graph = attrs.field(repr=False)
    owned: Graph = attrs.field(repr=False)
    reverse: bool = False
    cap: int | Param[int] | None = None

    @property
    def name(self) -> str:
        return "reverse_contact_book" if self.reverse else "forward_contact_book"

    def fetch(self, viewer: Viewer) -> Candidates[Account]:
        row, now_ms = personal_row(viewer), viewer.history.now_ms
        mine, theirs = (self.owned, self.uploaded) if self.reverse else (self.uploaded, self.owned)
        at, _ = theirs.reverse.expand(mine.of(row, now_ms), before_ms=now_ms)
        rows = np.unique(theirs.reverse.ends[at])
        cap = (500 if self.reverse else 1000) if self.cap is None else self.cap
        return others(self.stores, viewer, rows, np.ones(len(rows)), cap)


@attrs.frozen
class CuratedAccounts(CandidateSource[Viewer, Account]):
    """A list of accounts chosen for the viewer's language, in its order; the list under ``""`` for everybody else.

    The score is ``1 / (1 + place)``; unknown ids and the viewer are left out.

    Args:
        stores: where users are.
        lists: user ids by language, best first.
        cap: how many accounts to answer with.

    Source: FRS CrowdSearchAccounts: lists by country, made ahead of time.
    """

    stores: Stores = attrs.field(repr=False)
    lists: Mapping[str, Sequence[int]] = attrs.field(repr=False)
    cap: int | Param[int] = 100

    def fetch(self, viewer: Viewer) -> Candidates[Account]:
        chosen = self.lists.get(language_of(self.stores, viewer), self.lists.get("", ()))
        rows = self.stores.users.rows_of(chosen)
        # An account that is listed twice stands at its first place.
        distinct, places = np.unique(rows, return_index=True)
        known = distinct >= 0
        scores = 1.0 / (1.0 + places[known])
        return others(self.stores, viewer, distinct[known], scores, self.cap)


def language_of(stores: Stores, viewer: Viewer) -> str:
    """The language of a viewer's account; empty if unknown."""
    languages = stores.traits.get("language")
    return "" if languages is None or viewer.history.row < 0 else str(languages[viewer.history.row])
