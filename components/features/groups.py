"""The groups of features that the heavy ranker reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import NDArray

from components.features.counts import EventCounts
from components.features.declared import Asked, Feature, FeatureGroup, FeatureSet, Subject
from components.features.entities import Entities
from components.features.journal import CHANNELS, Journal
from components.models.heavy_ranker.config import IdConfig
from components.stores.graph import flattened
from components.stores.vectors import Encoder
from components.units import HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PRIOR_IMPRESSIONS = 5.0
"""A rate is taken over this many impressions more than there were, at the usual rate of everybody."""
USUAL_RATE = 0.1
EVENTS = ("impressions", "engagements")


@attrs.frozen
class Window:
    """A stretch of time before the request, and the channels of which a rate an impression is given.

    Args:
        hours: None for all time.
        rated: missing in data without impressions.
    """

    hours: float | None
    rated: tuple[str, ...]

    @property
    def name(self) -> str:
        return "ever" if self.hours is None else f"{self.hours:g}h"


@attrs.frozen(eq=False)
class Aggregates:
    """Counts of one key over windows: impressions, actions, and rates of the channels.

    Args:
        key: name in front of the features' names.
        of: what it describes.
        counts: where events are counted.
        keys: the key of each pair, or of each request where it describes the viewer.
        over: the windows.
    """

    key: str
    of: Subject
    counts: Callable[[], EventCounts] = attrs.field(repr=False)
    keys: Callable[[Asked], NDArray[np.int64]] = attrs.field(repr=False)
    over: tuple[Window, ...]

    @property
    def features(self) -> tuple[Feature, ...]:
        return tuple(
            Feature(f"{self.key}.{name}.{window.name}", self.of, EVENTS)
            for window in self.over
            for name in ("shown", "acted", *(f"{channel}_rate" for channel in window.rated))
        )

    def compute(self, asked: Asked) -> Sequence[NDArray[Any]]:
        before = asked.now_ms if self.of == "viewer" else asked.moments
        lengths = [None if window.hours is None else int(window.hours * HOUR_MS) for window in self.over]
        columns: list[NDArray[Any]] = []
        for window, counts in zip(
            self.over, self.counts().windows(self.keys(asked), before, lengths), strict=True
        ):
            mass = counts[:, 0] + PRIOR_IMPRESSIONS
            columns += [counts[:, 0], counts[:, 1]]
            for channel in window.rated:
                columns.append((counts[:, CHANNELS.index(channel)] + PRIOR_IMPRESSIONS * USUAL_RATE) / mass)
        return columns


@attrs.frozen(eq=False)
class PostTraits:
    """What a post is, and how old at the request."""

    journal: Journal = attrs.field(repr=False)
    features = (
        Feature("post.age_h", "post", ("posts.created_ms",)),
        Feature("post.video_s", "post", ("posts.video_ms",)),
        Feature("post.image", "post", ("posts.media",), "binary"),
        Feature("post.video", "post", ("posts.media",), "binary"),
        Feature("post.reply", "post", ("posts.reply_to",), "binary"),
        Feature("post.repost", "post", ("posts.repost_of",), "binary"),
        Feature("post.quote", "post", ("posts.quote_of",), "binary"),
    )

    def compute(self, asked: Asked) -> Sequence[NDArray[Any]]:
        store, post = self.journal.stores.posts, asked.post
        media = store.number("media", 0)[post]
        age_h = (asked.now_ms[asked.request] - store.created_ms[post]) / HOUR_MS
        refers = [store.number(trait, -1)[post] >= 0 for trait in ("reply_to", "repost_of", "quote_of")]
        return [
            np.maximum(age_h, 0.0),
            store.number("video_ms", 0)[post] / 1000.0,
            media == 1,
            media == 2,
            *refers,
        ]


@attrs.frozen(eq=False)
class Identities:
    """What a post is about and who made it, to be embedded; worth it where each is shown many times."""

    journal: Journal = attrs.field(repr=False)
    features = (
        Feature("thing_id", "post", ("posts.topic",), "id", IdConfig(1024, 8)),
        Feature("author_id", "author", ("posts.author_id",), "id", IdConfig(4096, 8, hashes=2)),
    )

    def compute(self, asked: Asked) -> Sequence[NDArray[Any]]:
        store, thing = self.journal.stores.posts, self.journal.thing[asked.post]
        return [np.where(thing > 0, thing, -1), self.journal.stores.users.ids[store.author[asked.post]]]


@attrs.frozen(eq=False)
class Network:
    """Who follows whom, and how many of those whom the viewer follows engaged with the post.

    Source: UTEG counts followed engagers; here among the latest ``latest`` engagers of a post.
    """

    journal: Journal = attrs.field(repr=False)
    latest: int = 50
    features = (
        Feature("viewer.followings", "viewer", ("follows",)),
        Feature("author.followers", "author", ("follows",)),
        Feature("pair.followed_engagers", "pair", ("follows", "engagements")),
        Feature("pair.in_network", "pair", ("follows",), "binary"),
        Feature("pair.follows_viewer", "pair", ("follows",), "binary"),
    )

    def compute(self, asked: Asked) -> Sequence[NDArray[Any]]:
        journal = self.journal
        viewer, now_ms = asked.viewer[asked.request], asked.moments
        author = journal.stores.posts.author[asked.post].astype(np.int64)
        there = journal.follows.counts(journal.people(viewer, author), now_ms)[:, 0]
        back = journal.follows.counts(journal.people(author, viewer), now_ms)[:, 0]
        return [
            journal.followings.counts(asked.viewer, asked.now_ms)[:, 0],
            journal.followers.counts(author, now_ms)[:, 0],
            self._followed_engagers(asked, viewer, now_ms),
            there > 0,
            back > 0,
        ]

    def _followed_engagers(
        self, asked: Asked, viewer: NDArray[np.int64], now_ms: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        starts, stops = self.journal.engagers.spans(asked.post, now_ms)
        at, pair = flattened(np.maximum(starts, stops - self.latest), stops)
        people = self.journal.people(viewer[pair], self.journal.engagers.payload[at])
        moments = now_ms if len(now_ms) == 1 else now_ms[pair]
        followed = self.journal.follows.counts(people, moments)[:, 0] > 0
        return np.bincount(pair[followed], minlength=len(asked))


@attrs.frozen(eq=False)
class Shares:
    """Which share of what the viewer acted on, and was shown, is about the same thing; missing before the first."""

    journal: Journal = attrs.field(repr=False)
    features = (
        Feature("pair.thing_share_of_acted", "pair", EVENTS),
        Feature("pair.thing_share_of_shown", "pair", EVENTS),
    )

    def compute(self, asked: Asked) -> Sequence[NDArray[Any]]:
        journal = self.journal
        keys = journal.tastes(asked.viewer[asked.request], journal.thing[asked.post])
        about = journal.by_viewer_thing.counts(keys, asked.moments)
        total = journal.by_viewer.counts(asked.viewer, asked.now_ms)[asked.request]
        known = journal.thing[asked.post] > 0
        return [
            np.where(known & (total[:, at] > 0), about[:, at] / np.maximum(total[:, at], 1), np.nan)
            for at in (1, 0)
        ]


@attrs.frozen(eq=False)
class TimeOfDay:
    """The hour in UTC, as a point on a circle."""

    features = (Feature("time.sine", "time", ("request",)), Feature("time.cosine", "time", ("request",)))

    def compute(self, asked: Asked) -> Sequence[NDArray[Any]]:
        angle = (asked.now_ms % (24 * HOUR_MS)) * (2.0 * np.pi / (24 * HOUR_MS))
        return [np.sin(angle), np.cos(angle)]


@attrs.frozen(eq=False)
class Similarity:
    """Dot product and cosine of the viewer's and the post's vectors; missing where either is unknown.

    Args:
        journal: where users and posts are.
        encoder: makes the vectors; it must not have learned from what came after the requests.
    """

    journal: Journal = attrs.field(repr=False)
    encoder: Encoder

    @property
    def features(self) -> tuple[Feature, ...]:
        names = (f"similarity.{self.encoder.name}.{kind}" for kind in ("dot", "cosine"))
        return tuple(Feature(name, "similarity", ("engagements", "follows")) for name in names)

    def compute(self, asked: Asked) -> Sequence[NDArray[Any]]:
        users = self.encoder.user_vectors(self.journal.stores.users.ids[asked.viewer]).astype(np.float64)
        dots, norms = np.full(len(asked), np.nan), np.full(len(asked), np.nan)
        bounds = np.searchsorted(asked.request, np.arange(len(asked.viewer) + 1))
        for request, user in enumerate(users):
            pairs = slice(bounds[request], bounds[request + 1])
            posts = self.encoder.post_vectors(asked.post[pairs], int(asked.now_ms[request]))
            # Row by row, so that a pair's similarity does not depend on who else is asked about.
            dots[pairs] = (posts.astype(np.float64) * user).sum(axis=1)
            norms[pairs] = np.sqrt((posts.astype(np.float64) ** 2).sum(axis=1) * (user**2).sum())
        known = norms > 0
        return [np.where(known, dots, np.nan), np.where(known, dots / np.where(known, norms, 1.0), np.nan)]


@attrs.frozen(eq=False)
class Given:
    """What sources and hydrators of a flow found out about its candidates; missing where they did not."""

    names: tuple[str, ...]

    @property
    def features(self) -> tuple[Feature, ...]:
        return tuple(Feature(f"given.{name}", "pair", ("request",)) for name in self.names)

    def compute(self, asked: Asked) -> Sequence[NDArray[Any]]:
        nothing = np.full(len(asked), np.nan, np.float32)
        return [asked.given.get(name, nothing) for name in self.names]


def heavy_features(
    journal: Journal, encoders: Sequence[Encoder] = (), given: Sequence[str] = ()
) -> FeatureSet:
    """The features of the heavy ranker; all that they know, they know as of the request.

    Args:
        journal: what happened.
        encoders: whose similarities are features.
        given: names of columns that candidates bring along.
    """
    groups: list[FeatureGroup] = [*_aggregates(journal), Shares(journal)]
    groups += [Network(journal), PostTraits(journal), TimeOfDay(), Given(tuple(given))]
    if journal.has_impressions:
        groups.append(Identities(journal))
    if journal.has_entities:
        groups.append(Entities(journal))
    return FeatureSet((*groups, *(Similarity(journal, encoder) for encoder in encoders)))


def _aggregates(journal: Journal) -> list[FeatureGroup]:
    kinds = CHANNELS[1:] if journal.has_impressions else ()
    author = journal.stores.posts.author

    def viewer_author(asked: Asked) -> NDArray[np.int64]:
        return journal.people(asked.viewer[asked.request], author[asked.post])

    def viewer_thing(asked: Asked) -> NDArray[np.int64]:
        return journal.tastes(asked.viewer[asked.request], journal.thing[asked.post])

    def of_author(asked: Asked) -> NDArray[np.int64]:
        return author[asked.post].astype(np.int64)

    def of_thing(asked: Asked) -> NDArray[np.int64]:
        return journal.thing[asked.post]

    def of_viewer(asked: Asked) -> NDArray[np.int64]:
        return asked.viewer

    def of_post(asked: Asked) -> NDArray[np.int64]:
        return asked.post

    def windows(*hours: float | None) -> tuple[Window, ...]:
        return tuple(Window(one, kinds if one is None else kinds[:1]) for one in hours)

    return [
        Aggregates("viewer", "viewer", lambda: journal.by_viewer, of_viewer, windows(None, 24.0)),
        Aggregates("post", "post", lambda: journal.by_post, of_post, windows(None, 1.0)),
        Aggregates("author", "author", lambda: journal.by_author, of_author, windows(None, 24.0)),
        Aggregates("thing", "post", lambda: journal.by_thing, of_thing, windows(24.0)),
        Aggregates(
            "viewer_author",
            "pair",
            lambda: journal.by_viewer_author,
            viewer_author,
            (Window(None, kinds[:1]),),
        ),
        Aggregates(
            "viewer_thing", "pair", lambda: journal.by_viewer_thing, viewer_thing, windows(None, 7 * 24.0)
        ),
    ]
