"""Selectors that find duplicates, the keys that tell them, and the strategies that merge them.

Source: product-mixer ``DropDuplicate*``, ``DropNonDuplicateCandidates``, ``DuplicationKey``,
``CandidateMergeStrategy``. Fixed: an entry outside the scope is never dropped by ``DropNonDuplicate``.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from mixer.selectors.base import Selector
from mixer.selectors.drop import in_modules
from mixer.selectors.entries import EVERYTHING, Entries, Entry, Item, Scope, as_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from mixer.columns import Column
    from mixer.target import Target

T = TypeVar("T", bound="Target")


def id_and_type(item: Item) -> Hashable:
    """Items are the same when id and candidate type are."""
    return item.id, item.kind


def id_only(item: Item) -> Hashable:
    """Items are the same when their ids are, whatever their types."""
    return item.id


def pick_first(first: Item, newcomer: Item) -> Item:
    """The first one, as it is."""
    return first


def combine_columns(first: Item, newcomer: Item) -> Item:
    """The first one in its place, with the columns of both: on equal columns the newcomer's value wins.

    Flows and sources are united.
    """
    return first.combined(newcomer)


@attrs.frozen
class PickPinned:
    """Whichever is pinned, as a boolean column says; the first one if both or neither are."""

    pinned: Column[Any, Any]

    def __call__(self, first: Item, newcomer: Item) -> Item:
        return newcomer if newcomer.value(self.pinned) and not first.value(self.pinned) else first


@attrs.frozen
class DropDuplicateCandidates(Selector[T]):
    """Merges items in scope with equal keys into the place of the first; modules and cursors are not touched."""

    scope: Scope = attrs.field(default=EVERYTHING, converter=as_scope)
    key: Callable[[Item], Hashable] = id_and_type
    merge: Callable[[Item, Item], Item] = pick_first
    drops = "duplicate"

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        return _unique(remaining, self.scope, self.key, self.merge), result


@attrs.frozen
class DropDuplicateModuleItems(Selector[T]):
    """Merges items with equal keys within each module in scope, never across modules."""

    scope: Scope = attrs.field(default=EVERYTHING, converter=as_scope)
    key: Callable[[Item], Hashable] = id_and_type
    merge: Callable[[Item, Item], Item] = pick_first
    drops = "duplicate"

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        return in_modules(
            self.scope, remaining, lambda entries: _unique(entries, EVERYTHING, self.key, self.merge)
        ), result


@attrs.frozen
class DropDuplicateResults(Selector[T]):
    """Merges items of the slate with equal keys, of all flows; modules and cursors are not touched."""

    key: Callable[[Item], Hashable] = id_and_type
    merge: Callable[[Item, Item], Item] = pick_first
    drops = "duplicate"

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        return remaining, _unique(result, EVERYTHING, self.key, self.merge)


@attrs.frozen
class DropNonDuplicate(Selector[T]):
    """Drops items in scope whose key no other item in scope has: what a single flow found alone goes."""

    scope: Scope = attrs.field(default=EVERYTHING, converter=as_scope)
    key: Callable[[Item], Hashable] = id_and_type
    drops = "no_duplicate"

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        counts = Counter(self.key(one) for one in remaining if isinstance(one, Item) and one in self.scope)
        return tuple(
            one
            for one in remaining
            if not (isinstance(one, Item) and one in self.scope and counts[self.key(one)] < 2)
        ), result


def _unique(
    entries: Entries, scope: Scope, key: Callable[[Item], Hashable], merge: Callable[[Item, Item], Item]
) -> Entries:
    kept: list[Entry] = []
    places: dict[Hashable, int] = {}
    for entry in entries:
        if not isinstance(entry, Item) or entry not in scope:
            kept.append(entry)
            continue
        place = places.setdefault(key(entry), len(kept))
        if place == len(kept):
            kept.append(entry)
        else:
            first = kept[place]
            kept[place] = merge(first, entry) if isinstance(first, Item) else first
    return tuple(kept)
