"""How much of the relevant each candidate source finds, and what only it finds."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.evaluation import _checks
from components.evaluation.judged import Truth, find_pairs, positions

__all__ = ["SourceRecall", "source_recall"]


@attrs.frozen(eq=False)
class SourceRecall:
    """Recall of each source, of each source alone, and of all together; NaN for users without relevant items.

    Shapes: `users` (U,), `sources` (S,), `recall` (U, S), `unique` (U, S), `union` (U,).
    `unique` is the share of a user's relevant items that this source found within its first k and no other
    did: what would be lost without it.
    """

    users: NDArray[np.int64]
    sources: NDArray[np.int64]
    recall: NDArray[np.float64]
    unique: NDArray[np.float64]
    union: NDArray[np.float64]


def source_recall(
    user: ArrayLike, item: ArrayLike, source: ArrayLike, rank: ArrayLike, truth: Truth, k: int
) -> SourceRecall:
    """Measures recall@k by source over flat retrieval rows.

    Args:
        user: who the row was fetched for, shape (n,).
        item: what was fetched, shape (n,). Several sources may fetch one item.
        source: integer code of the source, shape (n,).
        rank: order within (user, source), smallest first, shape (n,).
        truth: the relevant pairs; pairs with gain 0 are ignored.
        k: how many rows of each source count.
    """
    k = _checks.at_least(k, 1, "k")
    user, item = _checks.ids(user, "user"), _checks.ids(item, "item")
    source, rank = _checks.ids(source, "source"), _checks.floats(rank, "rank")
    _checks.same_length(user=user, item=item, source=source, rank=rank)
    sources = np.unique(source)
    top = _top_rows(user, np.searchsorted(sources, source), item, rank, k)
    relevant = truth.gain > 0.0
    users = np.unique(np.concatenate([user, truth.user]))
    found = np.zeros((int(relevant.sum()), len(sources)), np.bool_)
    match = find_pairs(user[top], item[top], truth.user[relevant], truth.item[relevant])
    found[match[match >= 0], np.searchsorted(sources, source[top])[match >= 0]] = True
    return _shares(users, sources, np.searchsorted(users, truth.user[relevant]), found)


def _top_rows(
    user: NDArray[np.int64],
    source: NDArray[np.int64],
    item: NDArray[np.int64],
    rank: NDArray[np.float64],
    k: int,
) -> NDArray[np.int64]:
    order = np.lexsort((item, rank, source, user))
    if len(order) == 0:
        return order
    changed = np.append(True, (np.diff(user[order]) != 0) | (np.diff(source[order]) != 0))
    return order[positions(np.cumsum(changed)) < k]


def _shares(
    users: NDArray[np.int64], sources: NDArray[np.int64], owner: NDArray[np.int64], found: NDArray[np.bool_]
) -> SourceRecall:
    relevant = np.bincount(owner, minlength=len(users)).astype(np.float64)
    relevant[relevant == 0.0] = np.nan
    alone = found & (found.sum(axis=1, keepdims=True) == 1)
    per_user = (
        np.bincount(owner[hit], minlength=len(users)) / relevant
        for hit in (*found.T, *alone.T, found.any(axis=1))
    )
    *by_source, union = per_user
    count = len(sources)
    recall, unique = by_source[:count], by_source[count:]
    empty = np.empty((len(users), 0))
    stack = np.column_stack if count else lambda _: empty
    return SourceRecall(users, sources, stack(recall), stack(unique), union)
