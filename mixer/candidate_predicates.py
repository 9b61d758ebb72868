"""Predicates on candidates: which rows may stay?

A candidate predicate answers for every row on its own, so splitting a batch never changes an answer. Operators
keep the per-candidate semantics of FRS ``base/Predicate.scala``, evaluated on whole batches: "short-circuit"
means that later predicates only see the rows they are needed for.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

import attrs
import numpy as np

from mixer import predicates as targets
from mixer.columns import Candidate
from mixer.component import Component, Deferred, MaybeAwaitable, Wrapper, function_name, resolved
from mixer.concurrency import Failure, attempt, gather
from mixer.errors import ContractError
from mixer.predicates import OnError, Predicate
from mixer.run import observing
from mixer.verdicts import ERROR_DROPPED, PredicateResult, Verdicts

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mixer.candidates import Candidates

T = TypeVar("T")
T2 = TypeVar("T2")
C = TypeVar("C", bound=Candidate)
T_contra = TypeVar("T_contra", contravariant=True)
C_contra = TypeVar("C_contra", bound=Candidate, contravariant=True)


class CandidatePredicate(Component, Generic[T_contra, C_contra]):
    """Decides row by row which candidates may stay. Exceptions propagate unless a policy is declared."""

    __slots__ = ()

    def check(self, target: T_contra, candidates: Candidates[C_contra]) -> MaybeAwaitable[Verdicts]:
        """One verdict a row, each depending on the target and that row alone."""
        raise NotImplementedError

    def and_then(
        self, other: CandidatePredicate[T_contra, C_contra]
    ) -> CandidatePredicate[T_contra, C_contra]:
        """Sequential AND: ``other`` only sees survivors; a dropped row keeps the reasons of whoever dropped it."""
        return _AndThen(self, other)

    def or_(self, other: CandidatePredicate[T_contra, C_contra]) -> CandidatePredicate[T_contra, C_contra]:
        """Sequential OR: ``other`` only sees rows this one drops; a row dropped by both unites the reasons."""
        return _Or(self, other)

    def negate(self, reason: str) -> CandidatePredicate[T_contra, C_contra]:
        """Keep exactly the rows this one drops; the others go for ``reason``."""
        return _Negate(self, reason)

    def gate(
        self, gate: Predicate[T_contra] | CandidatePredicate[T_contra, C_contra]
    ) -> CandidatePredicate[T_contra, C_contra]:
        """Ask about rows (or targets) for which ``gate`` is valid; all others stay. Gate reasons vanish."""
        return _TargetGate(self, gate) if isinstance(gate, Predicate) else _RowGate(self, gate)

    def map_target(self, function: Callable[[T2], T_contra]) -> CandidatePredicate[T2, C_contra]:
        """The same question for something from which the target can be computed."""
        return _MapTarget(self, function)

    def on_error(
        self, policy: OnError, *, within_s: float | None = None
    ) -> CandidatePredicate[T_contra, C_contra]:
        """Answer by policy when this predicate raises, or takes longer than ``within_s`` seconds.

        KEEP keeps every row; DROP drops every row for ``error_dropped`` (the choice for safety). Either is
        reported as a degradation.
        """
        return _OnError(self, policy, within_s)

    def observe(self, scope: str) -> CandidatePredicate[T_contra, C_contra]:
        """Time this predicate, and count what it keeps, into the stats scope ``scope``."""
        return _Observe(self, scope)


@attrs.frozen
class _AndThen(CandidatePredicate[T, C]):
    first: CandidatePredicate[T, C]
    second: CandidatePredicate[T, C]

    async def check(self, target: T, candidates: Candidates[C]) -> Verdicts:
        one = await resolved(self.first.check(target, candidates))
        if one.keep.all():
            return await resolved(self.second.check(target, candidates))
        if not one.keep.any():
            return one
        two = await resolved(self.second.check(target, candidates.where(one.keep)))
        if two.keep.all():
            return one
        spread = two.scattered(len(one), one.keep)
        return Verdicts.united(one.keep & spread.keep, (one, spread))


@attrs.frozen
class _Or(CandidatePredicate[T, C]):
    first: CandidatePredicate[T, C]
    second: CandidatePredicate[T, C]

    async def check(self, target: T, candidates: Candidates[C]) -> Verdicts:
        one = await resolved(self.first.check(target, candidates))
        if one.keep.all():
            return one
        rest = ~one.keep
        two = await resolved(self.second.check(target, candidates.where(rest)))
        spread = two.scattered(len(one), rest)
        return Verdicts.united(one.keep | spread.keep, (one, spread))


@attrs.frozen
class _Negate(CandidatePredicate[T, C]):
    inner: CandidatePredicate[T, C]
    reason: str

    async def check(self, target: T, candidates: Candidates[C]) -> Verdicts:
        verdicts = await resolved(self.inner.check(target, candidates))
        return Verdicts.keep_where(~verdicts.keep, self.reason)


@attrs.frozen
class _TargetGate(CandidatePredicate[T, C]):
    inner: CandidatePredicate[T, C]
    gate_: Predicate[T]

    async def check(self, target: T, candidates: Candidates[C]) -> Verdicts:
        if (await resolved(self.gate_.check(target))).valid:
            return await resolved(self.inner.check(target, candidates))
        return Verdicts.keep_all(len(candidates))


@attrs.frozen
class _RowGate(CandidatePredicate[T, C]):
    inner: CandidatePredicate[T, C]
    gate_: CandidatePredicate[T, C]

    async def check(self, target: T, candidates: Candidates[C]) -> Verdicts:
        asked = (await resolved(self.gate_.check(target, candidates))).keep
        if not asked.any():
            return Verdicts.keep_all(len(candidates))
        verdicts = await resolved(self.inner.check(target, candidates.where(asked)))
        return verdicts.scattered(len(candidates), asked)


@attrs.frozen
class _MapTarget(Wrapper, CandidatePredicate[T2, C], Generic[T, T2, C]):
    inner: CandidatePredicate[T, C]
    function: Callable[[T2], T]

    def check(self, target: T2, candidates: Candidates[C]) -> MaybeAwaitable[Verdicts]:
        return self.inner.check(self.function(target), candidates)


@attrs.frozen
class _OnError(Wrapper, CandidatePredicate[T, C]):
    inner: CandidatePredicate[T, C]
    policy: OnError
    within_s: float | None

    async def check(self, target: T, candidates: Candidates[C]) -> Verdicts:
        answer = await attempt(lambda: self.inner.check(target, candidates), target, self.within_s)
        if not isinstance(answer, Failure):
            return answer
        answer.report(self.name, f"policy {self.policy.name} for {len(candidates)} candidates")
        if self.policy is OnError.KEEP:
            return Verdicts.keep_all(len(candidates))
        return Verdicts.drop_all(len(candidates), ERROR_DROPPED)


@attrs.frozen
class _Observe(Wrapper, CandidatePredicate[T, C]):
    inner: CandidatePredicate[T, C]
    scope: str

    async def check(self, target: T, candidates: Candidates[C]) -> Verdicts:
        with observing(self.scope) as observation:
            verdicts = await resolved(self.inner.check(target, candidates))
            observation.rows = int(np.count_nonzero(verdicts.keep))
            return verdicts


@attrs.frozen
class AllOf(CandidatePredicate[T, C]):
    """Asks all concurrently about every row; a row stays if all keep it, else goes for all reasons."""

    predicates: tuple[CandidatePredicate[T, C], ...]

    async def check(self, target: T, candidates: Candidates[C]) -> Verdicts:
        parts = await gather(lambda predicate: predicate.check(target, candidates), self.predicates)
        keep = np.ones(len(candidates), dtype=np.bool_)
        for part in parts:
            keep &= part.keep
        return Verdicts.united(keep, parts)


@attrs.frozen
class AnyOf(CandidatePredicate[T, C]):
    """Asks all concurrently about every row; a row stays if one keeps it, else goes for all reasons."""

    predicates: tuple[CandidatePredicate[T, C], ...]

    async def check(self, target: T, candidates: Candidates[C]) -> Verdicts:
        parts = await gather(lambda predicate: predicate.check(target, candidates), self.predicates)
        keep = np.zeros(len(candidates), dtype=np.bool_)
        for part in parts:
            keep |= part.keep
        return Verdicts.united(keep, parts)


@attrs.frozen
class KeepAll(CandidatePredicate[Any, Any]):
    """Keeps every row."""

    def check(self, target: object, candidates: Candidates[Any]) -> Verdicts:
        return Verdicts.keep_all(len(candidates))


@attrs.frozen
class DropAll(CandidatePredicate[Any, Any]):
    """Drops every row for ``reason``."""

    reason: str = "no_reason"

    def check(self, target: object, candidates: Candidates[Any]) -> Verdicts:
        return Verdicts.drop_all(len(candidates), self.reason)


@attrs.frozen
class EveryTarget(CandidatePredicate[T, Any]):
    """A predicate on the target, asked about rows: they all stay or they all go."""

    predicate: Predicate[T]

    async def check(self, target: T, candidates: Candidates[Any]) -> Verdicts:
        result: PredicateResult = await resolved(self.predicate.check(target))
        if result.valid:
            return Verdicts.keep_all(len(candidates))
        return Verdicts.drop_all(len(candidates), *sorted(result.reasons))


_Answer = MaybeAwaitable["Verdicts | NDArray[np.bool_]"]


@attrs.frozen
class _Lifted(CandidatePredicate[T, C]):
    function: Callable[[T, Candidates[C]], _Answer]
    reason: str

    @property
    def name(self) -> str:
        return function_name(self.function)

    def check(self, target: T, candidates: Candidates[C]) -> MaybeAwaitable[Verdicts]:
        answer = self.function(target, candidates)
        if isinstance(answer, Verdicts | np.ndarray):
            return self._verdicts(answer)
        if not isinstance(answer, Awaitable):  # pyright: ignore[reportUnnecessaryIsInstance] - users' code
            return self._verdicts(answer)  # which says what it is not
        return Deferred(answer, self._check_async)

    async def _check_async(self, answer: Awaitable[Verdicts | NDArray[np.bool_]]) -> Verdicts:
        return self._verdicts(await answer)

    def _verdicts(self, answer: object) -> Verdicts:
        if isinstance(answer, Verdicts):
            return answer
        if isinstance(answer, np.ndarray):
            return Verdicts.keep_where(cast("NDArray[np.bool_]", answer), self.reason)
        raise ContractError(self.name, "a boolean mask or Verdicts", type(answer).__name__)


def candidate_predicate(
    *, reason: str
) -> Callable[[Callable[[T, Candidates[C]], _Answer]], CandidatePredicate[T, C]]:
    """Lift a function ``(target, candidates) -> keep mask`` (or Verdicts), sync or async, to a predicate."""

    def lift(function: Callable[[T, Candidates[C]], _Answer]) -> CandidatePredicate[T, C]:
        return _Lifted(function, reason)

    return lift


@overload
def all_of(*predicates: Predicate[T]) -> Predicate[T]: ...
@overload
def all_of(*predicates: CandidatePredicate[T, C]) -> CandidatePredicate[T, C]: ...
def all_of(*predicates: Any) -> Any:
    """Concurrent AND without short-circuit over predicates of one kind; unites all reasons."""
    return targets.AllOf(predicates) if isinstance(predicates[0], Predicate) else AllOf(predicates)


@overload
def any_of(*predicates: Predicate[T]) -> Predicate[T]: ...
@overload
def any_of(*predicates: CandidatePredicate[T, C]) -> CandidatePredicate[T, C]: ...
def any_of(*predicates: Any) -> Any:
    """Concurrent OR without short-circuit over predicates of one kind; if none is valid, unites all reasons."""
    return targets.AnyOf(predicates) if isinstance(predicates[0], Predicate) else AnyOf(predicates)
