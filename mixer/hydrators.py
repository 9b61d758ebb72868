"""Hydrators: fetch columns for candidates.

A hydrator declares which columns it reads and writes. From that the flow computes layers: everything in a layer
runs concurrently on the same batch, and sees what earlier layers wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import attrs

from mixer.columns import Candidate
from mixer.component import Component, MaybeAwaitable, Wrapper, function_name, resolved
from mixer.concurrency import Failure, attempt, gather
from mixer.errors import ContractError
from mixer.run import capture_hydrated, note, observing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mixer.candidates import Candidates
    from mixer.columns import Column
    from mixer.predicates import Predicate

T = TypeVar("T")
T2 = TypeVar("T2")
C = TypeVar("C", bound=Candidate)
T_contra = TypeVar("T_contra", contravariant=True)
C_contra = TypeVar("C_contra", bound=Candidate, contravariant=True)

Columns: TypeAlias = "Mapping[Column[Any, Any], object]"
"""What a hydrator answers: arrays by column, one value a row."""
Keys = tuple["Column[Any, Any]", ...]


class Hydrator(Component, Generic[T_contra, C_contra]):
    """Fetches declared columns for all rows of a batch. Exceptions propagate unless a policy is declared."""

    __slots__ = ()

    reads: Keys = ()
    """Columns that must be there before this hydrator runs."""
    writes: Keys = ()
    """Columns that it returns: exactly these."""

    def hydrate(self, target: T_contra, candidates: Candidates[C_contra]) -> MaybeAwaitable[Columns]:
        """Arrays by column, one value a row, in the order of the batch."""
        raise NotImplementedError

    def fail_open(self, *, within_s: float | None = None) -> Hydrator[T_contra, C_contra]:
        """Leave the columns unwritten, and the result degraded, on an error or after ``within_s`` seconds.

        An unwritten column reads as its default; one without a default raises where it is read.
        """
        return _FailOpen(self, within_s)

    def gate(self, gate: Predicate[T_contra]) -> Hydrator[T_contra, C_contra]:
        """Run only if ``gate`` is valid; otherwise the columns stay unwritten."""
        return _Gate(self, gate)

    def map_target(self, function: Callable[[T2], T_contra]) -> Hydrator[T2, C_contra]:
        """The same hydrator for something from which the target can be computed."""
        return _MapTarget(self, function)

    def observe(self, scope: str) -> Hydrator[T_contra, C_contra]:
        """Time this hydrator into the stats scope ``scope``."""
        return _Observe(self, scope)


class _Wrapper(Wrapper, Hydrator[T, C]):
    inner: Hydrator[Any, Any]

    @property
    def reads(self) -> Keys:  # type: ignore[override] - computed from the wrapped hydrator
        return self.inner.reads

    @property
    def writes(self) -> Keys:  # type: ignore[override]
        return self.inner.writes


@attrs.frozen
class _FailOpen(_Wrapper[T, C]):
    inner: Hydrator[T, C]
    within_s: float | None

    async def hydrate(self, target: T, candidates: Candidates[C]) -> Columns:
        answer = await attempt(lambda: self.inner.hydrate(target, candidates), target, self.within_s)
        if not isinstance(answer, Failure):
            return answer
        answer.report(self.name, "without " + ", ".join(key.name for key in self.writes))
        return {}


@attrs.frozen
class _Gate(_Wrapper[T, C]):
    inner: Hydrator[T, C]
    gate_: Predicate[T]

    async def hydrate(self, target: T, candidates: Candidates[C]) -> Columns:
        if (await resolved(self.gate_.check(target))).valid:
            return await resolved(self.inner.hydrate(target, candidates))
        return {}


@attrs.frozen
class _MapTarget(_Wrapper[T2, C], Generic[T, T2, C]):
    inner: Hydrator[T, C]
    function: Callable[[T2], T]

    def hydrate(self, target: T2, candidates: Candidates[C]) -> MaybeAwaitable[Columns]:
        return self.inner.hydrate(self.function(target), candidates)


@attrs.frozen
class _Observe(_Wrapper[T, C]):
    inner: Hydrator[T, C]
    scope: str

    async def hydrate(self, target: T, candidates: Candidates[C]) -> Columns:
        with observing(self.scope) as observation:
            observation.rows = len(candidates)
            return await resolved(self.inner.hydrate(target, candidates))


@attrs.frozen
class _Lifted(Hydrator[T, C]):
    function: Callable[[T, Candidates[C]], MaybeAwaitable[Columns]]
    reads: Keys = ()
    writes: Keys = ()

    @property
    def name(self) -> str:
        return function_name(self.function)

    def hydrate(self, target: T, candidates: Candidates[C]) -> MaybeAwaitable[Columns]:
        return self.function(target, candidates)


def hydrator(
    *, writes: Keys, reads: Keys = ()
) -> Callable[[Callable[[T, Candidates[C]], MaybeAwaitable[Columns]]], Hydrator[T, C]]:
    """Lift a sync or async function ``(target, candidates) -> {column: array}`` to a hydrator."""

    def lift(
        function: Callable[[T, Candidates[C]], MaybeAwaitable[Columns]],
    ) -> Hydrator[T, C]:
        return _Lifted(function, reads, writes)

    return lift


def layers_of(hydrators: Sequence[Hydrator[T, C]]) -> tuple[list[list[Hydrator[T, C]]], list[str]]:
    """Layers such that each hydrator comes after those that write what it reads, and wiring problems."""
    writer: dict[Column[Any, Any], Hydrator[T, C]] = {}
    problems: list[str] = []
    for one in hydrators:
        if not one.writes:
            problems.append(f"hydrator {one.name!r} declares no column it writes")
        for key in one.writes:
            if key in writer:
                problems.append(
                    f"column {key!r} is written by hydrators {writer[key].name!r} and {one.name!r}"
                )
            writer[key] = one
    layers: list[list[Hydrator[T, C]]] = []
    waiting = list(hydrators)
    done: set[int] = set()
    while waiting:
        ready = [one for one in waiting if all(_is_there(key, one, writer, done) for key in one.reads)]
        if not ready:
            cycle = ", ".join(sorted(one.name for one in waiting))
            problems.append(f"hydrators read each other's columns in a cycle: {cycle}")
            break
        layers.append(ready)
        done.update(id(one) for one in ready)
        waiting = [one for one in waiting if id(one) not in done]
    return layers, problems


def _is_there(
    key: Column[Any, Any], reader: Hydrator[T, C], writer: Mapping[Any, Hydrator[T, C]], done: set[int]
) -> bool:
    source = writer.get(key)
    return source is None or source is reader or id(source) in done


async def hydrate_layers(
    layers: Sequence[Sequence[Hydrator[T, C]]], target: T, candidates: Candidates[C]
) -> Candidates[C]:
    """Run all layers on a batch.

    Raises:
        ContractError: a hydrator returned other columns than it declares.
    """
    for layer in layers:
        batch = candidates
        answers = await gather(lambda one, batch=batch: one.hydrate(target, batch), layer)
        for one, columns in zip(layer, answers, strict=True):
            capture_hydrated(one.name, columns)
            if not columns:
                continue
            if set(columns) != set(one.writes):
                expected = sorted(map(repr, one.writes))
                raise ContractError(
                    one.name, f"exactly the columns {expected}", f"{sorted(map(repr, columns))}"
                )
            before, candidates = candidates, candidates.with_columns(columns)
            note(one.name, before, candidates)
    return candidates
