"""What an operator lists: accounts and links to leave out, accounts whose answers are support, posts withheld by law.

Lists are parameters and empty unless told, so that nothing is judged by them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np

from components.predicates.timeline import in_network
from components.stores.stores import Stores
from components.stores.types import Post, Viewer, setting
from mixer import CandidatePredicate, Candidates, Verdicts
from mixer.params import Param

if TYPE_CHECKING:
    from numpy.typing import NDArray

Ids = tuple[int, ...] | Param[tuple[int, ...]]
Texts = tuple[str, ...] | Param[tuple[str, ...]]


@attrs.frozen
class NotCompeting(CandidatePredicate[Viewer, Post]):
    """Drops what people out of network post, reposts apart, if it is by a listed author or links to a listed host.

    A host stands for its subdomains, too.

    Args:
        stores: where posts are.
        authors: user ids.
        hosts: such as ``example.com``.

    Source: the competitor filters of home-mixer 2023, the second of which lists whole addresses.
    """

    stores: Stores = attrs.field(repr=False)
    authors: Ids = ()
    hosts: Texts = ()

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        authors, hosts = setting(viewer, self.authors), setting(viewer, self.hosts)
        if not authors and not hosts:
            return Verdicts.keep_all(len(posts))
        rows, store = posts[Post.row], self.stores.posts
        judged = ~in_network(viewer, posts[Post.author_row]) & ~store.threads.is_repost[rows]
        linking = np.zeros(len(store), dtype=np.bool_)
        linking[store.links.rows_to(hosts)] = True
        return Verdicts.first_match(
            {
                "by_competitor": judged & np.isin(posts[Post.author_id], authors),
                "links_to_competitor": judged & linking[rows],
            }
        )


@attrs.frozen
class NoSupportReplies(CandidatePredicate[Viewer, Post]):
    """Drops answers by support accounts that the viewer follows, and answers within a minute, which nobody typed.

    Args:
        stores: where posts are.
        accounts: user ids.
        within_s: an answer is automatic if it came sooner.

    Source: home-mixer 2023, where ads accounts count as support, too.
    """

    stores: Stores = attrs.field(repr=False)
    accounts: Ids = ()
    within_s: float | Param[float] = 60.0

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        rows, store = posts[Post.row], self.stores.posts
        threads, answered = store.threads, store.threads.answered[rows]
        reply = threads.is_reply[rows] & ~threads.is_repost[rows] & in_network(viewer, posts[Post.author_row])
        took_ms = store.created_ms[rows] - store.created_ms[answered]
        return Verdicts.first_match(
            {
                "reply_by_support": reply & np.isin(posts[Post.author_id], setting(viewer, self.accounts)),
                "automatic_reply": reply
                & (answered >= 0)
                & (took_ms < setting(viewer, self.within_s) * 1_000.0),
            }
        )


@attrs.frozen
class NotListedUnlessFollowed(CandidatePredicate[Viewer, Post]):
    """Drops what listed accounts wrote, or what reposts, quotes or answers them, unless the viewer follows them.

    Source: the electoral list of x-algorithm 2026.
    """

    stores: Stores = attrs.field(repr=False)
    accounts: Ids = ()
    reason: ClassVar[str] = "listed_for_elections"

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        accounts = setting(viewer, self.accounts)
        if not accounts:
            return Verdicts.keep_all(len(posts))
        listed = np.isin(self.stores.users.ids, accounts) & ~viewer.history.follow_mask
        above = shown_with(self.stores, posts[Post.row])
        wrote = (above >= 0) & listed[self.stores.posts.author[above]]
        found: NDArray[np.bool_] = np.logical_or.reduce(wrote, axis=0)
        return Verdicts.keep_where(~found, self.reason)


@attrs.frozen
class NotWithheld(CandidatePredicate[Viewer, Post]):
    """Drops what is withheld in the viewer's country: posts, whatever authors wrote, and what is shown with them.

    Args:
        stores: where posts are.
        posts: such as ``DE:12``, a country's code and the id of a post.
        authors: the same with ids of users.

    Raises:
        ValueError: an entry is not of that form.

    Source: takedowns and local law among the visibility rules of 2026, which posts inherit.
    """

    stores: Stores = attrs.field(repr=False)
    posts: Texts = ()
    authors: Texts = ()
    reason: ClassVar[str] = "withheld_in_country"

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        country, store = viewer.settings.country, self.stores.posts
        withheld = ids_in(country, setting(viewer, self.posts))
        authors = ids_in(country, setting(viewer, self.authors))
        if not withheld and not authors:
            return Verdicts.keep_all(len(posts))
        above = shown_with(self.stores, posts[Post.row])
        barred = np.isin(store.index.ids[above], withheld)
        barred |= np.isin(self.stores.users.ids[store.author[above]], authors)
        found: NDArray[np.bool_] = np.logical_or.reduce(barred & (above >= 0), axis=0)
        return Verdicts.keep_where(~found, self.reason)


def ids_in(country: str, entries: Iterable[str]) -> list[int]:
    """Ids that are listed for a country.

    >>> ids_in("de", ["DE:12", "FR:13"])
    [12]
    """
    listed: list[int] = []
    for entry in entries:
        code, colon, number = entry.partition(":")
        if not code or not colon or not number.lstrip("-").isdigit():
            raise ValueError(f"withheld: expected a country and an id such as DE:12, got {entry!r}")
        if code.casefold() == country.casefold():
            listed.append(int(number))
    return listed


def shown_with(stores: Stores, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """``(k, n)`` rows of posts with what they quote, repost and answer; -1 for nothing."""
    threads = stores.posts.threads
    return np.stack([rows, threads.quoted[rows], threads.repeated[rows], *threads.ancestors(rows).T])
