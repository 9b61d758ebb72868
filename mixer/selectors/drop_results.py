"""Selectors that drop entries of the slate.

Source: product-mixer ``Drop*Results``. Numbers are checked when a selector is built, not while it serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

import attrs

from mixer.errors import ContractError
from mixer.selectors.base import Amount, Selector, first_counted
from mixer.selectors.drop import in_modules
from mixer.selectors.entries import Entries, Module, Scope, as_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mixer.target import Target

T = TypeVar("T", bound="Target")


def requested_maximum(target: Target) -> int | None:
    """The target's ``requested_max_results``, if it has one."""
    return getattr(target, "requested_max_results", None)


@attrs.frozen
class DropMaxResults(Selector[T]):
    """Keeps the first ``maximum`` entries of the slate; a module counts as one, cursors do not count."""

    maximum: Amount[T]
    drops = "over_maximum"
    minimums: ClassVar[Mapping[str, int]] = {"maximum": 1}

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        return remaining, first_counted(result, self.amount("maximum", target))


@attrs.frozen
class DropRequestedMaxResults(Selector[T]):
    """Keeps as many entries of the slate as the client asked for, at most ``server_maximum``.

    Args:
        default: for clients that do not ask.
        server_maximum: whatever clients ask.
        requested: reads what the client asked for; by default ``target.requested_max_results``.

    Raises:
        ContractError: a client asked for less than one.
    """

    default: Amount[T]
    server_maximum: Amount[T]
    requested: Callable[[T], int | None] = requested_maximum
    drops = "over_requested_maximum"
    minimums: ClassVar[Mapping[str, int]] = {"default": 1, "server_maximum": 1}

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        wanted = _wanted(self, self.requested(target), self.amount("default", target))
        return remaining, first_counted(result, min(wanted, self.amount("server_maximum", target)))


@attrs.frozen
class DropRequestedMaxModuleItems(Selector[T]):
    """Keeps in each module of the slate, in scope, as many items as the client asked for, or ``default``.

    Source: product-mixer; its documentation says it acts on the pool, its code and this on the slate.
    """

    scope: Scope = attrs.field(converter=as_scope)
    default: Amount[T]
    requested: Callable[[T], int | None] = requested_maximum
    drops = "over_requested_maximum"
    minimums: ClassVar[Mapping[str, int]] = {"default": 1}

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        wanted = _wanted(self, self.requested(target), self.amount("default", target))
        return remaining, in_modules(self.scope, result, lambda entries: first_counted(entries, wanted))


@attrs.frozen
class DropModuleTooFew(Selector[T]):
    """Drops modules of the slate, in scope, with fewer than ``minimum`` items; place it after the insertions."""

    scope: Scope = attrs.field(converter=as_scope)
    minimum: Amount[T]
    drops = "too_few_items"
    minimums: ClassVar[Mapping[str, int]] = {"minimum": 1}

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        least = self.amount("minimum", target)
        return remaining, tuple(
            entry
            for entry in result
            if not (isinstance(entry, Module) and entry in self.scope and entry.size < least)
        )


@attrs.frozen
class DropTooFewResults(Selector[T]):
    """Drops the whole slate, cursors included, if it shows fewer than ``minimum`` candidates.

    A module counts as many as it has items; cursors do not count.
    """

    minimum: Amount[T]
    drops = "too_few_results"
    minimums: ClassVar[Mapping[str, int]] = {"minimum": 1}

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        shown = sum(entry.size for entry in result)
        return remaining, result if shown >= self.amount("minimum", target) else ()


def _wanted(one: Selector[T], requested: int | None, default: int) -> int:
    if requested is None:
        return default
    if requested < 1:
        raise ContractError(one.name, "a requested maximum of at least 1", str(requested))
    return requested
