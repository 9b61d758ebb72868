"""``VectorIndex``: what every vector index can do, and ``Hits``: what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

NO_ID = -1
"""Fills the places of an answer for which there was nothing."""


@attrs.frozen(eq=False)
class Hits:
    """The nearest vectors of each query, best first; equal scores in order of id.

    Shapes: ``ids`` ``(queries, k)`` int64, ``scores`` ``(queries, k)`` float32. Where an index holds fewer than
    ``k`` vectors, the rest is ``NO_ID`` with a score of minus infinity.
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]


class VectorIndex(Protocol):
    """Vectors under ids, searched by inner product (cosine, when vectors have length 1).

    Adding an id that is there replaces its vector; removing one that is not there does nothing.
    """

    def __len__(self) -> int: ...

    def add(self, ids: ArrayLike, vectors: ArrayLike) -> None:
        """Takes in vectors.

        Args:
            ids: ``(n,)``, not negative.
            vectors: ``(n, dimensions)``, finite.

        Raises:
            ValueError: shapes disagree, an id is negative or repeated, a value is not finite.
        """
        ...

    def remove(self, ids: ArrayLike) -> int:
        """Forgets vectors; returns how many there were."""
        ...

    def search(self, queries: ArrayLike, k: int, allowed: ArrayLike | None = None) -> Hits:
        """Finds the ``k`` vectors with the highest inner product for each query.

        Args:
            queries: ``(q, dimensions)``.
            allowed: ``(a,)`` ids that may be answered; all when absent, none when empty.
        """
        ...


def top(scores: NDArray[np.float32], ids: NDArray[np.int64], k: int) -> Hits:
    """The best ``k`` of each row, padded.

    Args:
        scores: ``(q, n)``; minus infinity marks what must not be answered.
        ids: ``(n,)`` or ``(q, n)``.
    """
    queries, n = scores.shape
    out_ids = np.full((queries, k), NO_ID, dtype=np.int64)
    out_scores = np.full((queries, k), -np.inf, dtype=np.float32)
    kept = min(k, n)
    if not kept or not queries:
        return Hits(out_ids, out_scores)
    ids = np.broadcast_to(ids, scores.shape)
    if kept < n:
        best = np.argpartition(scores, n - kept, axis=1)[:, n - kept :]
        scores, ids = np.take_along_axis(scores, best, 1), np.take_along_axis(ids, best, 1)
    order = np.lexsort((ids, -scores), axis=1)
    scores, ids = np.take_along_axis(scores, order, 1), np.take_along_axis(ids, order, 1)
    out_scores[:, :kept] = scores
    out_ids[:, :kept] = np.where(np.isneginf(scores), NO_ID, ids)
    return Hits(out_ids, out_scores)


def joined(parts: Sequence[Hits], k: int) -> Hits:
    """The answers of some queries, then those of others."""
    nothing = Hits(np.zeros((0, k), dtype=np.int64), np.zeros((0, k), dtype=np.float32))
    everything = [nothing, *parts]
    ids = np.concatenate([part.ids for part in everything])
    return Hits(ids, np.concatenate([part.scores for part in everything]))
