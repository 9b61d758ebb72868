"""``Journal``: what was shown, what people did with it and who followed whom, ready to be counted as of any moment."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import attrs
import numpy as np

from components.datasets import Action, Dataset
from components.features.counts import EventCounts, Moments
from components.stores.stores import Stores

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHANNELS = ("shown", "acted", "favorited", "reposted", "replied", "clicked", "watched", "rejected")
"""What is counted: impressions, actions in favour of a post, and these by kind; complaints and reports."""
_CHANNEL_OF = {
    Action.FAV: "favorited",
    Action.RETWEET: "reposted",
    Action.REPLY: "replied",
    Action.GOOD_PROFILE_CLICK: "clicked",
    Action.VIDEO_PLAYBACK_50: "watched",
    Action.REPLY_ENGAGED_BY_AUTHOR: "replied",
    Action.GOOD_CLICK: "clicked",
    Action.GOOD_CLICK_V2: "clicked",
    Action.NEGATIVE_FEEDBACK_V2: "rejected",
    Action.REPORT: "rejected",
}


@attrs.frozen(eq=False, slots=False)
class Journal:
    """Events in rows of the stores.

    Args:
        stores: what the rows point into.
        viewer, post: ``(e,)`` rows.
        time_ms: ``(e,)``.
        adds: ``(e, channels)`` of 0 and 1.
    """

    stores: Stores = attrs.field(repr=False)
    viewer: NDArray[np.int64]
    post: NDArray[np.int64]
    time_ms: NDArray[np.int64]
    adds: NDArray[np.int8]

    @classmethod
    def of(cls, stores: Stores, data: Dataset) -> Journal:
        """The impressions and engagements of a data set."""
        shown, did = data["impressions"], data["engagements"]
        viewers = np.concatenate([shown["viewer_id"], did["viewer_id"]])
        posts = np.concatenate([shown["post_id"], did["post_id"]])
        times = np.concatenate([shown["time_ms"], did["time_ms"]])
        adds = np.zeros((len(times), len(CHANNELS)), np.int8)
        adds[: len(shown), 0] = 1
        adds[len(shown) :] = _adds()[did["action"].astype(np.int64)]
        return cls(stores, stores.users.rows_of(viewers), stores.posts.index.rows_of(posts), times, adds)

    @cached_property
    def has_impressions(self) -> bool:
        """False where only what people did is known, not what they were shown."""
        return bool(self.adds[:, 0].any())

    @cached_property
    def has_entities(self) -> bool:
        """Is it known of any post what it is about, more precisely than by its topic?"""
        return bool(self.stores.posts.code("entity_id").any())

    @cached_property
    def thing(self) -> NDArray[np.int64]:
        """``(posts,)`` what a post is about, from 1 on: its topic or, where no post has one, its entity; 0 for none."""
        topic = self.stores.posts.code("topic")
        return topic if topic.any() else self.stores.posts.code("entity_id")

    @cached_property
    def by_viewer(self) -> EventCounts:
        return self._counts(self.viewer)

    @cached_property
    def by_post(self) -> EventCounts:
        return self._counts(self.post)

    @cached_property
    def by_author(self) -> EventCounts:
        return self._counts(self.stores.posts.author[self.post])

    @cached_property
    def by_thing(self) -> EventCounts:
        return self._counts(self.thing[self.post])

    @cached_property
    def by_viewer_author(self) -> EventCounts:
        return self._counts(self.people(self.viewer, self.stores.posts.author[self.post]))

    @cached_property
    def by_viewer_thing(self) -> EventCounts:
        return self._counts(self.tastes(self.viewer, self.thing[self.post]))

    @cached_property
    def engagers(self) -> EventCounts:
        """Posts to those who engaged with them."""
        graph = self.stores.engagements
        return EventCounts.build(graph.ends, graph.time_ms, np.ones((graph.edges, 1)), graph.sources)

    @cached_property
    def follows(self) -> EventCounts:
        """Keys of ``people``: follower and followed."""
        graph = self.stores.follows
        return EventCounts.build(
            self.people(graph.sources, graph.ends), graph.time_ms, np.ones((graph.edges, 1))
        )

    @cached_property
    def followers(self) -> EventCounts:
        graph = self.stores.follows
        return EventCounts.build(graph.ends, graph.time_ms, np.ones((graph.edges, 1)))

    @cached_property
    def followings(self) -> EventCounts:
        graph = self.stores.follows
        return EventCounts.build(graph.sources, graph.time_ms, np.ones((graph.edges, 1)))

    def people(self, one: NDArray[np.integer], other: NDArray[np.integer]) -> NDArray[np.int64]:
        """One number for two users."""
        return one.astype(np.int64) * len(self.stores.users) + other

    def tastes(self, viewer: NDArray[np.integer], thing: NDArray[np.integer]) -> NDArray[np.int64]:
        """One number for a viewer and what a post is about."""
        return viewer.astype(np.int64) * (int(self.thing.max(initial=0)) + 1) + thing

    @cached_property
    def _moments(self) -> Moments:
        return Moments.of(self.time_ms)

    def _counts(self, key: NDArray[np.integer]) -> EventCounts:
        return EventCounts.at(self._moments, key, self.adds)


def _adds() -> NDArray[np.int8]:
    """``(actions, channels)`` what each action adds."""
    adds = np.zeros((len(Action), len(CHANNELS)), np.int8)
    for action, channel in _CHANNEL_OF.items():
        adds[int(action), CHANNELS.index(channel)] = 1
        adds[int(action), CHANNELS.index("acted")] = channel != "rejected"
    return adds
