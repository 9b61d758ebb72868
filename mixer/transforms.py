"""Transforms: reorder, drop or annotate a list of candidates."""

from __future__ import annotations

from enum import Flag
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from mixer.columns import Candidate
from mixer.component import Component, MaybeAwaitable, Wrapper, function_name, resolved
from mixer.errors import ContractError
from mixer.run import observing, settle, steps_so_far

if TYPE_CHECKING:
    from collections.abc import Callable

    from mixer.candidates import Candidates
    from mixer.predicates import Predicate

T = TypeVar("T")
T2 = TypeVar("T2")
C = TypeVar("C", bound=Candidate)


class Trait(Flag):
    """What a transform or ranker may do to a batch. Nothing may add rows."""

    ANNOTATES = 1
    REORDERS = 2
    DROPS = 4


def check_traits(name: str, traits: Trait, before: Candidates[Any], after: Candidates[Any]) -> None:
    """The cheap part of the contract; the laws in ``mixer.testing`` check all of it.

    Raises:
        ContractError: rows appeared, or went missing without the DROPS trait.
    """
    if len(after) == len(before) or (Trait.DROPS in traits and len(after) < len(before)):
        return
    expected = "at most" if Trait.DROPS in traits else "exactly"
    raise ContractError(name, f"{expected} the {len(before)} candidates it was given", f"{len(after)}")


async def noted(
    component: Component, before: Candidates[C], call: Callable[[], MaybeAwaitable[Candidates[C]]]
) -> Candidates[C]:
    """What a part of a composed stage answers, with its step in the ledger of a traced request."""
    steps = steps_so_far()
    after = await resolved(call())
    settle(component.name, steps, before, after)
    return after


class Transform(Component, Generic[T, C]):
    """Rewrites a list of candidates within its declared traits. Exceptions propagate."""

    __slots__ = ()

    traits: Trait = Trait.ANNOTATES

    def transform(self, target: T, candidates: Candidates[C]) -> MaybeAwaitable[Candidates[C]]:
        """The new list, derived from ``candidates``."""
        raise NotImplementedError

    def then(self, other: Transform[T, C]) -> Transform[T, C]:
        """This transform, then ``other`` on its answer."""
        return _Then(self, other)

    def gated(self, gate: Predicate[T]) -> Transform[T, C]:
        """Run only if ``gate`` is valid; otherwise nothing changes."""
        return _Gated(self, gate)

    def map_target(self, function: Callable[[T2], T]) -> Transform[T2, C]:
        """The same transform for something from which the target can be computed."""
        return _MapTarget(self, function)

    def observe(self, scope: str) -> Transform[T, C]:
        """Time this transform, and count its rows, into the stats scope ``scope``."""
        return _Observe(self, scope)


class TraitsWrapper(Wrapper):  # noqa: D101 - as for Wrapper
    # A transform or ranker around another that keeps its name and traits.
    __slots__ = ()

    @property
    def traits(self) -> Trait:
        return self.inner.traits


class _Wrapper(TraitsWrapper, Transform[T, C]):  # type: ignore[override] - traits are computed
    """A transform around another that keeps its name and traits."""


@attrs.frozen
class _Then(Transform[T, C]):
    first: Transform[T, C]
    second: Transform[T, C]

    @property
    def traits(self) -> Trait:  # type: ignore[override] - computed
        return self.first.traits | self.second.traits

    async def transform(self, target: T, candidates: Candidates[C]) -> Candidates[C]:
        between = await noted(self.first, candidates, lambda: self.first.transform(target, candidates))
        return await noted(self.second, between, lambda: self.second.transform(target, between))


@attrs.frozen
class _Gated(_Wrapper[T, C]):
    inner: Transform[T, C]
    gate: Predicate[T]

    async def transform(self, target: T, candidates: Candidates[C]) -> Candidates[C]:
        if (await resolved(self.gate.check(target))).valid:
            return await resolved(self.inner.transform(target, candidates))
        return candidates


@attrs.frozen
class _MapTarget(_Wrapper[T2, C], Generic[T, T2, C]):
    inner: Transform[T, C]
    function: Callable[[T2], T]

    def transform(self, target: T2, candidates: Candidates[C]) -> MaybeAwaitable[Candidates[C]]:
        return self.inner.transform(self.function(target), candidates)


@attrs.frozen
class _Observe(_Wrapper[T, C]):
    inner: Transform[T, C]
    scope: str

    async def transform(self, target: T, candidates: Candidates[C]) -> Candidates[C]:
        with observing(self.scope) as observation:
            after = await resolved(self.inner.transform(target, candidates))
            observation.rows = len(after)
            return after


@attrs.frozen
class Identity(Transform[Any, Any]):
    """Changes nothing."""

    def transform(self, target: object, candidates: Candidates[C]) -> Candidates[C]:
        return candidates


@attrs.frozen
class Deduplicate(Transform[Any, Any]):
    """Keeps the first row of each id and unites the provenance of the others into it."""

    traits = Trait.DROPS | Trait.ANNOTATES

    def transform(self, target: object, candidates: Candidates[C]) -> Candidates[C]:
        return candidates.deduplicate()


@attrs.frozen
class Truncate(Transform[Any, Any]):
    """Keeps the first ``count`` rows."""

    count: int
    traits = Trait.DROPS

    def transform(self, target: object, candidates: Candidates[C]) -> Candidates[C]:
        return candidates.head(self.count)


@attrs.frozen
class _Lifted(Transform[T, C]):
    function: Callable[[T, Candidates[C]], MaybeAwaitable[Candidates[C]]]
    traits: Trait = Trait.ANNOTATES

    @property
    def name(self) -> str:
        return function_name(self.function)

    def transform(self, target: T, candidates: Candidates[C]) -> MaybeAwaitable[Candidates[C]]:
        return self.function(target, candidates)


def transform(
    *, traits: Trait
) -> Callable[[Callable[[T, Candidates[C]], MaybeAwaitable[Candidates[C]]]], Transform[T, C]]:
    """Lift a sync or async function ``(target, candidates) -> Candidates`` to a transform."""

    def lift(function: Callable[[T, Candidates[C]], MaybeAwaitable[Candidates[C]]]) -> Transform[T, C]:
        return _Lifted(function, traits)

    return lift
