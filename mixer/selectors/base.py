"""The contract of selectors, and the fold that runs and polices them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, Union, cast

import attrs

from mixer.component import Component, components_in, function_name, snake_case
from mixer.errors import ConfigurationError, ContractError
from mixer.params import Param
from mixer.selectors.entries import CursorEntry, Entries, Entry, Module, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mixer.target import Target

T = TypeVar("T", bound="Target")

Amount = Union[int, Param[int], "Callable[[T], int]"]
"""A number: fixed, a parameter of the request, or computed from the target."""


class Selector(Component, Generic[T]):
    """Moves entries from the pool (``remaining``) to the slate (``result``), reorders either, or drops entries.

    Nothing is invented and nothing is lost: an entry may only go missing if ``drops`` says why this selector
    drops. :func:`select_all` checks that after every selector, by handle.

    Exceptions propagate. Randomness comes from the request's seed and the selector's name.
    """

    __slots__ = ()

    drops: str | None = None
    """Why this selector drops entries; None if it never does."""
    minimums: ClassVar[Mapping[str, int]] = {}
    """The smallest legal value of each field that is an amount."""

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        """The pool and the slate afterwards."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """The class name in snake case, followed by the flows it is restricted to."""
        own = type(self).label or snake_case(type(self).__name__)
        scope = getattr(self, "scope", None)
        return f"{own}_{scope}" if isinstance(scope, Scope) and scope.names else own

    def __attrs_post_init__(self) -> None:
        problems = list(self.problems())
        if problems:
            raise ConfigurationError(f"selector {self.name!r}", problems)

    def problems(self) -> Iterator[str]:
        """What is wrong with the fields; checked when the selector is built."""
        for field, minimum in self.minimums.items():
            value: Any = getattr(self, field)
            if isinstance(value, Param):
                least = cast("Param[int]", value).domain.minimum
                if least is None or least < minimum:
                    yield f"{field}: parameter {value} needs minimum={minimum} or more, has {least}"
            elif not callable(value) and (isinstance(value, bool) or not isinstance(value, int)):
                yield f"{field}: expected an int, a Param or a function of the target, got {value!r}"
            elif not callable(value) and value < minimum:
                yield f"{field}: expected at least {minimum}, got {value}"

    def amount(self, field: str, target: T) -> int:
        """The value of an amount for this request.

        Raises:
            ContractError: a function answered less than the field's minimum.
        """
        value: Any = getattr(self, field)
        if isinstance(value, Param):
            return target.request.params[cast("Param[int]", value)]
        if callable(value):
            value = value(target)
            if value < self.minimums[field]:
                raise ContractError(self.name, f"{field} of at least {self.minimums[field]}", str(value))
        return cast("int", value)


@attrs.frozen
class _Lifted(Selector[T]):
    function: Callable[[T, Entries, Entries], tuple[Entries, Entries]]
    drops: str | None = None

    @property
    def name(self) -> str:
        return function_name(self.function)

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        return self.function(target, remaining, result)


def selector(
    *, drops: str | None = None
) -> Callable[[Callable[[T, Entries, Entries], tuple[Entries, Entries]]], Selector[T]]:
    """Lift a function ``(target, remaining, result) -> (remaining, result)`` to a selector named after it.

    Args:
        drops: why it drops entries; None if it never does.
    """

    def lift(function: Callable[[T, Entries, Entries], tuple[Entries, Entries]]) -> Selector[T]:
        return _Lifted(function, drops)

    return lift


@attrs.frozen
class Dropped:
    """An entry that a selector dropped: as it last was, by whom (and which in order), and why."""

    entry: Entry
    selector: str
    reason: str
    step: int


@attrs.frozen
class Selection:
    """What a list of selectors made of a pool.

    Args:
        slate: what to show, in order.
        remaining: what nobody selected or dropped.
        dropped: what selectors dropped, in order; a dropped module stands for all that was still in it.
        steps: for traced requests, pool and slate after each selector, with its name; the first has none.
    """

    slate: Entries
    remaining: Entries
    dropped: tuple[Dropped, ...] = ()
    steps: tuple[tuple[str, Entries, Entries], ...] = ()


def select_all(
    selectors: Sequence[Selector[T]], target: T, pool: Iterable[Entry], *, tracing: bool = False
) -> Selection:
    """Run selectors one after the other, each on what the one before left.

    Raises:
        ContractError: a selector invented or doubled an entry, or lost one without declaring that it drops.
        Exception: what a selector raised, with a note that names it.
    """
    remaining, result = tuple(pool), cast("Entries", ())
    known = _index("pool", remaining)
    dropped: list[Dropped] = []
    steps = [("", remaining, result)]
    for number, one in enumerate(selectors):
        before = (remaining, result)
        try:
            remaining, result = one.select(target, remaining, result)
        except Exception as error:
            error.add_note(f"in selector {one.name!r}, number {number + 1} of {len(selectors)}")
            raise
        if remaining is not before[0] or result is not before[1]:
            after = _index(one.name, (*remaining, *result))
            dropped.extend(
                Dropped(entry, one.name, one.drops or "", number) for entry in _lost(one, known, after)
            )
            known = after
        if tracing:
            steps.append((one.name, remaining, result))
    return Selection(result, remaining, tuple(dropped), tuple(steps) if tracing else ())


def _index(name: str, entries: Entries) -> dict[int, Entry]:
    found: dict[int, Entry] = {}
    count = 0
    for top in entries:
        for entry in top.family():
            found[entry.handle] = entry
            count += 1
    if len(found) != count:
        raise ContractError(name, "every entry once", f"{count - len(found)} entries twice")
    return found


def _lost(one: Selector[Any], before: dict[int, Entry], after: dict[int, Entry]) -> Iterator[Entry]:
    if after.keys() - before.keys():
        raise ContractError(
            one.name, "entries of the pool", f"{len(after.keys() - before.keys())} invented ones"
        )
    lost = [entry for handle, entry in before.items() if handle not in after]
    if lost and one.drops is None:
        raise ContractError(one.name, "every entry of the pool or slate", f"{len(lost)} fewer")
    # A module that went with all its entries is reported as one.
    inside = {entry.handle for top in lost if isinstance(top, Module) for entry in top.entries}
    return (entry for entry in lost if entry.handle not in inside)


def scopes_in(component: Component) -> Iterator[Scope]:
    """Every scope that a selector and its parts are restricted to."""
    if attrs.has(type(component)):
        for field in attrs.fields(type(component)):
            value = getattr(component, field.name)
            if isinstance(value, Scope):
                yield value
            for part in components_in(value):
                yield from scopes_in(part)


def first_counted(entries: Entries, count: int) -> Entries:
    """All cursors, and the first ``count`` of the others; a module counts as one."""
    kept: list[Entry] = []
    left = count
    for entry in entries:
        if isinstance(entry, CursorEntry) or left > 0:
            kept.append(entry)
            left -= not isinstance(entry, CursorEntry)
    return tuple(kept)
