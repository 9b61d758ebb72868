# pyright: reportOptionalSubscript=false, reportOperatorIssue=false, reportArgumentType=false
# scipy ships no types, and what pyright infers from its source is wrong in these places.
"""``Signals``: who follows whom and who likes whose posts, as SimClusters learns from it."""

from __future__ import annotations

from hashlib import blake2b

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from components.datasets import Action, Dataset
from components.graph.edges import adjacency
from components.stores.from_dataset import stores_of
from components.stores.graph import NEVER
from components.stores.ids import IdIndex
from components.stores.stores import Stores
from components.units import DAY_MS


@attrs.frozen(eq=False)
class Signals:
    """Two graphs over one numbering of users, who are consumers and producers alike.

    Args:
        users: ids.
        follows: ``(users, users)`` 1 where row follows column.
        favourites: ``(users, users)`` decayed number of likes that row gave to posts of column.
    """

    users: IdIndex
    follows: sparse.csr_array
    favourites: sparse.csr_array

    @classmethod
    def build(
        cls,
        users: ArrayLike,
        follows: ArrayLike,
        favourites: ArrayLike = (),
        weights: ArrayLike | None = None,
    ) -> Signals:
        """Signals of edges between ids; self loops and edges of unknown users are left out, repeats are merged.

        Args:
            follows: ``(n, 2)`` follower and followee.
            favourites: ``(m, 2)`` who liked whose post, once a like.
            weights: ``(m,)`` of each like; 1 if not given.
        """
        index = IdIndex.of(users)
        likes = np.asarray(favourites, dtype=np.int64).reshape(-1, 2)
        weight = np.ones(len(likes)) if weights is None else np.asarray(weights, dtype=np.float64)
        follow_rows, like_rows = (
            index.rows_of(np.asarray(p, np.int64).reshape(-1, 2)) for p in (follows, likes)
        )
        known, liked = (follow_rows >= 0).all(axis=1), (like_rows >= 0).all(axis=1)
        return cls(
            index,
            adjacency(follow_rows[known], len(index)),
            adjacency(like_rows[liked], len(index), weight[liked]),
        )

    @classmethod
    def of(cls, stores: Stores, before_ms: int = NEVER, half_life_days: float = 100.0) -> Signals:
        """What is known before a moment; likes are the engagements in the stores, decayed until then."""
        graph, likes = stores.follows, stores.engagements
        followed, liked = graph.time_ms < before_ms, likes.time_ms < before_ms
        edges = np.stack([graph.sources, graph.ends], axis=1)[followed]
        now_ms = min(before_ms, stores.now_ms)
        age_days = np.maximum(now_ms - likes.time_ms[liked], 0) / DAY_MS
        pairs = np.stack([likes.sources[liked], stores.posts.author[likes.ends[liked]]], axis=1)
        users = len(stores.users)
        weights = 0.5 ** (age_days / half_life_days)
        return cls(stores.users, adjacency(edges, users), adjacency(pairs, users, weights))

    @property
    def digest(self) -> str:
        """Tells other signals from these."""
        digest = blake2b(self.users.ids.tobytes(), digest_size=8)
        for graph in (self.follows, self.favourites):
            for part in (graph.indptr, graph.indices, graph.data):
                digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    def followers(self) -> NDArray[np.int64]:
        """``(users,)`` number of followers."""
        return np.bincount(self.follows.indices, minlength=len(self.users)).astype(np.int64)


def liked_stores(data: Dataset) -> Stores:
    """The stores of a data set in which likes are the only engagements."""
    likes = data["engagements"].where(data["engagements"]["action"] == int(Action.FAV))
    return stores_of(attrs.evolve(data, tables={**data.tables, "engagements": likes}, checked=True))
