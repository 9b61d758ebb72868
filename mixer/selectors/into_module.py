"""Selectors that move items of one flow into a module of another, within the pool.

Source: product-mixer ``Insert*IntoModuleCandidates``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

import attrs

from mixer.errors import ContractError
from mixer.selectors.base import Amount, Selector
from mixer.selectors.entries import Entries, Item, Module, Scope, as_scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mixer.target import Target

T = TypeVar("T", bound="Target")


@attrs.frozen
class InsertAppendIntoModule(Selector[T]):
    """Appends the items in scope to the first module of the flow ``module``; no module or no item: no change.

    Raises:
        ContractError: a module is in scope where an item is expected.
    """

    scope: Scope = attrs.field(converter=as_scope)
    module: Scope = attrs.field(converter=as_scope)

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        return _moved(self, remaining, None), result


@attrs.frozen
class InsertFixedPositionIntoModule(Selector[T]):
    """Like :class:`InsertAppendIntoModule`, at a position in the module; a shorter one gets them at its end."""

    scope: Scope = attrs.field(converter=as_scope)
    module: Scope = attrs.field(converter=as_scope)
    position: Amount[T]
    minimums: ClassVar[Mapping[str, int]] = {"position": 0}

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        return _moved(self, remaining, self.amount("position", target)), result


def _moved(
    one: InsertAppendIntoModule[T] | InsertFixedPositionIntoModule[T],
    remaining: Entries,
    position: int | None,
) -> Entries:
    receiver = next((entry for entry in remaining if isinstance(entry, Module) and entry in one.module), None)
    if receiver is None:
        return remaining
    moving = [entry for entry in remaining if entry is not receiver and entry in one.scope]
    if any(isinstance(entry, Module) for entry in moving):
        raise ContractError(one.name, "items in scope", "a module")
    items = [entry for entry in moving if isinstance(entry, Item)]
    gone = {entry.handle for entry in items}
    where = len(receiver.entries) if position is None else position
    fuller = receiver.holding((*receiver.entries[:where], *items, *receiver.entries[where:]))
    return (
        tuple(fuller if entry is receiver else entry for entry in remaining if entry.handle not in gone)
        if items
        else remaining
    )
