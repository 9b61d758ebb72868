"""``LikedByFollowed``: what those engaged with whom the viewer follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from components.models.real_graph.scores import RealGraphScores, seed_weights
from components.sources.answers import best, capped, posts_at
from components.stores.stores import Stores
from components.stores.tally import tally
from components.stores.types import Post, Viewer, setting
from components.units import HOUR_MS
from mixer import Candidates, CandidateSource
from mixer.params import Param

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENGAGEMENTS = 500
"""Latest engagements of each followed user that are looked at."""
PROOFS = 10
"""Engagers named for each post."""


@attrs.frozen
class LikedByFollowed(CandidateSource[Viewer, Post]):
    """Posts of strangers, scored by the summed weights of those who engaged with them and whom the viewer follows.

    Left out are posts of the viewer and of anybody followed, so that nobody vouches for an own post, and posts the
    viewer engaged with. ``Post.social_proof`` names up to 10 engagers, the heaviest first.

    Args:
        stores: where users and posts are.
        ties: of the same users; one followed weighs ``probability * 1.97 + 1``, or 1 without scores and before they
            were made.
        cap: how many posts to answer with.
        max_age_h: of a post.

    Source: For You's user-tweet-entity graph: 500 engagements a seed, posts of 24 hours, 300 posts.
    """

    stores: Stores = attrs.field(repr=False)
    ties: RealGraphScores | None = attrs.field(default=None, repr=False)
    cap: int | Param[int] = 300
    max_age_h: float | Param[float] = 24.0

    def fetch(self, viewer: Viewer) -> Candidates[Post]:
        history, posts = viewer.history, self.stores.posts
        seeds, graph = history.follows, self.stores.engagements
        at, seed = graph.expand(seeds, before_ms=history.now_ms, latest=ENGAGEMENTS)
        rows, weights = graph.ends[at], self._weights(viewer)
        age_ms = history.now_ms - posts.created_ms[rows]
        keep = (age_ms > 0) & (age_ms <= setting(viewer, self.max_age_h) * HOUR_MS)
        author = posts.author[rows]
        keep &= ~history.follow_mask[author] & (author != history.row) & ~history.engaged_mask[rows]
        rows, seed = rows[keep], seed[keep]
        liked, votes = tally(rows, weights[seed])
        chosen = best(votes, capped(viewer, self.cap))
        found = posts_at(self.stores, liked[chosen], votes[chosen])
        place = np.full(len(liked), -1)
        place[chosen] = np.arange(len(chosen))
        places = place[np.searchsorted(liked, rows)]
        return found.with_columns(
            {Post.social_proof: self._proofs(places, len(chosen), seeds[seed], weights[seed])}
        )

    def _weights(self, viewer: Viewer) -> NDArray[np.float32]:
        history = viewer.history
        if self.ties is None or history.now_ms < self.ties.at_ms:
            return np.ones(len(history.follows), dtype=np.float32)
        return seed_weights(self.ties.probability(history.row, history.follows))

    def _proofs(
        self,
        places: NDArray[np.int64],
        count: int,
        engagers: NDArray[np.integer],
        weights: NDArray[np.float32],
    ) -> NDArray[np.object_]:
        """``(count,)`` the heaviest engagers of each place; ``places`` says which post each engaged with, -1 for none."""
        named = np.flatnonzero(places >= 0)
        named = named[np.lexsort((engagers[named], -weights[named], places[named]))]
        ids = self.stores.users.ids[engagers[named]]
        stops = np.searchsorted(places[named], np.arange(count + 1))
        proofs = np.empty(count, dtype=object)
        for post in range(count):
            proofs[post] = tuple(ids[stops[post] : stops[post + 1]][:PROOFS].tolist())
        return proofs
