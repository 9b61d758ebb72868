"""Debunching: no long runs of entries of one kind, such as posts of people one does not follow."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, TypeVar

import attrs

from mixer.selectors.base import Amount, Selector
from mixer.selectors.entries import Entries, Entry, Scope, as_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mixer.target import Target

T = TypeVar("T", bound="Target")


@attrs.frozen
class TrimTail:
    """How much to keep of the run of flagged entries at the end: the larger of a number and a share of it.

    Args:
        when: for which targets, such as those who ask for newer entries.
        at_least: entries to keep at least.
        share: of the run, rounded down.

    Source: home-mixer, 5 and 10 % when newer posts are loaded.
    """

    when: Callable[[Target], bool]
    at_least: int = 5
    share: float = 0.1


@attrs.frozen
class Debunch(Selector[T]):
    """Breaks runs of more than ``max_run`` flagged entries by pulling the next unflagged one forward.

    When no unflagged entry is left, the tail stays as it is, or is trimmed. Entries in scope end up behind all
    others of the pool.

    Args:
        scope: which entries.
        flagged: whether an entry counts towards a run.
        max_run: the longest run.
        trim: what to cut of the run at the end, and when; None never cuts.

    Source: home-mixer ``DebunchCandidates``; 2 for out-of-network posts.
    """

    scope: Scope = attrs.field(converter=as_scope)
    flagged: Callable[[Entry], bool]
    max_run: Amount[T] = 2
    trim: TrimTail | None = None
    minimums: ClassVar[Mapping[str, int]] = {"max_run": 1}

    @property
    def drops(self) -> str | None:  # type: ignore[override] - only trimming drops
        return None if self.trim is None else "trailing_run"

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        inside, outside = self.scope.split(remaining)
        spread, run = debunched(inside, self.flagged, self.amount("max_run", target))
        if self.trim is not None and self.trim.when(target):
            spread = spread[: len(spread) - run + max(self.trim.at_least, math.floor(run * self.trim.share))]
        return (*outside, *spread), result


def debunched(entries: Entries, flagged: Callable[[Entry], bool], max_run: int) -> tuple[Entries, int]:
    """The entries with runs broken where possible, and the length of the flagged run at the end. O(n)."""
    plain = [entry for entry in entries if not flagged(entry)]
    bunch = [entry for entry in entries if flagged(entry)]
    first = {entry.handle: index for index, entry in enumerate(entries)}
    spread: list[Entry] = []
    p = b = run = 0
    while p < len(plain) or b < len(bunch):
        b_is_next = b < len(bunch) and (p == len(plain) or first[bunch[b].handle] < first[plain[p].handle])
        if b_is_next and (run < max_run or p == len(plain)):
            spread.append(bunch[b])
            b, run = b + 1, run + 1
        else:
            spread.append(plain[p])
            p, run = p + 1, 0
    return tuple(spread), run
