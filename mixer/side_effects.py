"""Side effects: what happens after the answer, and can never harm it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio
import attrs

from mixer.columns import Candidate
from mixer.component import Component, MaybeAwaitable, function_name, resolved
from mixer.logs import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from mixer.result import RecommendationResult
    from mixer.stats import StatsReceiver

T = TypeVar("T")
C = TypeVar("C", bound=Candidate)


class SideEffect(Component, Generic[T, C]):
    """Something done with a finished answer: record impressions, publish, warm a cache."""

    __slots__ = ()

    def apply(self, target: T, result: RecommendationResult[C]) -> MaybeAwaitable[None]:
        """Runs after the answer. Exceptions are counted and logged, never raised to the caller."""
        raise NotImplementedError


@attrs.frozen
class _Lifted(SideEffect[T, C]):
    function: Callable[[T, RecommendationResult[C]], MaybeAwaitable[None]]

    @property
    def name(self) -> str:
        return function_name(self.function)

    def apply(self, target: T, result: RecommendationResult[C]) -> MaybeAwaitable[None]:
        return self.function(target, result)


def side_effect(function: Callable[[T, RecommendationResult[C]], MaybeAwaitable[None]]) -> SideEffect[T, C]:
    """Lift a sync or async function ``(target, result) -> None`` to a side effect named after it."""
    return _Lifted(function)


class SideEffectQueue:
    """Runs side effects behind the answers: bounded, drained on shutdown.

    Outside ``async with`` (scripts, tests) :meth:`submit` runs them before it returns. Inside, they wait in a
    queue of ``capacity`` requests; when it is full the newest are dropped and counted in ``dropped``. Leaving
    waits up to ``drain_s`` seconds for what is queued.
    """

    def __init__(self, stats: StatsReceiver, *, capacity: int = 1000, drain_s: float = 5.0) -> None:
        self._applied = stats.counter("applied")
        self._dropped = stats.counter("dropped")
        self._failed = stats.scope("failures")
        self._capacity = capacity
        self._drain_s = drain_s
        self._send: Any = None
        self._group: Any = None

    async def __aenter__(self) -> None:
        if self._send is not None:
            raise RuntimeError("side effects are already running; enter a flow once")
        self._send, receive = anyio.create_memory_object_stream[tuple[Any, ...]](self._capacity)
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._work, receive)

    async def __aexit__(self, *exception: object) -> bool | None:
        self._send.close()
        self._send = None
        self._group.cancel_scope.deadline = anyio.current_time() + self._drain_s
        group, self._group = self._group, None
        return await group.__aexit__(*exception)

    async def _work(self, receive: Any) -> None:
        async with receive:
            async for effects, target, result in receive:
                await self._apply(effects, target, result)

    async def submit(
        self, effects: tuple[SideEffect[T, C], ...], target: T, result: RecommendationResult[C]
    ) -> None:
        """Queue the effects of one request, or run them if no queue runs."""
        if self._send is None:
            await self._apply(effects, target, result)
            return
        try:
            self._send.send_nowait((effects, target, result))
        except anyio.WouldBlock:
            self._dropped.incr()

    async def _apply(self, effects: tuple[SideEffect[Any, Any], ...], target: object, result: Any) -> None:
        for effect in effects:
            try:
                await resolved(effect.apply(target, result))
                self._applied.incr()
            except Exception as error:  # noqa: BLE001 - a side effect can never fail a request
                self._failed.counter(type(error).__name__).incr()
                logger("mixer.side_effects").warning(
                    "side effect failed", side_effect=effect.name, error=repr(error)
                )
