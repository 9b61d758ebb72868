"""``Threads``: how posts refer to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from components.stores.ids import IdIndex


@attrs.frozen(eq=False)
class Threads:
    """References among posts, as rows; -1 for none, or for a post that is not here.

    Args:
        answered: ``(posts,)`` row of the post it answers.
        repeated: ``(posts,)`` row of the post it reposts.
        quoted: ``(posts,)`` row of the post it quotes.
        is_reply: ``(posts,)`` answers something, here or not.
        is_repost: ``(posts,)`` reposts something, here or not.
        original: ``(posts,)`` id of what is reposted, or of the post itself.
        conversation: ``(posts,)`` the smallest id among the posts above it in its thread; its own without any.

    Source: For You's conversation key is the smallest ancestor.
    """

    answered: NDArray[np.int64]
    repeated: NDArray[np.int64]
    quoted: NDArray[np.int64]
    is_reply: NDArray[np.bool_]
    is_repost: NDArray[np.bool_]
    original: NDArray[np.int64]
    conversation: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        index: IdIndex,
        reply_to: NDArray[np.int64],
        repost_of: NDArray[np.int64],
        quote_of: NDArray[np.int64],
    ) -> Threads:
        """From the ids that each post refers to, -1 for none."""
        answered, repeated, quoted = (index.rows_of(ids) for ids in (reply_to, repost_of, quote_of))
        is_repost = repost_of != -1
        return cls(
            answered,
            repeated,
            quoted,
            reply_to != -1,
            is_repost,
            np.where(is_repost, repost_of, index.ids),
            _lowest_ancestor(index.ids, reply_to, answered),
        )

    def are_original(self, rows: NDArray[np.integer]) -> NDArray[np.bool_]:
        """``(n,)`` which neither answer nor repost anything."""
        return ~(self.is_reply[rows] | self.is_repost[rows])

    def ancestors(self, rows: NDArray[np.integer], depth: int = 64) -> NDArray[np.int64]:
        """``(n, k)`` the posts above each, nearest first, -1 where there are no more; ``k`` is at most ``depth``."""
        levels: list[NDArray[np.int64]] = []
        above = self.answered[rows]
        while len(levels) < depth and (above >= 0).any():
            levels.append(above)
            above = np.where(above >= 0, self.answered[above], -1)
        return np.stack(levels, axis=1) if levels else np.empty((len(rows), 0), dtype=np.int64)

    def top(self, rows: NDArray[np.integer], depth: int = 1_000) -> NDArray[np.int64]:
        """``(n,)`` the highest post above each that is here, or itself; where it is deeper, the one at that depth."""
        top = rows.astype(np.int64)
        for _ in range(depth):
            above = self.answered[top]
            if (above < 0).all():
                break
            top = np.where(above >= 0, above, top)
        return top


def _lowest_ancestor(
    ids: NDArray[np.int64], reply_to: NDArray[np.int64], answered: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Doubles the stretch of thread that each post has looked over until nobody has anything above."""
    nothing = np.iinfo(np.int64).max
    lowest = np.where(reply_to != -1, reply_to, nothing)
    above = answered.copy()
    for _ in range(64):  # threads of up to 2**64 posts; ends a circle too
        climbing = above >= 0
        if not climbing.any():
            break
        higher = above[climbing]
        lowest[climbing] = np.minimum(lowest[climbing], lowest[higher])
        above[climbing] = above[higher]
    return np.where(lowest == nothing, ids, lowest)
