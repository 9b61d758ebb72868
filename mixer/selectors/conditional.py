"""Selectors that run others: under a condition, or on a part of the pool.

Source: product-mixer ``SelectConditionally`` and ``SelectFromSubpoolCandidates``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

from mixer.component import Wrapper
from mixer.errors import ContractError
from mixer.selectors.base import Selector
from mixer.selectors.entries import Entries, Entry, Scope, as_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mixer.params import Param
    from mixer.target import Target

T = TypeVar("T", bound="Target")


@attrs.frozen
class SelectConditionally(Wrapper, Selector[T]):
    """Runs a selector, under its name, if a function of (target, remaining, result) says so; else changes nothing."""

    inner: Selector[T]
    include: Callable[[T, Entries, Entries], bool]

    @property
    def drops(self) -> str | None:  # type: ignore[override] - what the wrapped selector does
        return self.inner.drops

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        if not self.include(target, remaining, result):
            return remaining, result
        return self.inner.select(target, remaining, result)


def select_conditionally(
    selectors: Iterable[Selector[T]], include: Callable[[T, Entries, Entries], bool]
) -> tuple[Selector[T], ...]:
    """Each of the selectors under the same condition, which is asked anew for each."""
    return tuple(SelectConditionally(one, include) for one in selectors)


def param_gated(switch: Param[bool], *selectors: Selector[T]) -> tuple[Selector[T], ...]:
    """The selectors, run while a parameter is on."""
    return select_conditionally(selectors, lambda target, _, __: target.request.params[switch])


def param_not_gated(switch: Param[bool], *selectors: Selector[T]) -> tuple[Selector[T], ...]:
    """The selectors, run while a parameter is off."""
    return select_conditionally(selectors, lambda target, _, __: not target.request.params[switch])


@attrs.frozen
class SelectFromSubpool(Wrapper, Selector[T]):
    """Runs a selector, under its name, on a part of the pool; what it leaves there goes back into the pool.

    Args:
        inner: the selector.
        scope: entries that may be in the part.
        include: which of them are.
        choose: instead of both: picks the part from the whole pool, in or out of scope; it keeps its order.
        prepend: put leftovers before the rest of the pool, not after it.

    Raises:
        ContractError: ``choose`` picked something that is not in the pool.
    """

    inner: Selector[T]
    scope: Scope = attrs.field(converter=as_scope)
    include: Callable[[Entry], bool] = lambda _: True
    choose: Callable[[T, Entries], Iterable[Entry]] | None = None
    prepend: bool = False

    @property
    def drops(self) -> str | None:  # type: ignore[override] - what the wrapped selector does
        return self.inner.drops

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        part = self._part(target, remaining)
        chosen = {entry.handle for entry in part}
        rest = tuple(entry for entry in remaining if entry.handle not in chosen)
        left, result = self.inner.select(target, part, result)
        return (*left, *rest) if self.prepend else (*rest, *left), result

    def _part(self, target: T, remaining: Entries) -> Entries:
        if self.choose is None:
            return tuple(entry for entry in remaining if entry in self.scope and self.include(entry))
        chosen = {entry.handle for entry in self.choose(target, remaining)}
        unknown = chosen - {entry.handle for entry in remaining}
        if unknown:
            raise ContractError(self.name, "a part of the pool", f"{len(unknown)} entries from elsewhere")
        return tuple(entry for entry in remaining if entry.handle in chosen)
