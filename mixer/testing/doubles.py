"""Stages that misbehave: wrap any stage so that it fails, hangs, is slow, or records its calls.

The wrapped stage keeps its kind and name, so it can stand wherever the original stood.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, cast

import anyio
import attrs

from mixer.candidate_predicates import CandidatePredicate
from mixer.candidates import Candidates
from mixer.columns import Column
from mixer.component import Component, Wrapper, resolved
from mixer.hydrators import Hydrator
from mixer.predicates import Predicate
from mixer.rankers import Ranker
from mixer.result import RecommendationResult
from mixer.side_effects import SideEffect
from mixer.sources import CandidateSource
from mixer.transforms import Trait, Transform
from mixer.verdicts import PredicateResult, Verdicts

S = TypeVar("S", bound=Component)
Behaviour = Callable[[tuple[Any, ...]], Awaitable[None]]


def failing(stage: S, error: Exception | None = None) -> S:
    """The stage, raising ``error`` (RuntimeError by default) whenever it is called."""

    async def fail(_: tuple[Any, ...]) -> None:
        raise error or RuntimeError("this double fails")

    return _with(stage, fail)


def hanging(stage: S) -> S:
    """The stage, waiting until it is cancelled; combine it with a deadline or ``within``."""

    async def hang(_: tuple[Any, ...]) -> None:
        await anyio.sleep_forever()

    return _with(stage, hang)


def slow(stage: S, seconds: float = 0.0) -> S:
    """The stage, letting others run (and ``seconds`` pass) before it answers."""

    async def wait(_: tuple[Any, ...]) -> None:
        await anyio.sleep(seconds)

    return _with(stage, wait)


def recording(stage: S) -> tuple[S, list[tuple[Any, ...]]]:
    """The stage, and the list that its arguments are appended to at every call."""
    calls: list[tuple[Any, ...]] = []

    async def record(arguments: tuple[Any, ...]) -> None:
        calls.append(arguments)

    return _with(stage, record), calls


def _with(stage: S, behave: Behaviour) -> S:
    for kind, double in _DOUBLES.items():
        if isinstance(stage, kind):
            return cast(S, double(stage, behave))
    raise TypeError(f"expected a stage, got {type(stage).__name__}")


@attrs.frozen(slots=False)
class _Source(Wrapper, CandidateSource[Any, Any]):
    inner: CandidateSource[Any, Any]
    behave: Behaviour

    async def fetch(self, target: Any) -> Candidates[Any]:
        await self.behave((target,))
        return await resolved(self.inner.fetch(target))


@attrs.frozen(slots=False)
class _Predicate(Wrapper, Predicate[Any]):
    inner: Predicate[Any]
    behave: Behaviour

    async def check(self, target: Any) -> PredicateResult:
        await self.behave((target,))
        return await resolved(self.inner.check(target))


@attrs.frozen(slots=False)
class _CandidatePredicate(Wrapper, CandidatePredicate[Any, Any]):
    inner: CandidatePredicate[Any, Any]
    behave: Behaviour

    async def check(self, target: Any, candidates: Candidates[Any]) -> Verdicts:
        await self.behave((target, candidates))
        return await resolved(self.inner.check(target, candidates))


@attrs.frozen(slots=False)
class _Hydrator(Wrapper, Hydrator[Any, Any]):
    inner: Hydrator[Any, Any]
    behave: Behaviour

    @property
    def reads(self) -> tuple[Column[Any, Any], ...]:  # type: ignore[override] - computed
        return self.inner.reads

    @property
    def writes(self) -> tuple[Column[Any, Any], ...]:  # type: ignore[override] - computed
        return self.inner.writes

    async def hydrate(self, target: Any, candidates: Candidates[Any]) -> Mapping[Column[Any, Any], object]:
        await self.behave((target, candidates))
        return await resolved(self.inner.hydrate(target, candidates))


@attrs.frozen(slots=False)
class _Ranker(Wrapper, Ranker[Any, Any]):
    inner: Ranker[Any, Any]
    behave: Behaviour

    @property
    def traits(self) -> Trait:  # type: ignore[override] - computed
        return self.inner.traits

    async def rank(self, target: Any, candidates: Candidates[Any]) -> Candidates[Any]:
        await self.behave((target, candidates))
        return await resolved(self.inner.rank(target, candidates))


@attrs.frozen(slots=False)
class _Transform(Wrapper, Transform[Any, Any]):
    inner: Transform[Any, Any]
    behave: Behaviour

    @property
    def traits(self) -> Trait:  # type: ignore[override] - computed
        return self.inner.traits

    async def transform(self, target: Any, candidates: Candidates[Any]) -> Candidates[Any]:
        await self.behave((target, candidates))
        return await resolved(self.inner.transform(target, candidates))


@attrs.frozen(slots=False)
class _SideEffect(Wrapper, SideEffect[Any, Any]):
    inner: SideEffect[Any, Any]
    behave: Behaviour

    async def apply(self, target: Any, result: RecommendationResult[Any]) -> None:
        await self.behave((target, result))
        await resolved(self.inner.apply(target, result))


_DOUBLES: dict[type[Component], Callable[[Any, Behaviour], Component]] = {
    CandidateSource: _Source,
    Predicate: _Predicate,
    CandidatePredicate: _CandidatePredicate,
    Hydrator: _Hydrator,
    Ranker: _Ranker,
    Transform: _Transform,
    SideEffect: _SideEffect,
}
