"""What posts are about, where that is told: how fresh a post is among others about the same, and who likes such things."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from components.features.counts import EventCounts
from components.features.declared import Asked, Feature
from components.features.journal import Journal
from components.stores.graph import Graph, flattened

READS = ("posts.entity_id", "posts.author_id", "engagements")


@attrs.frozen(eq=False, slots=False)
class Entities:
    """A post's entity (an artist, a link): what else is about it, and how close it is to what the viewer chose.

    A user chose an entity by posting about it or by acting on such a post. Two entities are as close as the cosine
    of the sets of those who chose them, of whom the latest ``audience`` are looked at; summed over the latest
    ``seeds`` entities of the viewer. Likewise the closeness of a post's author is what the author shares with these.
    Missing where a post is about nothing, and counts where there is nobody to compare with.

    Args:
        journal: where users and posts are.
        seeds, audience: bound the work of a request.

    Source: cosine similarity of items by their audiences, as in item-based collaborative filtering (Linden et al.
    2003); undated preferences are left out, for nobody can say what was known at a request.
    """

    journal: Journal = attrs.field(repr=False)
    seeds: int = 50
    audience: int = 100
    features = (
        Feature("entity.posts", "post", READS[:1]),
        Feature("entity.chosen_by", "post", READS),
        Feature("entity.newer_posts", "post", READS[:1]),
        Feature("pair.newer_posts_by_followed", "pair", (*READS[:2], "follows")),
        Feature("pair.entity_similarity", "pair", READS),
        Feature("pair.author_similarity", "pair", READS),
        Feature("pair.entity_chosen", "pair", READS, "binary"),
    )

    def compute(self, asked: Asked) -> Sequence[NDArray[Any]]:
        entity = self._entity[asked.post]
        posts, newer = self._posts(asked, entity)
        columns = [posts, newer, self._newer_by_followed(asked, entity)]
        closeness = [self._closeness(asked, entity, request) for request in range(len(asked.viewer))]
        chosen_by, similar, author, chosen = (np.concatenate(parts) for parts in zip(*closeness, strict=True))
        known = entity >= 0
        columns = [np.where(known, values, np.nan) for values in (posts, chosen_by, *columns[1:], similar)]
        return [*columns, author, known & (chosen > 0)]

    def _posts(self, asked: Asked, entity: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """How many posts there are about it, and how many of them came later than the post."""
        before = self._about.counts(entity, asked.moments)[:, 0]
        made_ms = self.journal.stores.posts.created_ms[asked.post]
        return before, np.maximum(before - self._about.counts(entity, made_ms + 1)[:, 0], 0)

    def _newer_by_followed(self, asked: Asked, entity: NDArray[np.int64]) -> NDArray[Any]:
        journal, now_ms = self.journal, asked.moments
        made_ms = journal.stores.posts.created_ms[asked.post]
        starts, stops = self._about.spans(entity, made_ms + 1)[1], self._about.spans(entity, now_ms)[1]
        at, pair = flattened(np.maximum(starts, stops - self.audience), stops)
        viewer = asked.viewer[asked.request][pair]
        moments = now_ms if len(now_ms) == 1 else now_ms[pair]
        followed = journal.follows.counts(journal.people(viewer, self._about.payload[at]), moments)[:, 0] > 0
        return np.bincount(pair[followed], minlength=len(asked))

    def _closeness(self, asked: Asked, entity: NDArray[np.int64], request: int) -> tuple[NDArray[Any], ...]:
        """Of one request's pairs: who chose the entity, its similarity, the author's, and did the viewer choose it."""
        pairs = slice(*np.searchsorted(asked.request, [request, request + 1]))
        now_ms, viewer = int(asked.now_ms[request]), int(asked.viewer[request])
        things, place = np.unique(entity[pairs], return_inverse=True)
        mine = self._chosen.of(viewer, now_ms)
        shares = self._shares(viewer, mine[-self.seeds :], now_ms)
        degrees = np.zeros(len(things))
        degrees[things >= 0] = self._choosers.degrees(things[things >= 0], now_ms)
        at, thing = self._choosers.expand(things[things >= 0], before_ms=now_ms, latest=self.audience)
        first = len(things) - int((things >= 0).sum())
        similar = np.bincount(thing + first, weights=shares[self._choosers.ends[at]], minlength=len(things))
        similar = similar / np.sqrt(np.maximum(degrees, 1.0))
        author = self.journal.stores.posts.author[asked.post[pairs]]
        return degrees[place], similar[place], shares[author], np.isin(things, mine)[place]

    def _shares(self, viewer: int, seeds: NDArray[np.integer], now_ms: int) -> NDArray[np.float64]:
        """``(users,)`` how much each user shares with the viewer, a niche entity more than a popular one."""
        at, seed = self._choosers.expand(seeds, before_ms=now_ms, latest=self.audience)
        weight = 1.0 / np.sqrt(np.maximum(self._choosers.degrees(seeds, now_ms), 1.0))
        everybody = len(self.journal.stores.users)
        shares = np.bincount(self._choosers.ends[at], weights=weight[seed], minlength=everybody).astype(float)
        shares[viewer : viewer + 1] = 0.0
        return shares

    @cached_property
    def _entity(self) -> NDArray[np.int64]:
        """``(posts,)`` from 0 on; -1 for none."""
        return self.journal.stores.posts.code("entity_id") - 1

    @cached_property
    def _about(self) -> EventCounts:
        """Entities to the authors of posts about them."""
        posts = self.journal.stores.posts
        return EventCounts.build(self._entity, posts.created_ms, np.ones((len(posts), 1)), posts.author)

    @cached_property
    def _chosen(self) -> Graph:
        """Users to the entities that they chose."""
        stores = self.journal.stores
        users = np.concatenate([stores.posts.author, stores.engagements.sources])
        posts = np.concatenate([np.arange(len(stores.posts)), stores.engagements.ends])
        times = np.concatenate([stores.posts.created_ms, stores.engagements.time_ms])
        shape = (len(stores.users), int(self._entity.max(initial=-1)) + 1)
        return Graph.build(users, self._entity[posts], times, shape=shape).distinct

    @cached_property
    def _choosers(self) -> Graph:
        return self._chosen.reverse
