"""The few concurrency primitives of the engine, on anyio.

A task group is opened only where at least two things really wait: a child task costs about 15 µs, an awaited
coroutine 0.2 µs.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
import attrs

from mixer.component import close_unawaited, resolved
from mixer.run import Cause, degrade
from mixer.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mixer.component import MaybeAwaitable

A = TypeVar("A")
R = TypeVar("R")


async def gather(call: Callable[[A], MaybeAwaitable[R]], items: Sequence[A]) -> list[R]:
    """``call`` of every item, in order, waiting concurrently for the answers that must be awaited.

    The first exception cancels the others and is raised as it is, not in a group.
    """
    results: list[Any] = []
    waiting: list[int] = []
    try:
        for index, item in enumerate(items):
            answer = call(item)
            results.append(answer)
            if isinstance(answer, Awaitable):
                waiting.append(index)
        if len(waiting) == 1:
            results[waiting[0]] = await results[waiting[0]]
        elif waiting:
            await _fill(results, waiting)
    finally:
        # What a failure or a cancellation kept from starting must not complain about never being awaited.
        for answer in results:
            close_unawaited(answer)
    return cast("list[R]", results)


async def _fill(results: list[Any], waiting: list[int]) -> None:
    failures: list[Exception] = []

    async def fill(index: int) -> None:
        try:
            results[index] = await results[index]
        except Exception as error:  # noqa: BLE001 - raised again below, without the group around it
            failures.append(error)
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for index in waiting[:-1]:
            group.start_soon(fill, index)
        await fill(waiting[-1])  # one child task less
    if failures:
        raise failures[0]


def time_limit(target: object, within_s: float | None) -> anyio.CancelScope:
    """A cancel scope that ends after ``within_s`` seconds or at the request's deadline, whichever is first."""
    left = target.request.time_left_s() if isinstance(target, Target) else math.inf
    limit = left if within_s is None else min(within_s, left)
    return anyio.move_on_after(None if limit == math.inf else limit)


@attrs.frozen
class Failure:
    """What became of an attempt that did not answer."""

    cause: Cause
    error: Exception | None = None

    def report(self, component: str, effect: str) -> None:
        """Say so in the result of the request."""
        degrade(component, self.cause, effect, error_name=type(self.error).__name__ if self.error else "")


async def attempt(
    call: Callable[[], MaybeAwaitable[R]], target: object, within_s: float | None, *, errors: bool = True
) -> R | Failure:
    """The answer of ``call``, or a :class:`Failure` when time ran out or, with ``errors``, when it raised.

    This is the one place where declared failure policies catch exceptions.
    """
    with time_limit(target, within_s):
        try:
            return await resolved(call())
        except Exception as error:
            if not errors:
                raise
            return Failure(Cause.ERROR, error)
    return Failure(Cause.TIMEOUT)
