"""``InteractionLog``: who did what to whom when, who follows and who avoids whom; and ``Pairs`` of accounts."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.datasets import Action, Dataset, Interaction

NEGATIVE = (Action.NEGATIVE_FEEDBACK_V2, Action.REPORT)
KINDS = (
    "follow",
    *(action.name.lower() for action in Action if action not in NEGATIVE),
    Interaction.MENTION.name.lower(),
)
"""Kinds of interactions; those of posts and those between users share a name where they mean the same."""

_ACTIONS = np.array([-1 if action in NEGATIVE else KINDS.index(action.name.lower()) for action in Action])
_BETWEEN = np.array([KINDS.index(kind.name.lower()) for kind in Interaction])

Ints = NDArray[np.int64]


@attrs.frozen(eq=False)
class Pairs:
    """Distinct ordered pairs of accounts in ascending order; ``(n,)`` each."""

    source: Ints
    target: Ints

    @classmethod
    def of(cls, *parts: tuple[ArrayLike, ArrayLike]) -> Pairs:
        """The distinct pairs of all parts."""
        source, target = (
            np.concatenate([np.asarray(part[side], dtype=np.int64) for part in parts]) for side in (0, 1)
        )
        order = np.lexsort((target, source))
        source, target = source[order], target[order]
        first = np.ones(len(order), dtype=np.bool_)
        first[1:] = (source[1:] != source[:-1]) | (target[1:] != target[:-1])
        return cls(source[first], target[first])

    def __len__(self) -> int:
        return len(self.source)

    def positions(self, source: ArrayLike, target: ArrayLike) -> Ints:
        """Where each given pair stands here; -1 for pairs that are not here."""
        wanted_source, wanted_target = np.asarray(source, np.int64), np.asarray(target, np.int64)
        if not len(self):
            return np.full(len(wanted_source), -1, dtype=np.int64)
        sources, targets = np.unique(self.source), np.unique(self.target)
        keys = np.searchsorted(sources, self.source) * len(targets) + np.searchsorted(targets, self.target)
        rows = np.minimum(np.searchsorted(sources, wanted_source), len(sources) - 1)
        columns = np.minimum(np.searchsorted(targets, wanted_target), len(targets) - 1)
        known = (sources[rows] == wanted_source) & (targets[columns] == wanted_target)
        wanted = rows * len(targets) + columns
        found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(known & (keys[found] == wanted), found, -1)

    def where(self, mask: NDArray[np.bool_]) -> Pairs:
        """Those pairs whose mask is true."""
        return Pairs(self.source[mask], self.target[mask])


@attrs.frozen(eq=False)
class InteractionLog:
    """Interactions in order of time, and standing relations.

    Shapes: ``source``, ``target``, ``kind``, ``time_ms`` are ``(n,)``; ``kind`` indexes ``KINDS``. Relations are
    ``(m, 3)``: source, target, since when; in order of time.

    Args:
        follows: who follows whom; 0 for "always did".
        against: blocks, mutes, dismissals, reports and other negative feedback.
    """

    source: Ints
    target: Ints
    kind: Ints
    time_ms: Ints
    follows: Ints
    against: Ints

    @classmethod
    def of(
        cls,
        source: ArrayLike,
        target: ArrayLike,
        kind: ArrayLike,
        time_ms: ArrayLike,
        follows: ArrayLike = (),
        against: ArrayLike = (),
    ) -> InteractionLog:
        """Sorts and checks; interactions of accounts with themselves are left out.

        Raises:
            ValueError: lengths disagree, or a kind is out of range.
        """
        named = {"source": source, "target": target, "kind": kind, "time_ms": time_ms}
        arrays = {name: np.asarray(values, dtype=np.int64) for name, values in named.items()}
        shapes = {name: array.shape for name, array in arrays.items()}
        if len(set(shapes.values())) != 1 or arrays["kind"].ndim != 1:
            raise ValueError(f"InteractionLog: expected arrays of one length, got {shapes}")
        kinds = np.unique(arrays["kind"])
        if len(kinds) and not 0 <= kinds[0] <= kinds[-1] < len(KINDS):
            raise ValueError(f"kind: expected 0 to {len(KINDS) - 1}, got {kinds[0]} to {kinds[-1]}")
        order = np.argsort(arrays["time_ms"], kind="stable")
        order = order[(arrays["source"] != arrays["target"])[order]]
        return cls(
            **{name: array[order] for name, array in arrays.items()},
            follows=_relations(follows),
            against=_relations(against),
        )

    @classmethod
    def of_dataset(cls, data: Dataset) -> InteractionLog:
        """Interactions between users, engagements of viewers with authors, and dated follows."""
        acts, follows, authors = data.interactions, data.follows, _authors(data)
        negative = np.isin(data.engagements["action"], NEGATIVE)
        positive, disliked = data.engagements.where(~negative), data.engagements.where(negative)
        dated = follows.where(follows["created_ms"] > 0)
        parts = [
            (acts["actor_id"], acts["subject_id"], _BETWEEN[acts["kind"]], acts["time_ms"]),
            (positive["viewer_id"], authors[~negative], _ACTIONS[positive["action"]], positive["time_ms"]),
            (dated["follower_id"], dated["followee_id"], np.zeros(len(dated)), dated["created_ms"]),
        ]
        relations = [data.relations[name] for name in ("user_id", "subject_id", "time_ms")]
        feedback = [disliked["viewer_id"], authors[negative], disliked["time_ms"]]
        return cls.of(
            *(np.concatenate(column) for column in zip(*parts, strict=True)),
            follows=np.stack(
                [follows[name] for name in ("follower_id", "followee_id", "created_ms")], axis=1
            ),
            against=np.concatenate([np.stack(feedback, axis=1), np.stack(relations, axis=1)]),
        )

    def __len__(self) -> int:
        return len(self.source)

    def between(self, from_ms: int, before_ms: int) -> InteractionLog:
        """What happened at or after one moment and before another, without relations; views, no copies."""
        start, stop = np.searchsorted(self.time_ms, [from_ms, before_ms])
        source, target, kind, time_ms = (
            part[start:stop] for part in (self.source, self.target, self.kind, self.time_ms)
        )
        return InteractionLog(source, target, kind, time_ms, _relations(()), _relations(()))

    def followed(self, before_ms: int) -> Pairs:
        """Pairs of which the source followed the target before a moment."""
        return _known(self.follows, before_ms)

    def avoided(self, before_ms: int) -> Pairs:
        """Pairs with a decision of the source against the target before a moment."""
        return _known(self.against, before_ms)


def _relations(rows: ArrayLike) -> Ints:
    relations = np.asarray(rows, dtype=np.int64).reshape(-1, 3)
    return relations[np.argsort(relations[:, 2], kind="stable")]


def _known(relations: Ints, before_ms: int) -> Pairs:
    known = relations[: np.searchsorted(relations[:, 2], before_ms)]
    return Pairs.of((known[:, 0], known[:, 1]))


def _authors(data: Dataset) -> Ints:
    """``(engagements,)`` who wrote the post; posts of engagements are checked by the data set to exist."""
    order = np.argsort(data.posts["post_id"], kind="stable")
    places = np.searchsorted(data.posts["post_id"], data.engagements["post_id"], sorter=order)
    return data.posts["author_id"][order[places]]
