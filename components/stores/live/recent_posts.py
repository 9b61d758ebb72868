"""``RecentPosts``: what authors posted in the last days, newest first."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from components.stores.live.checkpoint import joined, parted
from components.stores.live.edge_rows import EdgeRows, after_in_group
from components.stores.live.keyed_table import KeyedTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

VIDEO = 2
_COLUMNS: dict[str, Any] = dict.fromkeys(
    ("post_id", "author_id", "created_ms", "reply_to", "repost_of"), np.int64
)
_KINDS = ("originals", "secondary", "videos")


@attrs.frozen
class RecentLimits:
    """How much is kept and served.

    Args:
        retention_ms: older posts are neither served nor kept.
        kept: newest posts an author of each kind that are kept.
        scanned: of those, how many a request looks at.
        served: how many of an author a request may get: originals, replies and reposts, videos.
        authors: how many a request may name; later ones are left out.
        excluded: how many posts a request may exclude; later ones are left out.

    Source: Thunder: 172,800 s; 5,000; 500; 50, 30 and 100; 10,000; 10,000.
    """

    retention_ms: int = 172_800_000
    kept: int = 5_000
    scanned: int = 500
    served: tuple[int, int, int] = (50, 30, 100)
    authors: int = 10_000
    excluded: int = 10_000


class RecentPosts:
    """Posts by author, in three kinds: originals, replies and reposts, and videos of either sort.

    Every call sees whole batches, so that threads may read while one writes.

    Args:
        limits: how much is kept and served.
        lock: what calls hold; of its own unless given.

    Source: Thunder.
    """

    def __init__(self, limits: RecentLimits | None = None, lock: threading.RLock | None = None) -> None:
        self.limits = limits or RecentLimits()
        self._lock = lock or threading.RLock()
        self._posts = KeyedTable("post_id", _COLUMNS)
        self._by_author = {kind: EdgeRows(self.limits.kept) for kind in _KINDS}

    def add(self, posts: Mapping[str, NDArray[Any]]) -> None:
        """Add posts, oldest first; those that are here or were deleted are left out.

        Args:
            posts: columns ``post_id``, ``author_id``, ``created_ms``, ``reply_to``, ``repost_of`` (-1 for none) and
                ``media``.
        """
        with self._lock:
            new = np.sort(self._posts.add(posts))
            ids, authors, times = (posts[name][new] for name in ("post_id", "author_id", "created_ms"))
            original = (posts["reply_to"][new] == -1) & (posts["repost_of"][new] == -1)
            for kind, of in zip(_KINDS, (original, ~original, posts["media"][new] == VIDEO), strict=True):
                self._by_author[kind].add(authors[of], ids[of], times[of])

    def delete(self, ids: ArrayLike, now_ms: ArrayLike) -> None:
        """Take posts back; those that have not come yet will not be let in.

        Args:
            ids: ``(n,)``.
            now_ms: when; a deletion is remembered for as long as a post of then, or the post itself, would be kept.
        """
        gone = np.asarray(ids, dtype=np.int64)
        with self._lock:
            rows = self._posts.slots.rows_of(gone)
            authors = self._posts["author_id"][rows[rows >= 0]]
            for kind in self._by_author.values():
                kind.remove(authors, gone[rows >= 0], np.iinfo(np.int64).max)
            self._posts.delete({"post_id": gone, "created_ms": np.broadcast_to(now_ms, gone.shape)})

    def expire(self, now_ms: int) -> None:
        """Forget what is older than the retention; of_authors leaves it out anyway."""
        oldest = now_ms - self.limits.retention_ms
        with self._lock:
            self._posts.keep(self._posts["created_ms"] >= oldest)
            for kind in self._by_author.values():
                kind.drop_before(oldest)

    def of_authors(
        self,
        authors: ArrayLike,
        now_ms: int,
        limit: int = 1_200,
        *,
        exclude: ArrayLike = (),
        viewer_id: int | None = None,
        videos: bool = False,
    ) -> NDArray[np.int64]:
        """``(p,)`` ids of posts of these authors, newest first.

        A reply is among them if the post that it answers is here, and is an original or answers the first post of the
        conversation and is by one of the authors. Posts from ``now_ms`` on are not.

        Args:
            authors: whom the viewer follows.
            now_ms: when the request comes.
            limit: how many posts at most. Source: Thunder, 1,200, and 600 for videos.
            exclude: posts that the viewer has seen.
            viewer_id: reposts of the viewer's own posts are left out.
            videos: only videos.
        """
        wanted = np.unique(np.asarray(authors, dtype=np.int64)[: self.limits.authors])
        seen = np.asarray(exclude, dtype=np.int64)[: self.limits.excluded]
        kinds = list(zip(_KINDS, self.limits.served, strict=True))
        parts: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        with self._lock:
            for kind, most in kinds[2:] if videos else kinds[:2]:
                ids, times, which = self._by_author[kind].expand(wanted, self.limits.scanned)
                good = (times < now_ms) & (times >= now_ms - self.limits.retention_ms) & ~np.isin(ids, seen)
                good[good] = self._served(ids[good], wanted, viewer_id)
                ids, times, which = ids[good], times[good], which[good]
                newest = after_in_group(which) < most
                parts.append((ids[newest], times[newest]))
        ids, times = (np.concatenate(part) for part in zip(*parts, strict=True))
        return ids[np.lexsort((ids, times))[::-1][:limit]]

    def __len__(self) -> int:
        with self._lock:
            return int(self._posts.alive.sum())

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self._posts.nbytes + sum(kind.nbytes for kind in self._by_author.values())

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What :meth:`load_arrays` takes."""
        with self._lock:
            parts = {"posts": self._posts, **self._by_author}
            return joined({name: part.arrays() for name, part in parts.items()})

    def load_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what :meth:`arrays` told."""
        parts = parted(arrays)
        with self._lock:
            self._posts.load_arrays(parts["posts"])
            self._by_author = {kind: EdgeRows.of_arrays(parts[kind]) for kind in _KINDS}

    def _served(
        self, ids: NDArray[np.int64], followed: NDArray[np.int64], viewer_id: int | None
    ) -> NDArray[np.bool_]:
        """``(n,)`` no reply out of nowhere, and no repost of the viewer's."""
        posts, rows = self._posts, self._posts.slots.rows_of(ids)
        answers, repeats = posts["reply_to"][rows], posts["repost_of"][rows]
        above = posts.slots.rows_of(answers)
        starts = self._is_original(answers)
        second = self._is_original(posts["reply_to"][above]) & np.isin(posts["author_id"][above], followed)
        served = (answers == -1) | (posts.has(answers) & (starts | second))
        if viewer_id is not None:
            source = posts.slots.rows_of(repeats)
            served &= (repeats == -1) | (source < 0) | (posts["author_id"][source] != viewer_id)
        return served

    def _is_original(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        rows = self._posts.slots.rows_of(ids)
        alone = (self._posts["reply_to"][rows] == -1) & (self._posts["repost_of"][rows] == -1)
        return self._posts.has(ids) & alone
