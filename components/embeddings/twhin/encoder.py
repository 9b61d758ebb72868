"""``TwhinEncoder``: vectors of users and posts for retrieval, of posts that are newer than the training too."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from components.embeddings.twhin.embeddings import TwhinEmbeddings, unit
from components.embeddings.twhin.relations import POST, USER
from components.stores.stores import Stores
from components.units import HOUR_MS


@attrs.frozen(eq=False)
class TwhinEncoder:
    """Where a user's posts are expected, and where posts are; compare them by inner product.

    The embeddings must have been trained on what was known before the requests that this encoder serves.

    Args:
        stores: users, posts and who engaged with them.
        embeddings: of types ``user`` and ``post``.
        relation: from users to posts; where its targets are expected is a user's vector.
        half_life_ms: an engagement counts half after so long.
        latest: engagements that a new post's vector is made of, at most.
    """

    stores: Stores
    embeddings: TwhinEmbeddings
    relation: str
    half_life_ms: float = 8.0 * HOUR_MS
    latest: int = 200
    name: str = "twhin"
    _queries: NDArray[np.float32] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        ids = self.stores.users.ids
        object.__setattr__(self, "_queries", self.embeddings.query(self.relation, ids))

    @classmethod
    def of(
        cls,
        stores: Stores,
        embeddings: TwhinEmbeddings,
        relation: str | None = None,
        half_life_h: float = 8.0,
    ) -> TwhinEncoder:
        """An encoder for a relation, by default ``like``, or else the first from users to posts.

        Raises:
            ValueError: there is no such relation.
        """
        if not embeddings.cosine:
            raise ValueError(
                "TwHIN: expected embeddings of cosines to search by inner product, got distances"
            )
        fitting = [name for name, r in embeddings.relations.items() if (r.source, r.target) == (USER, POST)]
        chosen = relation or ("like" if "like" in fitting else next(iter(fitting), None))
        if chosen not in fitting:
            raise ValueError(
                f"TwHIN: expected a relation from users to posts, one of {fitting}, got {chosen!r}"
            )
        return cls(stores, embeddings, chosen, half_life_h * HOUR_MS)

    @property
    def dimensions(self) -> int:
        """Of every vector."""
        return self._queries.shape[1]

    def user_vectors(self, user_ids: ArrayLike) -> NDArray[np.float32]:
        """``(n, d)`` where the posts that users like are expected; zeros for unknown users."""
        return self.embeddings.query(self.relation, user_ids)

    def post_vectors(self, post_rows: NDArray[np.integer], at_ms: int) -> NDArray[np.float32]:
        """``(n, d)`` trained vectors; zeros for posts that were not yet there.

        A post that was not in training is the mean of where its author and those who engaged strictly before
        ``at_ms`` expect theirs, engagements decayed.
        """
        posts = self.stores.posts
        rows = np.asarray(post_rows, dtype=np.int64)
        vectors = self.embeddings.vectors(POST, posts.index.ids[rows])
        new = np.flatnonzero(~vectors.any(axis=1))
        if len(new):
            vectors[new] = self._folded_in(rows[new], at_ms)
        vectors[posts.created_ms[rows] >= at_ms] = 0.0
        return vectors

    def _folded_in(self, rows: NDArray[np.int64], at_ms: int) -> NDArray[np.float32]:
        engaged = self.stores.engagements.reverse
        positions, which = engaged.expand(rows, before_ms=at_ms, latest=self.latest)
        weights = np.exp2(-(at_ms - engaged.time_ms[positions]) / self.half_life_ms)
        shape = (len(rows), len(self._queries))
        share = sparse.csr_array((weights.astype(np.float32), (which, engaged.ends[positions])), shape=shape)
        return unit(self._queries[self.stores.posts.author[rows]] + share @ self._queries)
