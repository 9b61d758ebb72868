"""Asks flows about viewers and times their answers: one after the other, or in several processes at once."""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import numpy as np

from components.stores.types import Viewer
from mixer import DebugOptions, RecommendationFlow, RecommendationResult, Request
from mixer.params import Param, Params

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Barrier

    from numpy.typing import NDArray

    from components.stores.stores import Stores

MINUTE_MS = 60_000
WARM_UP = 20
STUCK_S = 120.0
"""A process that is not ready by then never will be."""


@attrs.frozen
class Case:
    """A flow, and how it is asked.

    Args:
        name: what is measured.
        stores: whose viewers ask.
        flow: makes the flow; called once in every process that serves.
        settings: parameters of every request.
        viewers: user ids to draw from; all unless given.
    """

    name: str
    stores: Stores
    flow: Callable[[], RecommendationFlow[Viewer, Any]]
    settings: Mapping[Param[Any], object] = attrs.field(factory=dict)
    viewers: NDArray[np.int64] | None = None

    @property
    def ids(self) -> NDArray[np.int64]:
        """Who may be asked about."""
        return self.stores.users.ids if self.viewers is None else self.viewers


@attrs.frozen
class Crowd:
    """Requests at once: every process answers so many at a time, each followed by the next, for so long."""

    processes: int
    tasks: int
    seconds: float


@attrs.frozen
class Answers:
    """What a process did: milliseconds and ranked candidates of each request, and milliseconds of each stage."""

    spent: list[float] = attrs.field(factory=list)
    ranked: list[int] = attrs.field(factory=list)
    stages: dict[str, list[float]] = attrs.field(factory=lambda: defaultdict(list))

    def add(self, ms: float, result: RecommendationResult[Any]) -> None:
        self.spent.append(ms)
        for stage in result.trace.stages:
            self.stages[stage.name].append(stage.ms)
            if stage.name == "ranker":
                self.ranked.append(stage.count_out)


@attrs.frozen
class Served:
    """What one of several processes did, in which time, and how much of a core it got."""

    answers: Answers
    seconds: float
    processor_s: float


def can_share_memory() -> bool:
    """Can processes serve from the memory of the one that loaded everything?"""
    return "fork" in multiprocessing.get_all_start_methods()


def alone(case: Case, requests: int) -> dict[str, Any]:
    """One process, one request after the other, each about another viewer, within a minute."""
    count, rng = requests + WARM_UP, np.random.default_rng(1)
    users = rng.choice(case.ids, count, replace=count > len(case.ids))
    moments = case.stores.now_ms + np.sort(rng.integers(0, MINUTE_MS, count))
    flow, answers, used = case.flow(), Answers(), 0.0

    async def ask() -> None:
        nonlocal used
        for asked, (user, now_ms) in enumerate(zip(users.tolist(), moments.tolist(), strict=True)):
            if asked == WARM_UP:
                used = time.process_time()
            answers.add(*await _timed(case, flow, user, now_ms))
        used = time.process_time() - used

    anyio.run(ask)
    times = np.array(answers.spent[WARM_UP:])
    row = _row(case, times, answers.ranked[WARM_UP:], float(1_000.0 / times.mean()))
    return {
        **row,
        "per_core_s": requests / used,
        "stages_ms": {name: float(np.median(ms[WARM_UP:])) for name, ms in answers.stages.items()},
    }


def together(case: Case, crowd: Crowd) -> dict[str, Any]:
    """Several processes that share the memory of this one and serve at the same time.

    Raises:
        EOFError: a process ended early.
    """
    context = multiprocessing.get_context("fork")
    _warm_up(case, case.flow(), np.random.default_rng(1))  # what is made at first use is shared, too
    gc.collect()
    gc.freeze()  # a collector that touches everything would copy it into every process
    barrier, receivers = context.Barrier(crowd.processes), []
    for number in range(crowd.processes):
        receiver, sender = context.Pipe(duplex=False)
        context.Process(target=_serve, args=(case, crowd, number, barrier, sender), daemon=True).start()
        sender.close()
        receivers.append(receiver)
    parts: list[Served] = [receiver.recv() for receiver in receivers]
    gc.unfreeze()
    spent = np.concatenate([part.answers.spent for part in parts])
    ranked = [count for part in parts for count in part.answers.ranked]
    row = _row(case, spent, ranked, sum(len(part.answers.spent) / part.seconds for part in parts))
    cores = sum(part.processor_s / part.seconds for part in parts)
    mine = {"processes": crowd.processes, "tasks": crowd.tasks, "cores": cores}
    return {**row, **mine, "per_core_s": row["per_s"] / cores}


def _serve(case: Case, crowd: Crowd, number: int, barrier: Barrier, sender: Connection) -> None:
    flow, rng = case.flow(), np.random.default_rng([1, number])
    _warm_up(case, flow, rng)
    barrier.wait(STUCK_S)
    begin, used = time.perf_counter(), time.process_time()
    end = begin + crowd.seconds
    ask = partial(_ask_until, case, flow, _viewers(case, rng), lambda _: time.perf_counter() >= end)
    answers = anyio.run(ask, crowd.tasks)
    sender.send(Served(answers, time.perf_counter() - begin, time.process_time() - used))


def _warm_up(case: Case, flow: RecommendationFlow[Viewer, Any], rng: np.random.Generator) -> None:
    anyio.run(_ask_until, case, flow, _viewers(case, rng), lambda asked: asked >= WARM_UP, 1)


def _viewers(case: Case, rng: np.random.Generator) -> Iterator[int]:
    while True:
        yield from rng.choice(case.ids, 1_000).tolist()


async def _ask_until(
    case: Case,
    flow: RecommendationFlow[Viewer, Any],
    users: Iterator[int],
    done: Callable[[int], bool],
    tasks: int,
) -> Answers:
    answers, begin = Answers(), time.perf_counter()

    async def ask() -> None:
        while not done(len(answers.spent)):
            now_ms = case.stores.now_ms + int((time.perf_counter() - begin) * 1e3)
            answers.add(*await _timed(case, flow, next(users), now_ms))

    async with anyio.create_task_group() as group:
        for _ in range(tasks):
            group.start_soon(ask)
    return answers


async def _timed(
    case: Case, flow: RecommendationFlow[Viewer, Any], user: int, now_ms: int
) -> tuple[float, RecommendationResult[Any]]:
    resolved = Params.of(dict(case.settings))
    request = Request(id="bench", now_ms=now_ms, params=resolved, debug=DebugOptions(skip_side_effects=True))
    begin = time.perf_counter()
    result = await flow.process(Viewer(user, request=request))
    return (time.perf_counter() - begin) * 1e3, result


def _row(case: Case, times: NDArray[np.float64], ranked: list[int], per_s: float) -> dict[str, Any]:
    return {
        "posts": len(case.stores.posts),
        "flow": case.name,
        "candidates": float(np.median(ranked)),
        "p50_ms": float(np.median(times)),
        "p99_ms": float(np.quantile(times, 0.99)),
        "per_s": per_s,
    }
