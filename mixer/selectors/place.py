"""Selectors that insert entries of the pool at positions of the slate.

Source: product-mixer ``Insert*PositionResults``. Positions are 0-based. Different on purpose: random positions
come from the request's seed, and fixed parameters are checked when a selector is built.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar, TypeVar

import attrs

from mixer.errors import ContractError
from mixer.selectors.base import Amount, Selector
from mixer.selectors.entries import Entries, Entry, Scope, as_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.random import Generator

    from mixer.target import Target

T = TypeVar("T", bound="Target")


@attrs.frozen
class InsertFixedPosition(Selector[T]):
    """Inserts all entries in scope as one block at a position; a shorter slate gets them at its end."""

    scope: Scope = attrs.field(converter=as_scope)
    position: Amount[T]
    minimums: ClassVar[Mapping[str, int]] = {"position": 0}

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        return _block(self.scope, remaining, result, self.amount("position", target))


@attrs.frozen
class InsertDynamicPosition(Selector[T]):
    """Inserts all entries in scope as one block where a function of (target, remaining, result) says.

    None leaves them in the pool; past the end appends.

    Raises:
        ContractError: a negative position.
    """

    scope: Scope = attrs.field(converter=as_scope)
    position: Callable[[T, Entries, Entries], int | None]

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        position = self.position(target, remaining, result)
        if position is None:
            return remaining, result
        if position < 0:
            raise ContractError(self.name, "a position of at least 0, or None", str(position))
        return _block(self.scope, remaining, result, position)


@attrs.frozen
class InsertPerCandidateDynamicPosition(Selector[T]):
    """Inserts each entry in scope where a function of (target, entry, result) says.

    Positions count the entries of the slate as it was; entries with equal positions keep their order. None leaves
    an entry in the pool, past the end appends, a negative position is the front.
    """

    scope: Scope = attrs.field(converter=as_scope)
    position: Callable[[T, Entry, Entries], int | None]

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        stay: list[Entry] = []
        insertions: list[tuple[int, Entry]] = []
        for entry in remaining:
            position = self.position(target, entry, result) if entry in self.scope else None
            if position is None:
                stay.append(entry)
            else:
                insertions.append((position, entry))
        return tuple(stay), merged_at(insertions, result, absolute=False)


@attrs.frozen
class InsertRandomPosition(Selector[T]):
    """Inserts each entry in scope at a random position of the final slate, from ``start`` to ``end``.

    Positions are drawn without replacement, and the range grows with the slate. Entries that find no free position
    in the range go to the end.

    Args:
        scope: which entries.
        start: the first position they may take.
        end: the last one; None for the end of the slate.
        stable: inserted entries keep their order.

    Raises:
        ConfigurationError: ``end`` before ``start``, where both are numbers.
    """

    scope: Scope = attrs.field(converter=as_scope)
    start: Amount[T] = 0
    end: Amount[T] | None = None
    stable: bool = True

    @property
    def minimums(self) -> Mapping[str, int]:  # type: ignore[override] - without an end there is nothing to check
        return {"start": 0} if self.end is None else {"start": 0, "end": 0}

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if isinstance(self.start, int) and isinstance(self.end, int) and self.end < self.start:
            yield f"end: expected at least start ({self.start}), got {self.end}"

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        inside, outside = self.scope.split(remaining)
        last = len(result) + len(inside)
        end = last if self.end is None else self.amount("end", target)
        drawn = _draw(
            target.request.rng(self.name), len(inside), len(result), self.amount("start", target), end
        )
        positions = sorted(drawn) if self.stable else drawn
        return outside, merged_at(list(zip(positions, inside, strict=True)), result, absolute=True)


@attrs.frozen
class InsertRelativePosition(Selector[T]):
    """Inserts all entries in scope as one block below the last entry of another flow in the slate.

    ``padding`` entries stay between them. Without an entry of that flow the padding counts from the top.
    """

    scope: Scope = attrs.field(converter=as_scope)
    relative_to: Scope = attrs.field(converter=as_scope)
    padding: Amount[T] = 0
    minimums: ClassVar[Mapping[str, int]] = {"padding": 0}

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        below = max((index + 1 for index, entry in enumerate(result) if entry in self.relative_to), default=0)
        return _block(self.scope, remaining, result, below + self.amount("padding", target))


def merged_at(insertions: Sequence[tuple[int, Entry]], result: Entries, *, absolute: bool) -> Entries:
    """``result`` with entries inserted at positions; what lies past the end is appended in order.

    Equal positions are emitted one after the other and count once: counted in ``result`` as it was, or with
    ``absolute`` in the list that grows (so a block at 0 shifts later absolute positions by one only).
    """
    waiting = deque(sorted(insertions, key=lambda one: one[0]))
    old = deque(result)
    merged: list[Entry] = []
    index = 0
    while old and waiting:
        position = waiting[0][0]
        if position > index:
            merged.append(old.popleft())
            index += 1
            continue
        while waiting and waiting[0][0] == position:
            merged.append(waiting.popleft()[1])
        index += absolute
    return (*merged, *old, *(entry for _, entry in waiting))


def _block(scope: Scope, remaining: Entries, result: Entries, position: int) -> tuple[Entries, Entries]:
    inside, outside = scope.split(remaining)
    return outside, (*result[:position], *inside, *result[position:])


def _draw(rng: Generator, count: int, length: int, start: int, end: int) -> list[int]:
    free = list(range(start, min(end, length) + 1))
    drawn: list[int] = []
    for number in range(count):
        if number and start <= length + number <= end:
            free.append(length + number)
        drawn.append(free.pop(int(rng.integers(len(free)))) if free else length + count)
    return drawn
