"""From scored rows to a source's answer: how many, the best of them, and whom no source of accounts answers with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from components.stores.stores import Stores
from components.stores.types import Account, Post, Viewer, setting
from mixer import Candidates
from mixer.params import Param

if TYPE_CHECKING:
    from numpy.typing import NDArray


def capped(viewer: Viewer, cap: int | Param[int]) -> int:
    """How many candidates a source answers with under the load of the request."""
    return viewer.request.scaled(setting(viewer, cap))


def best(scores: NDArray[Any], count: int) -> NDArray[np.int64]:
    """Positions of the ``count`` highest scores above 0, best first, ties in order of position."""
    positive = np.flatnonzero(scores > 0)
    if 0 < count < len(positive):
        # Only what reaches the last place needs sorting; ties with it are settled by the sort.
        bar = np.partition(scores[positive], len(positive) - count)[len(positive) - count]
        positive = positive[scores[positive] >= bar]
    return positive[np.argsort(-scores[positive], kind="stable")][:count]


def posts_at(stores: Stores, rows: NDArray[np.integer], scores: NDArray[Any]) -> Candidates[Post]:
    """Posts by row, with what the source thinks of them."""
    posts = stores.posts
    author_rows = posts.author[rows].astype(np.int64)
    return Candidates(
        Post,
        {
            Post.id: posts.index.ids[rows],
            Post.row: rows.astype(np.int64),
            Post.author_row: author_rows,
            Post.author_id: stores.users.ids[author_rows],
            Post.created_ms: posts.created_ms[rows],
            Post.source_score: scores.astype(np.float32),
        },
    )


def best_posts(
    stores: Stores, rows: NDArray[np.integer], scores: NDArray[Any], count: int
) -> Candidates[Post]:
    """The ``count`` posts with the highest scores above 0, ties in the order of the rows."""
    chosen = best(scores, count)
    return posts_at(stores, rows[chosen], scores[chosen])


def best_accounts(
    stores: Stores, rows: NDArray[np.integer], scores: NDArray[Any], count: int
) -> Candidates[Account]:
    """The ``count`` accounts with the highest scores above 0, given distinct rows in ascending order."""
    chosen = best(scores, count)
    rows = rows[chosen].astype(np.int64)
    return Candidates(
        Account,
        {
            Account.id: stores.users.ids[rows],
            Account.row: rows,
            Account.source_score: scores[chosen].astype(np.float32),
        },
    )


def others(
    stores: Stores, viewer: Viewer, rows: NDArray[np.integer], scores: NDArray[Any], cap: int | Param[int]
) -> Candidates[Account]:
    """The accounts with the highest scores above 0 but the viewer, given distinct rows in any order."""
    order = np.argsort(rows)
    order = order[rows[order] != viewer.history.row]
    return best_accounts(stores, rows[order], scores[order], capped(viewer, cap))


def without(
    rows: NDArray[np.integer], scores: NDArray[Any], unwanted: NDArray[np.integer]
) -> tuple[NDArray[np.integer], NDArray[Any]]:
    """Rows and their scores but some rows."""
    kept = ~np.isin(rows, unwanted)
    return rows[kept], scores[kept]


def personal_row(viewer: Viewer) -> int:
    """The viewer's row; -1, as for a stranger, for somebody who wants nothing personal."""
    return viewer.history.row if viewer.controls.personalised else -1
