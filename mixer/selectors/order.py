"""Sorters, and the selectors that reorder pool, modules or slate with them.

Source: product-mixer ``UpdateSort*`` and ``selector/sorter``. Different on purpose: a shuffle draws from the
request's seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import numpy as np

from mixer.component import Component
from mixer.errors import ConfigurationError
from mixer.selectors.base import Selector
from mixer.selectors.drop import in_modules
from mixer.selectors.entries import Entries, Entry, Scope, as_scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from mixer.columns import Column
    from mixer.target import Target

T = TypeVar("T", bound="Target")


class Sorter(Component):
    """Puts entries in order."""

    __slots__ = ()

    def sort(self, target: Target, entries: Entries) -> Entries:
        """A permutation of ``entries``."""
        raise NotImplementedError


@attrs.frozen
class SortByKey(Sorter):
    """By a key of each entry, stably; entries with the key None come last either way."""

    key: Callable[[Entry], Any]
    descending: bool = True

    def sort(self, target: Target, entries: Entries) -> Entries:
        return _sorted(entries, self.key, descending=self.descending)


@attrs.frozen
class SortByColumn(Sorter):
    """By the value of a column, stably; entries without a value come last either way.

    Args:
        column: of numbers, unless there is a ``missing``.
        descending: the largest first.
        missing: the value of entries without one; they sort among the others by it.

    Raises:
        ConfigurationError: a column of objects without ``missing``, or one whose rows are arrays.
    """

    column: Column[Any, Any]
    descending: bool = True
    missing: object = None

    def __attrs_post_init__(self) -> None:
        if self.column.shape:
            raise ConfigurationError(f"sorter {self.name!r}", [f"{self.column!r}: expected a scalar column"])
        if self.column.dtype.kind == "O" and self.missing is None:
            expected = "a value for entries that have none, as it holds no numbers"
            raise ConfigurationError(f"sorter {self.name!r}", [f"missing: {self.column!r} needs {expected}"])

    def sort(self, target: Target, entries: Entries) -> Entries:
        return _sorted(entries, self._value, descending=self.descending)

    def _value(self, entry: Entry) -> object:
        value = entry.value(self.column)
        return self.missing if value is None else value


@attrs.frozen
class Reversed(Sorter):
    """The opposite order."""

    def sort(self, target: Target, entries: Entries) -> Entries:
        return entries[::-1]


@attrs.frozen
class Shuffled(Sorter):
    """A random order, from the request's seed and the name ``stream``."""

    stream: str = "shuffled"

    def sort(self, target: Target, entries: Entries) -> Entries:
        keys = target.request.rng(self.stream).random(len(entries))
        order: list[int] = np.argsort(keys).tolist()
        return tuple(entries[index] for index in order)


@attrs.frozen
class UpdateSort(Selector[T]):
    """Sorts the entries in scope and puts them back as one block where the first of them was."""

    scope: Scope = attrs.field(converter=as_scope)
    sorter: Sorter

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        inside, outside = self.scope.split(remaining)
        first = next((index for index, entry in enumerate(remaining) if entry in self.scope), 0)
        return (*outside[:first], *self.sorter.sort(target, inside), *outside[first:]), result


@attrs.frozen
class UpdateSortModuleItems(Selector[T]):
    """Sorts what each module in scope holds."""

    scope: Scope = attrs.field(converter=as_scope)
    sorter: Sorter

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        return in_modules(self.scope, remaining, lambda entries: self.sorter.sort(target, entries)), result


@attrs.frozen
class UpdateSortResults(Selector[T]):
    """Sorts the whole slate."""

    sorter: Sorter

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        return remaining, self.sorter.sort(target, result)


def _sorted(entries: Entries, key: Callable[[Entry], Any], *, descending: bool) -> Entries:
    keyed = [(key(entry), entry) for entry in entries]
    present = [one for one in keyed if one[0] is not None]
    present.sort(key=lambda one: one[0], reverse=descending)  # stable either way
    return (*(entry for _, entry in present), *(entry for value, entry in keyed if value is None))
