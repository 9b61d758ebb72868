"""Ranked lists joined with what turned out relevant: the input of every ranking metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.evaluation import _checks
from components.evaluation.errors import InvalidInputError

__all__ = ["Judged", "Ragged", "Truth", "judge", "judge_lists", "ranks_from_scores"]


@attrs.frozen(eq=False)
class Ragged:
    """Per-user lists laid end to end, sorted by owner, then position.

    Shapes: three vectors of one length; `owner` indexes the users, `position` starts at 0 in every list.
    """

    owner: NDArray[np.int64]
    position: NDArray[np.int64]
    value: NDArray[np.float64]


@attrs.frozen(eq=False)
class Judged:
    """Each user's list with the gain of every entry, and the best list that was possible.

    Shapes: `users` (U,), sorted ids. `ranked.value` is an entry's gain (0 = not relevant);
    `ideal.value` holds the gains of all relevant items, best first.
    """

    users: NDArray[np.int64]
    ranked: Ragged
    ideal: Ragged

    @property
    def relevant_count(self) -> NDArray[np.int64]:
        """How many relevant items each user has, shape (U,)."""
        return np.bincount(self.ideal.owner, minlength=len(self.users))


@attrs.frozen(eq=False)
class Truth:
    """Relevant (user, item) pairs with gains; a gain of 0 means judged and not relevant.

    Shapes: three vectors of one length; without `gain` every pair gains 1.

    Raises:
        InvalidInputError: lengths differ, a gain is negative, or a pair comes twice.
    """

    user: NDArray[np.int64] = attrs.field(converter=partial(_checks.ids, name="truth user"))
    item: NDArray[np.int64] = attrs.field(converter=partial(_checks.ids, name="truth item"))
    gain: NDArray[np.float64] = attrs.field(
        default=attrs.Factory(lambda self: np.ones(len(self.user)), takes_self=True),
        converter=partial(_checks.not_negative, name="truth gain"),
    )

    def __attrs_post_init__(self) -> None:
        """Checks the three vectors against each other."""
        _checks.same_length(user=self.user, item=self.item, gain=self.gain)
        _refuse_repeats(self.user, self.item, "truth")

    @classmethod
    def of(cls, relevant: Mapping[int, Iterable[int] | Mapping[int, float]]) -> Truth:
        """Builds the pairs from `{user: {item, ...}}` or `{user: {item: gain}}`."""
        rows = [
            (user, item, gain)
            for user, items in relevant.items()
            for item, gain in (items if isinstance(items, Mapping) else dict.fromkeys(items, 1.0)).items()
        ]
        user, item, gain = zip(*rows, strict=True) if rows else ((), (), ())
        return cls(np.asarray(user), np.asarray(item), np.asarray(gain, np.float64))


def judge(
    user: ArrayLike, item: ArrayLike, rank: ArrayLike, truth: Truth, *, served: ArrayLike = ()
) -> Judged:
    """Joins flat ranked lists with the truth.

    Args:
        user: who the row was shown to, shape (n,).
        item: what was shown, shape (n,).
        rank: any numbers that order a user's rows, smallest first; gaps do not matter, ties are an error.
        truth: the relevant pairs. Users who appear only here count as having got an empty list.
        served: users to include even if they have neither a row nor a relevant item, any shape (m,).

    Raises:
        InvalidInputError: lengths differ, a user lists an item twice, or two of a user's rows share a rank.
    """
    user, item, rank = _checks.ids(user, "user"), _checks.ids(item, "item"), _checks.floats(rank, "rank")
    _checks.same_length(user=user, item=item, rank=rank)
    _refuse_repeats(user, item, "list")
    users = np.unique(np.concatenate([user, truth.user, _checks.ids(served, "served")]))
    match = find_pairs(user, item, truth.user, truth.item)
    gain = np.where(match >= 0, np.append(truth.gain, 0.0)[match], 0.0)
    order = np.lexsort((rank, user))
    _refuse_tied_ranks(user[order], rank[order])
    relevant = truth.gain > 0.0
    best_user, best = truth.user[relevant], truth.gain[relevant]
    best_order = np.lexsort((-best, best_user))
    return Judged(users, _ragged(users, user, gain, order), _ragged(users, best_user, best, best_order))


def judge_lists(
    lists: Mapping[int, Sequence[int]], relevant: Mapping[int, Iterable[int] | Mapping[int, float]]
) -> Judged:
    """Joins `{user: [item, ...]}` with `{user: {item, ...}}` or `{user: {item: gain}}`.

    >>> from components.evaluation import recall
    >>> recall(judge_lists({1: [10, 11], 2: []}, {1: {11, 12}, 2: {10}}), k=2).tolist()
    [0.5, 0.0]
    """
    sizes = [len(items) for items in lists.values()]
    user = np.repeat(np.asarray(list(lists), np.int64), sizes)
    item = np.asarray([item for items in lists.values() for item in items])
    return judge(user, item, np.arange(len(user)), Truth.of(relevant), served=[*lists, *relevant])


def ranks_from_scores(user: ArrayLike, score: ArrayLike, item: ArrayLike) -> NDArray[np.int64]:
    """Turns scores into ranks from 0, best first; equal scores are ordered by item id.

    Shapes: three vectors (n,), result (n,).
    """
    user, item = _checks.ids(user, "user"), _checks.ids(item, "item")
    score = _checks.floats(score, "score")
    _checks.same_length(user=user, score=score, item=item)
    order = np.lexsort((item, -score, user))
    ranks = np.empty(len(user), np.int64)
    ranks[order] = positions(user[order])
    return ranks


def positions(owner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts 0, 1, 2, ... within each run of equal owners."""
    starts = run_starts(owner)
    sizes = np.diff(np.append(starts, len(owner)))
    return np.arange(len(owner)) - np.repeat(starts, sizes)


def run_starts(*columns: NDArray[np.generic]) -> NDArray[np.int64]:
    """Indices at which any of the columns differs from the row before."""
    count = len(columns[0])
    changed = np.zeros(count, np.bool_)
    changed[:1] = True
    for column in columns:
        changed[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changed)


def find_pairs(
    user: NDArray[np.int64], item: NDArray[np.int64], in_user: NDArray[np.int64], in_item: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Finds each (user, item) among distinct pairs.

    Shapes: (n,), (n,), (m,), (m,) -> (n,); the index of the equal pair, or -1.
    """
    if len(in_user) == 0:
        return np.full(len(user), -1)
    users, items = np.unique(in_user), np.unique(in_item)

    def code(user: NDArray[np.int64], item: NDArray[np.int64]) -> NDArray[np.int64]:
        # Ranks of ids instead of ids: 64-bit ids would overflow a product, their counts do not.
        row, column = _lookup(users, user), _lookup(items, item)
        return np.where((row >= 0) & (column >= 0), row * len(items) + column, -1)

    known = code(in_user, in_item)
    order = np.argsort(known)
    slot = _lookup(known[order], code(user, item))
    return np.where(slot >= 0, order[slot], -1)


def _lookup(known: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each value stands among sorted, distinct ones, or -1."""
    slot = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return np.where(known[slot] == values, slot, -1)


def _ragged(
    users: NDArray[np.int64], user: NDArray[np.int64], value: NDArray[np.float64], order: NDArray[np.int64]
) -> Ragged:
    owner = np.searchsorted(users, user[order])
    return Ragged(owner, positions(owner), value[order])


def _refuse_repeats(user: NDArray[np.int64], item: NDArray[np.int64], name: str) -> None:
    order = np.lexsort((item, user))
    user, item = user[order], item[order]
    starts = run_starts(user, item)
    if len(starts) < len(user):
        row = int(np.setdiff1d(np.arange(len(user)), starts)[0])
        raise InvalidInputError(
            f"{name}: expected an item once a user, user {user[row]} has item {item[row]} twice"
        )


def _refuse_tied_ranks(user: NDArray[np.int64], rank: NDArray[np.float64]) -> None:
    """Rows come sorted by user, then rank."""
    tied = (user[1:] == user[:-1]) & (rank[1:] == rank[:-1])
    if tied.any():
        row = int(np.argmax(tied))
        raise InvalidInputError(
            f"rank: expected distinct ranks a user, user {user[row]} has {rank[row]} twice"
        )
