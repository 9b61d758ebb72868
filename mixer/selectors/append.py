"""Selectors that append entries of the pool to the slate.

Source: product-mixer ``InsertAppend*Results``. Different on purpose: ratios draw from the request's seed, not from
a generator shared by all requests, and parameters are checked when a selector is built.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from mixer.params import Param
from mixer.selectors.base import Selector
from mixer.selectors.entries import EVERYTHING, Entries, Entry, Scope, as_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping

    from mixer.columns import Column
    from mixer.target import Target

T = TypeVar("T", bound="Target")


@attrs.frozen
class InsertAppend(Selector[T]):
    """Appends all entries in scope, in pool order."""

    scope: Scope = attrs.field(default=EVERYTHING, converter=as_scope)

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        inside, outside = self.scope.split(remaining)
        return outside, (*result, *inside)


@attrs.frozen
class InsertAppendWeave(Selector[T]):
    """Appends entries round-robin, one of each bucket at a time.

    Args:
        scope: which entries.
        bucket: the bucket of an entry; buckets take turns in the order in which the pool first shows them.
    """

    scope: Scope = attrs.field(converter=as_scope)
    bucket: Callable[[Entry], Hashable]

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        inside, outside = self.scope.split(remaining)
        queues = _queues(inside, self.bucket)
        return outside, (*result, *_in_turns(queues, queues))


@attrs.frozen
class InsertAppendPattern(Selector[T]):
    """Appends entries following a pattern of buckets, repeated until those buckets are empty.

    A slot whose bucket is empty is skipped. Entries of buckets that the pattern does not name come last.

    Raises:
        ConfigurationError: an empty pattern.
    """

    scope: Scope = attrs.field(converter=as_scope)
    bucket: Callable[[Entry], Hashable]
    pattern: tuple[Hashable, ...] = attrs.field(converter=tuple)

    def problems(self) -> Iterator[str]:
        if not self.pattern:
            yield "pattern: expected at least one bucket, got none"

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        inside, outside = self.scope.split(remaining)
        named = set(self.pattern)
        woven = _in_turns(self.pattern, _queues(inside, self.bucket))
        others = (entry for entry in inside if self.bucket(entry) not in named)
        return outside, (*result, *woven, *others)


@attrs.frozen
class InsertAppendRatio(Selector[T]):
    """Appends entries of randomly drawn buckets, each as likely as its share of the ratios.

    A bucket that is drawn when it is empty leaves the draw, and its ratio with it; the last bucket left is appended
    whole. A bucket of ratio 0 is never drawn, so its entries follow all drawn ones; entries of buckets without
    a ratio come last.

    Raises:
        ConfigurationError: a negative ratio, or no ratio at all.
    """

    scope: Scope = attrs.field(converter=as_scope)
    bucket: Callable[[Entry], Hashable]
    ratios: Mapping[Hashable, float | Param[float]]

    def problems(self) -> Iterator[str]:
        if not self.ratios:
            yield "ratios: expected at least one bucket, got none"
        for bucket, ratio in self.ratios.items():
            least = ratio.domain.minimum if isinstance(ratio, Param) else ratio
            if least is None or not least >= 0.0:
                yield f"ratio of {bucket!r}: expected at least 0 (a parameter: minimum=0.0), got {least}"

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        inside, outside = self.scope.split(remaining)
        others = (entry for entry in inside if self.bucket(entry) not in self.ratios)
        return outside, (*result, *self._drawn(target, inside), *others)

    def _drawn(self, target: T, entries: Entries) -> Iterator[Entry]:
        params = target.request.params
        ratios = {
            one: params[ratio] if isinstance(ratio, Param) else ratio for one, ratio in self.ratios.items()
        }
        live = sorted(ratios, key=lambda one: -ratios[one])
        queues = _queues(entries, self.bucket)
        rng = target.request.rng(self.name)
        while len(live) > 1 and (total := sum(ratios[one] for one in live)) > 0.0:
            bucket = _pick(live, ratios, rng.random() * total)
            if queues.get(bucket):
                yield queues[bucket].popleft()
            else:
                live.remove(bucket)
        for bucket in live:
            yield from queues.get(bucket, ())


@attrs.frozen
class InsertAppendWithoutFeature(Selector[T]):
    """Appends the entries in scope that have no value of a column; the others stay: the back-fill pattern.

    A module has a value if one of its items has.
    """

    scope: Scope = attrs.field(converter=as_scope)
    column: Column[Any, Any]

    def select(self, target: T, remaining: Entries, result: Entries) -> tuple[Entries, Entries]:
        moves = [entry in self.scope and entry.value(self.column) is None for entry in remaining]
        appended = (entry for entry, move in zip(remaining, moves, strict=True) if move)
        stay = tuple(entry for entry, move in zip(remaining, moves, strict=True) if not move)
        return stay, (*result, *appended)


def _queues(entries: Entries, bucket: Callable[[Entry], Hashable]) -> dict[Hashable, deque[Entry]]:
    queues: dict[Hashable, deque[Entry]] = {}
    for entry in entries:
        queues.setdefault(bucket(entry), deque()).append(entry)
    return queues


def _in_turns(turns: Iterable[Hashable], queues: Mapping[Hashable, deque[Entry]]) -> Iterator[Entry]:
    turns = [bucket for bucket in turns if bucket in queues]
    while turns:
        for bucket in turns:
            if queues[bucket]:
                yield queues[bucket].popleft()
        turns = [bucket for bucket in turns if queues[bucket]]


def _pick(buckets: list[Hashable], ratios: Mapping[Hashable, float], draw: float) -> Hashable:
    for bucket in buckets:
        if draw < ratios[bucket]:
            return bucket
        draw -= ratios[bucket]
    return buckets[0]  # rounding took the draw past the last one
