"""Predicates on a target: is this request eligible at all?

Source of the semantics: FRS ``base/Predicate.scala``. Two things are different on purpose: negation exists and
names its reason, and what happens on an error is an explicit policy (:meth:`Predicate.on_error`) instead of a
reason called "fail open" that drops.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from mixer.component import Component, Deferred, MaybeAwaitable, Wrapper, function_name, resolved
from mixer.concurrency import Failure, attempt, gather
from mixer.run import observing
from mixer.verdicts import ERROR_DROPPED, PredicateResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mixer.params import Param

T = TypeVar("T")
T2 = TypeVar("T2")
T_contra = TypeVar("T_contra", contravariant=True)


class OnError(Enum):
    """What a predicate that fails or runs out of time means for what it was asked about."""

    KEEP = "keep"
    DROP = "drop"


class Predicate(Component, Generic[T_contra]):
    """Decides whether a target is eligible. Exceptions propagate unless a policy is declared."""

    __slots__ = ()

    def check(self, target: T_contra) -> MaybeAwaitable[PredicateResult]:
        """Valid, or invalid with reasons."""
        raise NotImplementedError

    def and_then(self, other: Predicate[T_contra]) -> Predicate[T_contra]:
        """Sequential AND: an invalid first answer is final, with its reasons only."""
        return _AndThen(self, other)

    def or_(self, other: Predicate[T_contra]) -> Predicate[T_contra]:
        """Sequential OR: a valid first answer is final; both invalid unites the reasons."""
        return _Or(self, other)

    def negate(self, reason: str) -> Predicate[T_contra]:
        """Valid exactly when this one is invalid; otherwise invalid for ``reason``."""
        return _Negate(self, reason)

    def gate(self, gate: Predicate[T_contra]) -> Predicate[T_contra]:
        """Ask this predicate only if ``gate`` is valid; otherwise the answer is valid. Gate reasons vanish."""
        return _Gate(self, gate)

    def map_target(self, function: Callable[[T2], T_contra]) -> Predicate[T2]:
        """The same question about something from which the target can be computed."""
        return _MapTarget(self, function)

    def on_error(self, policy: OnError, *, within_s: float | None = None) -> Predicate[T_contra]:
        """Answer by policy when this predicate raises, or takes longer than ``within_s`` seconds.

        KEEP answers valid; DROP answers invalid for ``error_dropped``. Either is reported as a degradation.
        """
        return _OnError(self, policy, within_s)

    def observe(self, scope: str) -> Predicate[T_contra]:
        """Time this predicate into the stats scope ``scope``."""
        return _Observe(self, scope)


@attrs.frozen
class _AndThen(Predicate[T]):
    first: Predicate[T]
    second: Predicate[T]

    async def check(self, target: T) -> PredicateResult:
        result = await resolved(self.first.check(target))
        return await resolved(self.second.check(target)) if result.valid else result


@attrs.frozen
class _Or(Predicate[T]):
    first: Predicate[T]
    second: Predicate[T]

    async def check(self, target: T) -> PredicateResult:
        one = await resolved(self.first.check(target))
        if one.valid:
            return one
        two = await resolved(self.second.check(target))
        return two if two.valid else PredicateResult.invalid(*one.reasons, *two.reasons)


@attrs.frozen
class _Negate(Predicate[T]):
    inner: Predicate[T]
    reason: str

    async def check(self, target: T) -> PredicateResult:
        result = await resolved(self.inner.check(target))
        return PredicateResult.invalid(self.reason) if result.valid else PredicateResult.VALID


@attrs.frozen
class _Gate(Predicate[T]):
    inner: Predicate[T]
    gate_: Predicate[T]

    async def check(self, target: T) -> PredicateResult:
        if (await resolved(self.gate_.check(target))).valid:
            return await resolved(self.inner.check(target))
        return PredicateResult.VALID


@attrs.frozen
class _MapTarget(Wrapper, Predicate[T2], Generic[T, T2]):
    inner: Predicate[T]
    function: Callable[[T2], T]

    def check(self, target: T2) -> MaybeAwaitable[PredicateResult]:
        return self.inner.check(self.function(target))


@attrs.frozen
class _OnError(Wrapper, Predicate[T]):
    inner: Predicate[T]
    policy: OnError
    within_s: float | None

    async def check(self, target: T) -> PredicateResult:
        answer = await attempt(lambda: self.inner.check(target), target, self.within_s)
        if not isinstance(answer, Failure):
            return answer
        answer.report(self.name, f"policy {self.policy.name}")
        return (
            PredicateResult.VALID if self.policy is OnError.KEEP else PredicateResult.invalid(ERROR_DROPPED)
        )


@attrs.frozen
class _Observe(Wrapper, Predicate[T]):
    inner: Predicate[T]
    scope: str

    async def check(self, target: T) -> PredicateResult:
        with observing(self.scope):
            return await resolved(self.inner.check(target))


@attrs.frozen
class AllOf(Predicate[T]):
    """Asks all predicates concurrently, without short-circuit; invalid unites all reasons; none at all is valid."""

    predicates: tuple[Predicate[T], ...]

    async def check(self, target: T) -> PredicateResult:
        results = await gather(lambda predicate: predicate.check(target), self.predicates)
        invalid = [result for result in results if not result.valid]
        if not invalid:
            return PredicateResult.VALID
        return PredicateResult.invalid(*(reason for result in invalid for reason in result.reasons))


@attrs.frozen
class AnyOf(Predicate[T]):
    """Asks all concurrently; one valid answer suffices; otherwise unites all reasons; none at all is invalid."""

    predicates: tuple[Predicate[T], ...]

    async def check(self, target: T) -> PredicateResult:
        results = await gather(lambda predicate: predicate.check(target), self.predicates)
        if any(result.valid for result in results):
            return PredicateResult.VALID
        return PredicateResult.invalid(*(reason for result in results for reason in result.reasons))


@attrs.frozen
class Always(Predicate[Any]):
    """Every target is valid."""

    def check(self, target: object) -> PredicateResult:
        return PredicateResult.VALID


@attrs.frozen
class Never(Predicate[Any]):
    """No target is valid, for ``reason``."""

    reason: str = "no_reason"

    def check(self, target: object) -> PredicateResult:
        return PredicateResult.invalid(self.reason)


@attrs.frozen
class ParamIsOn(Predicate[Any]):
    """Valid when a boolean param is true; otherwise invalid for ``param_<name>``."""

    param: Param[bool]

    def check(self, target: Any) -> PredicateResult:
        if target.request.params[self.param]:
            return PredicateResult.VALID
        return PredicateResult.invalid(f"param_{self.param.name}")


@attrs.frozen
class _Lifted(Predicate[T]):
    function: Callable[[T], MaybeAwaitable[PredicateResult | bool]]
    reason: str

    @property
    def name(self) -> str:
        return function_name(self.function)

    def check(self, target: T) -> MaybeAwaitable[PredicateResult]:
        answer = self.function(target)
        if isinstance(answer, bool | PredicateResult):
            return self._result(answer)
        return Deferred(answer, self._check_async)

    async def _check_async(self, answer: Awaitable[PredicateResult | bool]) -> PredicateResult:
        return self._result(await answer)

    def _result(self, answer: PredicateResult | bool) -> PredicateResult:
        if isinstance(answer, PredicateResult):
            return answer
        return PredicateResult.VALID if answer else PredicateResult.invalid(self.reason)


def predicate(
    *, reason: str = "no_reason"
) -> Callable[[Callable[[T], MaybeAwaitable[PredicateResult | bool]]], Predicate[T]]:
    """Lift a sync or async function ``target -> bool`` (or PredicateResult) to a predicate."""

    def lift(function: Callable[[T], MaybeAwaitable[PredicateResult | bool]]) -> Predicate[T]:
        return _Lifted(function, reason)

    return lift
