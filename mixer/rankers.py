"""Rankers: put candidates in order, best first, and attach what the order is based on.

Source of the semantics: FRS ``base/Ranker.scala``. A ranker permutes; one that truncates must say so in its
traits (several of the originals did it silently).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from mixer.columns import Candidate
from mixer.component import Component, MaybeAwaitable, function_name, resolved
from mixer.concurrency import Failure, attempt
from mixer.run import observing
from mixer.transforms import Trait, TraitsWrapper, Transform, noted

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from mixer.candidates import Candidates
    from mixer.columns import Column
    from mixer.predicates import Predicate

T = TypeVar("T")
T2 = TypeVar("T2")
C = TypeVar("C", bound=Candidate)


class Ranker(Component, Generic[T, C]):
    """Orders candidates, best first, and may attach columns. Exceptions propagate unless a policy is declared."""

    __slots__ = ()

    traits: Trait = Trait.REORDERS | Trait.ANNOTATES

    def rank(self, target: T, candidates: Candidates[C]) -> MaybeAwaitable[Candidates[C]]:
        """A permutation of ``candidates``, best first."""
        raise NotImplementedError

    def then(self, other: Ranker[T, C]) -> Ranker[T, C]:
        """This ranker, then ``other`` on its answer."""
        return _Then(self, other)

    def reverse(self) -> Ranker[T, C]:
        """The opposite order."""
        return _Reverse(self)

    def within(self, seconds: float) -> Ranker[T, C]:
        """The input order, and a degraded result, if no answer comes in time; other failures propagate."""
        return _Guarded(self, seconds, None, errors=False)

    def fallback(self, other: Ranker[T, C], *, within_s: float | None = None) -> Ranker[T, C]:
        """``other`` on the same input if this ranker raises or takes longer than ``within_s``."""
        return _Guarded(self, within_s, other, errors=True)

    def gated(self, gate: Predicate[T]) -> Ranker[T, C]:
        """Run only if ``gate`` is valid; otherwise the order stays."""
        return _Gated(self, gate)

    def map_target(self, function: Callable[[T2], T]) -> Ranker[T2, C]:
        """The same ranker for something from which the target can be computed."""
        return _MapTarget(self, function)

    def observe(self, scope: str) -> Ranker[T, C]:
        """Time this ranker, and count its rows, into the stats scope ``scope``."""
        return _Observe(self, scope)


class _Wrapper(TraitsWrapper, Ranker[T, C]):  # type: ignore[override] - traits are computed
    pass


@attrs.frozen
class _Then(Ranker[T, C]):
    first: Ranker[T, C]
    second: Ranker[T, C]

    @property
    def traits(self) -> Trait:  # type: ignore[override] - computed
        return self.first.traits | self.second.traits

    async def rank(self, target: T, candidates: Candidates[C]) -> Candidates[C]:
        between = await noted(self.first, candidates, lambda: self.first.rank(target, candidates))
        return await noted(self.second, between, lambda: self.second.rank(target, between))


@attrs.frozen
class _Chain(Ranker[T, C]):
    transform: Transform[T, C]
    ranker: Ranker[T, C]

    @property
    def name(self) -> str:
        return self.ranker.name

    @property
    def traits(self) -> Trait:  # type: ignore[override] - computed
        return self.transform.traits | self.ranker.traits

    async def rank(self, target: T, candidates: Candidates[C]) -> Candidates[C]:
        prepared = await noted(
            self.transform, candidates, lambda: self.transform.transform(target, candidates)
        )
        return await noted(self.ranker, prepared, lambda: self.ranker.rank(target, prepared))


@attrs.frozen
class _Reverse(_Wrapper[T, C]):
    inner: Ranker[T, C]

    async def rank(self, target: T, candidates: Candidates[C]) -> Candidates[C]:
        ranked = await resolved(self.inner.rank(target, candidates))
        return ranked.take(range(len(ranked) - 1, -1, -1))


@attrs.frozen
class _Guarded(_Wrapper[T, C]):
    inner: Ranker[T, C]
    within_s: float | None
    other: Ranker[T, C] | None
    errors: bool = attrs.field(kw_only=True)

    async def rank(self, target: T, candidates: Candidates[C]) -> Candidates[C]:
        answer = await attempt(
            lambda: self.inner.rank(target, candidates), target, self.within_s, errors=self.errors
        )
        if not isinstance(answer, Failure):
            return answer
        answer.report(
            self.name, "the order before it" if self.other is None else f"{self.other.name} instead"
        )
        return candidates if self.other is None else await resolved(self.other.rank(target, candidates))


@attrs.frozen
class _Gated(_Wrapper[T, C]):
    inner: Ranker[T, C]
    gate: Predicate[T]

    async def rank(self, target: T, candidates: Candidates[C]) -> Candidates[C]:
        if (await resolved(self.gate.check(target))).valid:
            return await resolved(self.inner.rank(target, candidates))
        return candidates


@attrs.frozen
class _MapTarget(_Wrapper[T2, C], Generic[T, T2, C]):
    inner: Ranker[T, C]
    function: Callable[[T2], T]

    def rank(self, target: T2, candidates: Candidates[C]) -> MaybeAwaitable[Candidates[C]]:
        return self.inner.rank(self.function(target), candidates)


@attrs.frozen
class _Observe(_Wrapper[T, C]):
    inner: Ranker[T, C]
    scope: str

    async def rank(self, target: T, candidates: Candidates[C]) -> Candidates[C]:
        with observing(self.scope) as observation:
            ranked = await resolved(self.inner.rank(target, candidates))
            observation.rows = len(ranked)
            return ranked


@attrs.frozen
class KeepOrder(Ranker[Any, Any]):
    """Ranks candidates as they come."""

    traits = Trait(0)

    def rank(self, target: object, candidates: Candidates[C]) -> Candidates[C]:
        return candidates


@attrs.frozen
class SortBy(Ranker[Any, Any]):
    """Ranks by a column that is already there; stable, NaN last."""

    key: Column[np.generic, Any]
    descending: bool = True
    traits = Trait.REORDERS

    def rank(self, target: object, candidates: Candidates[C]) -> Candidates[C]:
        return candidates.sort(self.key, descending=self.descending)


@attrs.frozen
class _Lifted(Ranker[T, C]):
    function: Callable[[T, Candidates[C]], MaybeAwaitable[Candidates[C]]]

    @property
    def name(self) -> str:
        return function_name(self.function)

    def rank(self, target: T, candidates: Candidates[C]) -> MaybeAwaitable[Candidates[C]]:
        return self.function(target, candidates)


def ranker(function: Callable[[T, Candidates[C]], MaybeAwaitable[Candidates[C]]]) -> Ranker[T, C]:
    """Lift a sync or async function ``(target, candidates) -> Candidates`` to a ranker named after it."""
    return _Lifted(function)


def chain(transform: Transform[T, C], ranker: Ranker[T, C]) -> Ranker[T, C]:
    """A transform and a ranker as one ranker, so that one ``within`` covers both."""
    return _Chain(transform, ranker)
