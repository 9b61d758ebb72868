"""Serves a model to an event loop: concurrent requests share a batch, a worker thread does the work.

After Navi's rules: a batch leaves when it holds ``max_requests`` or its oldest request has waited ``max_wait_s``; a
request older than ``drop_after_s`` is dropped instead of computed in vain. Navi drops the whole batch with it; here
only the old request goes.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.to_thread
import attrs
from attrs.validators import ge, gt

from components.models.heavy_ranker.rows import Rows
from mixer.errors import MixerError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    import numpy as np
    from anyio.streams.memory import MemoryObjectReceiveStream
    from numpy.typing import NDArray


class OverloadedError(MixerError):
    """A request waited longer than it may, and was dropped without an answer."""


class Scorer(Protocol):
    """What is served; called in a worker thread."""

    def probabilities(self, rows: Rows) -> NDArray[np.float32]:
        """Probabilities, (rows, heads); a row's answer depends on that row alone."""
        ...


@attrs.frozen
class BatchLimits:
    """When a batch leaves, and who is dropped.

    Attributes:
        max_requests: requests of one batch.
        max_rows: rows of one batch, unless a single request holds more.
        max_wait_s: the oldest request waits this long for company.
        drop_after_s: a request that is older when its batch would start is dropped.
        queue_size: requests that may wait; further ones wait for a place, as long as they may grow old.
        workers: batches that are computed at the same time.

    Source: Navi (16 requests, 2 ms, 90 ms, 32,000).
    """

    max_requests: int = attrs.field(default=16, validator=ge(1))
    max_rows: int = attrs.field(default=16_384, validator=ge(1))
    max_wait_s: float = attrs.field(default=0.002, validator=ge(0.0))
    drop_after_s: float = attrs.field(default=0.090, validator=gt(0.0))
    queue_size: int = attrs.field(default=32_000, validator=ge(0))
    workers: int = attrs.field(default=1, validator=ge(1))


@attrs.define
class RunnerStats:
    """Counts since the start."""

    requests: int = 0
    rows: int = 0
    batches: int = 0
    dropped: int = 0
    failed: int = 0
    swaps: int = 0


@attrs.define(eq=False)
class _Request:
    rows: Rows
    since: float
    done: anyio.Event = attrs.field(factory=anyio.Event)
    answer: NDArray[np.float32] | BaseException | None = None
    abandoned: bool = False

    def finish(self, answer: NDArray[np.float32] | BaseException) -> None:
        self.answer = answer
        self.done.set()


class ModelRunner:
    """Made by ``serving``; ``score`` and ``swap`` may be called from any number of tasks."""

    def __init__(
        self, scorer: Scorer, limits: BatchLimits, warm_up: Rows | None, clock: Callable[[], float]
    ) -> None:
        self.limits, self.stats = limits, RunnerStats()
        self._scorer, self._warm_up, self._clock = scorer, warm_up, clock
        self._threads = anyio.CapacityLimiter(limits.workers)
        self._send, self._receive = anyio.create_memory_object_stream[_Request](limits.queue_size)

    async def score(self, rows: Rows) -> NDArray[np.float32]:
        """Probabilities of one request's rows, (rows, heads), computed together with other requests'.

        Raises:
            OverloadedError: the request grew older than ``drop_after_s`` before its batch started.
        """
        request = _Request(rows, self._clock())
        self.stats.requests += 1
        try:
            with anyio.fail_after(self.limits.drop_after_s):
                await self._send.send(request)
        except TimeoutError:
            raise self._overloaded("found no place in the queue") from None
        try:
            await request.done.wait()
        finally:
            # A caller that was cancelled needs no answer any more.
            request.abandoned = True
        if isinstance(request.answer, BaseException):
            raise request.answer
        assert request.answer is not None  # noqa: S101 - finish() sets it before done
        return request.answer

    async def swap(self, scorer: Scorer) -> None:
        """Warms a new model up, then serves it; running batches end on the old one, no request is dropped."""
        await self._warm(scorer)
        self._scorer = scorer
        self.stats.swaps += 1

    async def _warm(self, scorer: Scorer) -> None:
        if self._warm_up is not None:
            # A limiter of its own: warming up must not hold up the requests being served.
            await anyio.to_thread.run_sync(
                scorer.probabilities, self._warm_up, limiter=anyio.CapacityLimiter(1)
            )

    async def _serve(self, receive: MemoryObjectReceiveStream[_Request]) -> None:
        carried: _Request | None = None
        with receive:
            while True:
                try:
                    first = carried or await receive.receive()
                except anyio.EndOfStream:
                    return
                batch, carried = await self._collect(first, receive)
                batch = self._still_wanted(batch)
                if batch:
                    await self._run(batch)

    async def _collect(
        self, first: _Request, receive: MemoryObjectReceiveStream[_Request]
    ) -> tuple[list[_Request], _Request | None]:
        """A batch, and the request that no longer fitted into it."""
        batch, size = [first], len(first.rows)
        left = max(0.0, first.since + self.limits.max_wait_s - self._clock())
        with anyio.move_on_after(left):
            while len(batch) < self.limits.max_requests:
                try:
                    request = await _next(receive)
                except anyio.EndOfStream:
                    break
                size += len(request.rows)
                if size > self.limits.max_rows:
                    return batch, request
                batch.append(request)
        return batch, None

    def _still_wanted(self, batch: Sequence[_Request]) -> list[_Request]:
        kept = []
        for request in batch:
            if self._clock() - request.since > self.limits.drop_after_s:
                request.finish(self._overloaded("waited for its batch"))
            elif not request.abandoned:
                kept.append(request)
        return kept

    async def _run(self, batch: Sequence[_Request]) -> None:
        self.stats.batches += 1
        self.stats.rows += sum(len(request.rows) for request in batch)
        try:
            answers = await anyio.to_thread.run_sync(_answers, self._scorer, batch, limiter=self._threads)
        except BaseException as error:
            # Cancelled, or out of memory: nobody may be left waiting.
            for request in batch:
                request.finish(
                    error if isinstance(error, Exception) else OverloadedError("the runner was stopped")
                )
            raise
        for request, answer in zip(batch, answers, strict=True):
            self.stats.failed += isinstance(answer, BaseException)
            request.finish(answer)

    def _overloaded(self, what: str) -> OverloadedError:
        self.stats.dropped += 1
        return OverloadedError(f"model runner: the request {what} for more than {self.limits.drop_after_s} s")

    def _close(self) -> None:
        self._send.close()


@asynccontextmanager
async def serving(
    scorer: Scorer,
    limits: BatchLimits | None = None,
    warm_up: Rows | None = None,
    clock: Callable[[], float] = anyio.current_time,
) -> AsyncIterator[ModelRunner]:
    """Serves a model while the block runs; requests that already wait when it ends are still answered.

    Args:
        warm_up: rows that every model scores before it answers its first request.
    """
    runner = ModelRunner(scorer, limits or BatchLimits(), warm_up, clock)
    await runner._warm(scorer)
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        for _ in range(runner.limits.workers):
            group.start_soon(runner._serve, runner._receive.clone())
        runner._receive.close()
        try:
            yield runner
        except Exception as error:  # noqa: BLE001 - raised again below, outside the group that would wrap it
            failure = error
        finally:
            runner._close()
    if failure is not None:
        raise failure


async def _next(receive: MemoryObjectReceiveStream[_Request]) -> _Request:
    """The next request; one that already waits is taken even when no time is left to wait for more."""
    try:
        return receive.receive_nowait()
    except anyio.WouldBlock:
        return await receive.receive()


def _answers(scorer: Scorer, batch: Sequence[_Request]) -> list[NDArray[np.float32] | Exception]:
    """Answers of a batch, in its order; one request that breaks the model fails alone."""
    if len(batch) == 1:
        return [_answer(scorer, batch[0].rows)]
    try:
        joined = scorer.probabilities(Rows.concat([request.rows for request in batch]))
    except Exception:  # noqa: BLE001 - policy: whoever caused it is found by scoring each alone
        return [_answer(scorer, request.rows) for request in batch]
    answers, start = [], 0
    for request in batch:
        answers.append(joined[start : start + len(request.rows)])
        start += len(request.rows)
    return answers


def _answer(scorer: Scorer, rows: Rows) -> NDArray[np.float32] | Exception:
    try:
        return scorer.probabilities(rows)
    except Exception as error:  # noqa: BLE001 - handed to the request that caused it
        return error
