"""``PostStore``: posts as columns, with the posts of each author at hand."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from components.stores.graph import Graph
from components.stores.ids import IdIndex
from components.stores.links import LinkIndex
from components.stores.threads import Threads
from components.stores.words import WordIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike, NDArray

FAR_MS = 2.0**60
"""Nothing happens as long after the epoch."""


@attrs.frozen(eq=False, slots=False)
class PostStore:
    """Posts in rows; the row of a post is its position in order of id.

    Args:
        index: post ids.
        authors: user ids, whose rows are the rows of ``by_author``.
        author: ``(posts,)`` row of each post's author.
        created_ms: ``(posts,)``.
        traits: further ``(posts,)`` columns by name, as numbers or objects.
        text: ``(posts,)`` objects; read only for rows that are shown.
    """

    index: IdIndex
    authors: IdIndex
    author: NDArray[np.int32]
    created_ms: NDArray[np.int64]
    traits: Mapping[str, NDArray[Any]]
    text: NDArray[np.object_]
    _made: dict[str, NDArray[np.int64]] = attrs.field(init=False, factory=dict, repr=False)

    @classmethod
    def build(
        cls,
        authors: IdIndex,
        post_id: ArrayLike,
        author_id: ArrayLike,
        created_ms: ArrayLike,
        text: ArrayLike | None = None,
        **traits: ArrayLike,
    ) -> PostStore:
        """A store of the given posts.

        Raises:
            ValueError: ids repeat, or an author is not in ``authors``.
        """
        ids = np.asarray(post_id, dtype=np.int64)
        order = np.argsort(ids, kind="stable")
        author = authors.rows_of(author_id)[order]
        if (author < 0).any():
            unknown = np.asarray(author_id)[order][author < 0][0]
            raise ValueError(f"posts: expected authors among the {len(authors)} users, got author {unknown}")
        if (np.diff(ids[order]) == 0).any():
            raise ValueError(f"posts: expected distinct ids, got {len(ids) - len(np.unique(ids))} repeated")
        words = np.full(len(ids), "", dtype=object) if text is None else np.asarray(text, dtype=object)
        return cls(
            IdIndex(ids[order]),
            authors,
            author.astype(np.int32),
            np.asarray(created_ms, dtype=np.int64)[order],
            {name: np.asarray(values)[order] for name, values in traits.items()},
            words[order],
        )

    def __len__(self) -> int:
        return len(self.index)

    def number(self, trait: str, default: int) -> NDArray[np.int64]:
        """``(posts,)`` a numeric trait, or the default for every post if there is none of that name."""
        return self._cached(trait, lambda: self._number(trait, default))

    def code(self, trait: str) -> NDArray[np.int64]:
        """``(posts,)`` a trait as small numbers from 1 on; 0 where it is -1, empty or absent."""
        return self._cached(f"code of {trait}", lambda: self._code(trait))

    def codes(self, trait: str) -> int:
        """How many codes there are of a trait, 0 included."""
        return len(self._cached(f"posts by {trait}", lambda: np.bincount(self.code(trait), minlength=1)))

    def _cached(self, key: str, make: Callable[[], NDArray[np.int64]]) -> NDArray[np.int64]:
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = make()
        return found

    def _number(self, trait: str, default: int) -> NDArray[np.int64]:
        found = self.traits.get(trait)
        return np.full(len(self), default) if found is None else found.astype(np.int64)

    def _code(self, trait: str) -> NDArray[np.int64]:
        found = self.traits.get(trait)
        if found is None:
            return np.zeros(len(self), dtype=np.int64)
        codes = np.unique(found, return_inverse=True)[1] + 1
        return np.where((found == -1) | (found == ""), 0, codes)

    @cached_property
    def by_author(self) -> Graph:
        """Authors to their posts, oldest first."""
        return Graph.build(
            self.author, np.arange(len(self)), self.created_ms, shape=(len(self.authors), len(self))
        )

    @cached_property
    def in_time(self) -> NDArray[np.int64]:
        """``(posts,)`` rows in order of creation; of posts made at one moment the smallest row comes last."""
        return np.lexsort((-np.arange(len(self)), self.created_ms))

    def made_between(self, begin_ms: float, end_ms: float) -> NDArray[np.int64]:
        """Rows of the posts made in ``[begin_ms, end_ms)``, in the order of :attr:`in_time`. O(log posts)."""
        return self.in_time[self._span(begin_ms, end_ms)]

    def newest_between(self, begin_ms: float, end_ms: float) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Everybody who posted in ``[begin_ms, end_ms)``, in no order, and the row of the newest of these posts."""
        span = self._span(begin_ms, end_ms)
        last = span.start + np.flatnonzero(self._next_by_author[span] >= span.stop)
        rows = self.in_time[last]
        return self.author[rows], rows

    def _span(self, begin_ms: float, end_ms: float) -> slice:
        # Bounds of another type than the times would have all of these converted.
        bounds = np.ceil(np.clip([begin_ms, end_ms], -FAR_MS, FAR_MS)).astype(np.int64)
        start, stop = np.searchsorted(self._times, bounds).tolist()
        return slice(start, max(start, stop))

    @cached_property
    def _times(self) -> NDArray[np.int64]:
        return self.created_ms[self.in_time]

    @cached_property
    def _next_by_author(self) -> NDArray[np.int32]:
        """``(posts,)`` in order of time, the position of the author's next post; the number of posts if there is none."""
        authors = self.author[self.in_time]
        order = np.argsort(authors, kind="stable")
        following = np.full(len(self), len(self), dtype=np.int32)
        same = authors[order[1:]] == authors[order[:-1]]
        following[order[:-1][same]] = order[1:][same]
        return following

    @cached_property
    def threads(self) -> Threads:
        """How the posts refer to each other."""
        references = (self.number(trait, -1) for trait in ("reply_to", "repost_of", "quote_of"))
        return Threads.of(self.index, *references)

    @cached_property
    def words(self) -> WordIndex:
        """Which posts say what."""
        return WordIndex.of(self.text.tolist())

    @cached_property
    def links(self) -> LinkIndex:
        """Which posts link where."""
        return LinkIndex.of(self.text.tolist())
