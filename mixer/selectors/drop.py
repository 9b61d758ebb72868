"""Selectors that drop entries of the pool by scope, condition or number.

Source: product-mixer ``Drop*Candidates``. Numbers are checked when a selector is built, not while it serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

import attrs

from mixer.selectors.base import Amount, Selector, first_counted
from mixer.selectors.entries import EVERYTHING, CursorEntry, Entries, Entry, Module, Scope, as_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mixer.target import Target

T = TypeVar("T", bound="Target")


@attrs.frozen
class DropAll(Selector[T]):
    """Drops all entries in scope."""

    scope: Scope = attrs.field(default=EVERYTHING, converter=as_scope)
    drops = "unwanted"

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        return self.scope.split(remaining)[1], result


@attrs.frozen
class DropFiltered(Selector[T]):
    """Drops entries in scope, of every kind, that ``keep`` does not want."""

    scope: Scope = attrs.field(converter=as_scope)
    keep: Callable[[Entry], bool]
    drops = "filtered"

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        return tuple(entry for entry in remaining if entry not in self.scope or self.keep(entry)), result


@attrs.frozen
class DropFilteredModuleItems(Selector[T]):
    """Drops entries of modules in scope that ``keep`` does not want; a module may end up empty."""

    scope: Scope = attrs.field(converter=as_scope)
    keep: Callable[[Entry], bool]
    drops = "filtered"

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        return in_modules(self.scope, remaining, lambda entries: tuple(filter(self.keep, entries))), result


@attrs.frozen
class DropMax(Selector[T]):
    """Keeps the first ``maximum`` entries in scope; a module counts as one, cursors do not count."""

    scope: Scope = attrs.field(converter=as_scope)
    maximum: Amount[T]
    drops = "over_maximum"
    minimums: ClassVar[Mapping[str, int]] = {"maximum": 1}

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        kept = {
            one.handle
            for one in first_counted(self.scope.split(remaining)[0], self.amount("maximum", target))
        }
        return tuple(one for one in remaining if one not in self.scope or one.handle in kept), result


@attrs.frozen
class DropMaxModuleItems(Selector[T]):
    """Keeps the first ``maximum`` items of each module in scope; cursors do not count."""

    scope: Scope = attrs.field(converter=as_scope)
    maximum: Amount[T]
    drops = "over_maximum"
    minimums: ClassVar[Mapping[str, int]] = {"maximum": 1}

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        maximum = self.amount("maximum", target)
        return in_modules(self.scope, remaining, lambda entries: first_counted(entries, maximum)), result


@attrs.frozen
class DropMaxConversationModuleItems(Selector[T]):
    """Shortens threads of three items or more to the root (if wanted), the parent and the focal item.

    A thread is a module whose first entry is the root, and whose last two are parent and focal item.
    """

    scope: Scope = attrs.field(converter=as_scope)
    include_root: bool = True
    drops = "inside_thread"

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        return in_modules(self.scope, remaining, self._shortened), result

    def _shortened(self, thread: Entries) -> Entries:
        root = thread[:1] if self.include_root else ()
        return thread if len(thread) < 3 else (*root, *thread[-2:])


@attrs.frozen
class DropOrthogonal(Selector[T]):
    """Keeps, of several flows, only the first that has entries in the pool; other flows are not touched.

    Raises:
        ConfigurationError: no flow, or a flow twice.
    """

    flows: tuple[Scope, ...] = attrs.field(converter=lambda names: tuple(as_scope(name) for name in names))
    drops = "orthogonal"

    def problems(self) -> Iterator[str]:
        if not self.flows:
            yield "flows: expected at least one name, got none"
        if len(set(self.flows)) < len(self.flows):
            yield f"flows: expected distinct names, got {', '.join(map(str, self.flows))}"

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        winner = next((scope for scope in self.flows if any(entry in scope for entry in remaining)), None)
        if winner is None:
            return remaining, result
        return tuple(
            entry for entry in remaining if entry in winner or not any(entry in scope for scope in self.flows)
        ), result


def in_modules(scope: Scope, entries: Entries, change: Callable[[Entries], Entries]) -> Entries:
    """The entries, with what each module in scope holds replaced by what ``change`` makes of it."""
    return tuple(
        entry.holding(change(entry.entries)) if isinstance(entry, Module) and entry in scope else entry
        for entry in entries
    )


def counted(entries: Entries) -> int:
    """How many entries are not cursors."""
    return sum(not isinstance(entry, CursorEntry) for entry in entries)
