"""What does not belong on a timeline, post by post.

Source: For You's filters of August 2026, with the boundaries they have there. Where upstream asks a service, we ask
the stores. Each is one comparison for all candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np

from components.stores.posts import PostStore
from components.stores.stores import SHOW_LESS, Stores
from components.stores.types import Post, Viewer, setting
from components.units import DAY_MS
from mixer import CandidatePredicate, Candidates, Verdicts
from mixer.params import Param

if TYPE_CHECKING:
    from numpy.typing import NDArray

VIDEO = 2
_U64 = np.uint64


def in_network(viewer: Viewer, authors: NDArray[np.int64]) -> NDArray[np.bool_]:
    """``(n,)`` posts by people whom the viewer follows, or by the viewer."""
    return viewer.history.follow_mask[authors] | (authors == viewer.history.row)


@attrs.frozen
class KnownAuthor(CandidatePredicate[Viewer, Post]):
    """Keeps posts whose author is known."""

    reason: ClassVar[str] = "unknown_author"

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        return Verdicts.keep_where(posts[Post.author_row] >= 0, self.reason)


@attrs.frozen
class NotOwn(CandidatePredicate[Viewer, Post]):
    """Keeps posts that neither are the viewer's nor repost one of the viewer's."""

    stores: Stores = attrs.field(repr=False)

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        store, viewer_row = self.stores.posts, viewer.history.row
        reposted = store.threads.repeated[posts[Post.row]]
        return Verdicts.first_match(
            {
                "own_post": posts[Post.author_row] == viewer_row,
                "repost_of_own_post": (reposted >= 0) & (store.author[reposted] == viewer_row),
            }
        )


@attrs.frozen
class NoStrangersReplies(CandidatePredicate[Viewer, Post]):
    """Drops replies and reposts by people not followed, and replies to something that is not here."""

    stores: Stores = attrs.field(repr=False)

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        threads, rows = self.stores.posts.threads, posts[Post.row]
        stranger = ~in_network(viewer, posts[Post.author_row])
        return Verdicts.first_match(
            {
                "reply_by_stranger": stranger & threads.is_reply[rows],
                "repost_by_stranger": stranger & threads.is_repost[rows],
                "reply_to_nothing": threads.is_reply[rows] & (threads.answered[rows] < 0),
            }
        )


@attrs.frozen
class WholeConversation(CandidatePredicate[Viewer, Post]):
    """Drops replies that cannot be displayed with the root of their conversation, because something above is not here.

    A reply is displayed with root and parent. Both are here if what stands above it is, up to a post that answers
    nothing; whether those may be shown is for others to say.

    Source: the filter of invalid conversation modules of 2023: three posts, or a root and a post that answers it.
    """

    stores: Stores = attrs.field(repr=False)
    reason: ClassVar[str] = "conversation_without_root"

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        threads = self.stores.posts.threads
        return Verdicts.keep_where(~threads.is_reply[threads.top(posts[Post.row])], self.reason)


@attrs.frozen
class ForSubscribers(CandidatePredicate[Viewer, Post]):
    """Drops what is for subscribers of an author to whom the viewer does not subscribe."""

    stores: Stores = attrs.field(repr=False)
    reason: ClassVar[str] = "for_subscribers_only"

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        authors = posts[Post.author_row]
        exclusive = self.stores.posts.number("subscribers_only", 0)[posts[Post.row]] > 0
        allowed = viewer.history.subscribed_mask[authors] | (authors == viewer.history.row)
        return Verdicts.keep_where(~exclusive | allowed, self.reason)


@attrs.frozen
class NotShownBefore(CandidatePredicate[Viewer, Post]):
    """Drops posts that were shown, or repost or answer one that was.

    Args:
        stores: how posts refer to each other.
        shown: the viewer and ``(n,)`` ids to which of them the viewer has been shown.
        reason: why a post goes.

    Source: the filters "previously seen" and "previously served": own, reposted and answered id.
    """

    stores: Stores = attrs.field(repr=False)
    shown: Callable[[Viewer, NDArray[np.int64]], NDArray[np.bool_]] = attrs.field(repr=False)
    reason: str = "already_seen"

    @property
    def name(self) -> str:
        return f"not_{self.reason}"

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        store, rows = self.stores.posts, posts[Post.row]
        answered = store.threads.answered[rows]
        parents = np.where(answered >= 0, store.index.ids[answered], posts.ids)
        asked = np.concatenate([posts.ids, parents, store.threads.original[rows]])
        own, parent, original = np.split(self.shown(viewer, asked), 3)
        return Verdicts.keep_where(~(own | parent | original), self.reason)


@attrs.frozen
class PeopleGetAlong(CandidatePredicate[Viewer, Post]):
    """Drops what involves somebody whom the viewer avoids, or who blocks the viewer: author, quoted or reposted."""

    stores: Stores = attrs.field(repr=False)

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        known, threads, rows = viewer.history, self.stores.posts.threads, posts[Post.row]
        authors = posts[Post.author_row]
        avoided, blocks = (
            known.avoided_mask | known.blocked_by_mask,
            known.blocked_mask | known.blocked_by_mask,
        )
        return Verdicts.first_match(
            {
                "viewer_avoids_author": known.avoided_mask[authors],
                "author_blocks_viewer": known.blocked_by_mask[authors],
                "quoted_author_avoided": self._of(threads.quoted[rows], avoided),
                "reposted_author_avoided": self._of(threads.repeated[rows], blocks | known.muted_mask),
                "reposts_of_author_muted": threads.is_repost[rows] & known.muted_reposts_mask[authors],
            }
        )

    def _of(self, rows: NDArray[np.int64], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return (rows >= 0) & mask[self.stores.posts.author[rows]]


@attrs.frozen
class NotFatigued(CandidatePredicate[Viewer, Post]):
    """Drops posts of authors of whom the viewer lately asked to see less.

    Source: the feedback-fatigue filter of 2023: younger than 14 days.
    """

    stores: Stores = attrs.field(repr=False)
    days: float | Param[float] = 14.0
    reason: ClassVar[str] = "asked_to_see_less"

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        known, graph = viewer.history, self.stores.decisions[SHOW_LESS]
        since_ms = known.now_ms - setting(viewer, self.days) * DAY_MS
        lately = graph.of(known.row, known.now_ms)[graph.times_of(known.row, known.now_ms) > since_ms]
        return Verdicts.keep_where(~np.isin(posts[Post.author_row], lately), self.reason)


@attrs.frozen
class NewerThanPage(CandidatePredicate[Viewer, Post]):
    """Keeps what was posted since the page whose top cursor the viewer follows."""

    reason: ClassVar[str] = "not_newer"

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        return Verdicts.keep_where(posts[Post.created_ms] >= viewer.paging.newer_than_ms, self.reason)


@attrs.frozen
class NotOnEarlierPages(CandidatePredicate[Viewer, Post]):
    """Drops what the pages before showed, as the cursor says; what answers it may follow."""

    reason: ClassVar[str] = "on_an_earlier_page"

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        return Verdicts.keep_where(~np.isin(posts.ids, viewer.paging.shown), self.reason)


@attrs.frozen
class RepliesAmongFollowed(CandidatePredicate[Viewer, Post]):
    """Drops replies to people whom the viewer does not follow.

    A reply is to the first author above who is not the one that replies; a thread of one author is to nobody.

    Source: the self-reply chain filter of Following, 2026.
    """

    stores: Stores = attrs.field(repr=False)
    reason: ClassVar[str] = "reply_to_stranger"

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        rows, store = posts[Post.row], self.stores.posts
        above = store.threads.ancestors(rows)
        other = (above >= 0) & (store.author[above] != store.author[rows][:, None])
        first = np.argmax(other, axis=1) if above.shape[1] else np.zeros(len(rows), np.int64)
        answers = np.flatnonzero(other.any(axis=1))
        stranger = np.zeros(len(rows), dtype=np.bool_)
        to = store.author[above[answers, first[answers]]].astype(np.int64)
        stranger[answers] = ~in_network(viewer, to)
        return Verdicts.keep_where(~stranger, self.reason)


@attrs.frozen
class WantedMedia(CandidatePredicate[Viewer, Post]):
    """Drops videos for viewers who want none."""

    stores: Stores = attrs.field(repr=False)
    reason: ClassVar[str] = "video_not_wanted"

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        if viewer.controls.videos:
            return Verdicts.keep_all(len(posts))
        return Verdicts.keep_where(
            self.stores.posts.number("media", 0)[posts[Post.row]] != VIDEO, self.reason
        )


@attrs.frozen
class WantedTopics(CandidatePredicate[Viewer, Post]):
    """Keeps posts on the topics that the viewer asked for, if any, and off those that the viewer excluded."""

    stores: Stores = attrs.field(repr=False)

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        wishes = viewer.controls
        if not wishes.topics and not wishes.excluded_topics:
            return Verdicts.keep_all(len(posts))
        topics = self.stores.posts.number("topic", -1)[posts[Post.row]]
        wanted = (
            np.isin(topics, list(wishes.topics)) if wishes.topics else np.ones(len(posts), dtype=np.bool_)
        )
        excluded = np.isin(topics, list(wishes.excluded_topics))
        return Verdicts.first_match({"topic_not_asked_for": ~wanted, "topic_excluded": excluded})


@attrs.frozen
class ProvenToStrangers(CandidatePredicate[Viewer, Post]):
    """For new viewers: drops strangers' posts with too few engagements yet.

    Source: "new user minimum engagement": off by default (0), accounts younger than 30 minutes.
    """

    stores: Stores = attrs.field(repr=False)
    least: int | Param[int] = 0
    new_for_s: float = 1_800.0
    reason: ClassVar[str] = "unproven_for_a_new_viewer"

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        least, known = setting(viewer, self.least), viewer.history
        age_s = (known.now_ms - known.joined_ms) / 1_000.0
        if least <= 0 or age_s >= self.new_for_s:
            return Verdicts.keep_all(len(posts))
        engaged = self.stores.engagements.reverse.degrees(posts[Post.row], known.now_ms)
        stranger = ~in_network(viewer, posts[Post.author_row])
        return Verdicts.keep_where(~stranger | (engaged >= least), self.reason)


@attrs.frozen
class Holdout(CandidatePredicate[Viewer, Post]):
    """Withholds a fixed share of all (post, viewer) pairs, so that the effect of showing can be measured.

    Source: the inventory holdout of 2026: a bucket of 100 by hash, keyed on the original post; off by default.
    """

    stores: Stores = attrs.field(repr=False)
    percent: float | Param[float] = 0.0
    reason: ClassVar[str] = "held_out"

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        percent = setting(viewer, self.percent)
        if percent <= 0:
            return Verdicts.keep_all(len(posts))
        originals = self.stores.posts.threads.original[posts[Post.row]]
        return Verdicts.keep_where(holdout_bucket(originals, viewer.user_id) >= percent, self.reason)


def holdout_bucket(posts: NDArray[np.int64], viewer_id: int) -> NDArray[np.int64]:
    """``(n,)`` bucket of 0 to 99: the 64-bit finaliser of splitmix over both ids.

    >>> holdout_bucket(np.array([1, 2, 12345]), 1)[:2].tolist()
    [48, 42]
    """
    viewer = viewer_id & (2**64 - 1)
    rotated = ((viewer << 32) | (viewer >> 32)) & (2**64 - 1)
    constant = (rotated * 0xD1B54A32D192ED03 + 0x9E3779B97F4A7C15) & (2**64 - 1)
    x = posts.astype(_U64) * _U64(0x9E3779B97F4A7C15) + _U64(constant)
    x = (x ^ (x >> _U64(30))) * _U64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> _U64(27))) * _U64(0x94D049BB133111EB)
    return ((x ^ (x >> _U64(31))) % _U64(100)).astype(np.int64)


@attrs.frozen
class NoMutedWords(CandidatePredicate[Viewer, Post]):
    """Drops posts that say, quote, repost or answer what the viewer does not want to read.

    Upstream looks at the post's own text alone; we keep the promise for whatever is displayed with it.
    """

    stores: Stores = attrs.field(repr=False)
    phrases: Callable[[Viewer], Iterable[str]] = attrs.field(repr=False)
    reason: ClassVar[str] = "muted_words"

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        phrases = tuple(self.phrases(viewer))
        if not phrases:
            return Verdicts.keep_all(len(posts))
        rows, threads = posts[Post.row], self.stores.posts.threads
        shown_with = np.stack(
            [rows, threads.quoted[rows], threads.repeated[rows], *threads.ancestors(rows, depth=8).T]
        )
        said = np.zeros(shown_with.shape, dtype=np.bool_)
        there = shown_with >= 0
        said[there] = says_any(self.stores.posts, shown_with[there], phrases)
        muted: NDArray[np.bool_] = np.logical_or.reduce(said, axis=0)
        return Verdicts.keep_where(~muted, self.reason)


def says_any(posts: PostStore, rows: NDArray[np.int64], phrases: tuple[str, ...]) -> NDArray[np.bool_]:
    """``(n,)`` which posts contain one of some phrases as a sequence of whole words, whatever the case."""
    index = posts.words
    found = np.zeros(len(posts), dtype=np.bool_)
    for phrase in phrases:
        found[index.rows_with(phrase)] = True
    return found[rows]
