"""``TwoTowerEncoder``: vectors of users and posts for retrieval, of posts that are newer than the training too."""

from __future__ import annotations

from functools import cached_property

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.embeddings.two_tower.features import Features
from components.embeddings.two_tower.model import TwoTowerModel, history_fields
from components.stores.stores import Stores


@attrs.frozen(eq=False, slots=False)
class TwoTowerEncoder:
    """Compare users with posts by inner product.

    Posts made after the training are known by author, topic and other content alone; users by their history.

    Args:
        stores: users, posts and engagements.
        model: trained before the requests that this encoder serves.
        history_before_ms: users are seen as of this moment.
    """

    stores: Stores
    model: TwoTowerModel
    history_before_ms: int
    name: str = "two_tower"

    @classmethod
    def of(
        cls, stores: Stores, model: TwoTowerModel, history_before_ms: int | None = None
    ) -> TwoTowerEncoder:
        """An encoder; without a moment, users are seen as of the end of the training."""
        return cls(stores, model, model.before_ms if history_before_ms is None else history_before_ms)

    @property
    def dimensions(self) -> int:
        """Of every vector."""
        return self.model.config.towers.dimensions

    @cached_property
    def _features(self) -> Features:
        return Features.of(self.stores, self.model.config.towers.buckets)

    def user_vectors(self, user_ids: ArrayLike) -> NDArray[np.float32]:
        """``(n, d)`` vectors of length 1; zeros for unknown users."""
        rows = self.stores.users.rows_of(user_ids)
        vectors, known = np.zeros((len(rows), self.dimensions), dtype=np.float32), np.flatnonzero(rows >= 0)
        graph, users = self.stores.engagements, rows[known]
        positions, which = graph.expand(
            users, before_ms=self.history_before_ms, latest=self.model.config.towers.history
        )
        history = history_fields(self._features, graph.ends[positions].astype(np.int64))
        own = self._features.users[users]
        # The id of a user who never engaged in training stands for nothing learnt.
        own[graph.degrees(users, self.model.before_ms) == 0, 0] = 0
        vectors[known] = self.model.user_vectors(own, history, which)
        return vectors

    def post_vectors(self, post_rows: NDArray[np.integer], at_ms: int) -> NDArray[np.float32]:
        """``(n, d)`` vectors of length 1; zeros for posts that were not yet there."""
        rows = np.asarray(post_rows, dtype=np.int64)
        fields = self._features.posts[rows]
        fields[self.stores.engagements.reverse.degrees(rows, self.model.before_ms) == 0, 0] = 0
        vectors = self.model.post_vectors(fields)
        vectors[self.stores.posts.created_ms[rows] >= at_ms] = 0.0
        return vectors
