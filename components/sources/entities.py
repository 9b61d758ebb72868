"""``SimilarEntities``: posts about what people choose who choose what the viewer chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from components.sources.answers import best, posts_at
from components.sources.posts import HOUR_MS
from components.stores.stores import History, Stores
from components.stores.tally import tally
from components.stores.types import Post, Viewer, setting
from mixer import Candidates, CandidateSource
from mixer.params import Param

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEEDS, AUDIENCE, NEIGHBOURS, LATEST, ENTITIES = 50, 100, 100, 100, 200
"""Latest engagements of the viewer; latest users of each entity; similar users; latest entities of each; entities."""


@attrs.frozen
class SimilarEntities(CandidateSource[Viewer, Post]):
    """Posts about entities (artists, links) that share their audience with those that the viewer engaged with.

    Two entities are as close as the cosine of the sets of users who engaged with posts about them, with ``shrinkage``
    users more in each set, so that a handful says little. Closeness is summed over the viewer's latest seeds, by way
    of the most similar users, who count less the more they engage with. About each of the closest entities, those of
    the viewer among them, come the newest post and all by whom the viewer follows, the newest first.

    Args:
        stores: where posts are, and what they are about.
        cap: how many posts to answer with.
        max_age_h: of a post.
        shrinkage: see above.

    Source: item-based collaborative filtering (Linden et al. 2003); shrinkage as in Bell and Koren (2007).
    """

    stores: Stores = attrs.field(repr=False)
    cap: int | Param[int] = 300
    max_age_h: float | Param[float] = 48.0
    shrinkage: float = 10.0

    def fetch(self, viewer: Viewer) -> Candidates[Post]:
        history, posts, about = viewer.history, self.stores.posts, self.stores.entities.about
        entities, closeness = self._closest(history)
        since_ms = history.now_ms - int(setting(viewer, self.max_age_h) * HOUR_MS)
        at, entity = about.spans(entities, since_ms, history.now_ms)
        rows, entity = about.ends[at][::-1], entity[::-1]
        author = posts.author[rows]
        keep = (author != history.row) & ~history.engaged_mask[rows]
        rows, entity, author = rows[keep], entity[keep], author[keep]
        newest = np.ones(len(entity), np.bool_)
        newest[1:] = entity[1:] != entity[:-1]
        keep = newest | history.follow_mask[author]
        rows, scores = rows[keep], closeness[entity[keep]]
        order = np.lexsort((rows, -posts.created_ms[rows], -scores))
        chosen = order[: viewer.request.scaled(setting(viewer, self.cap))]
        return posts_at(self.stores, rows[chosen], scores[chosen])

    def _closest(self, history: History) -> tuple[NDArray[np.integer], NDArray[Any]]:
        """Entities, the closest to the viewer's seeds first, and how close they are."""
        chosen, now_ms = self.stores.entities.engaged, history.now_ms
        users, similarity = self._neighbours(history)
        at, user = chosen.expand(users, before_ms=now_ms, latest=LATEST)
        entities, shared = tally(chosen.ends[at], similarity[user])
        closeness = shared / np.sqrt(chosen.reverse.degrees(entities, now_ms) + self.shrinkage)
        closest = best(closeness, ENTITIES)
        return entities[closest], closeness[closest]

    def _neighbours(self, history: History) -> tuple[NDArray[np.integer], NDArray[Any]]:
        chosen, now_ms = self.stores.entities.engaged, history.now_ms
        seeds = np.unique(self.stores.entities.of_post[history.engaged[-SEEDS:]])
        seeds = seeds[seeds >= 0]
        at, seed = chosen.reverse.expand(seeds, before_ms=now_ms, latest=AUDIENCE)
        weight = 1.0 / np.sqrt(chosen.reverse.degrees(seeds, now_ms) + self.shrinkage)
        users, shared = tally(chosen.reverse.ends[at], weight[seed])
        shared[users == history.row] = 0.0
        nearest = best(shared, NEIGHBOURS)
        users, shared = users[nearest], shared[nearest]
        return users, shared / np.sqrt(chosen.degrees(users, now_ms) + self.shrinkage)
