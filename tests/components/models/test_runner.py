"""The model runner on both event loops: batching, dropping, swapping, faults."""

from __future__ import annotations

import threading

import anyio
import anyio.from_thread
import attrs
import numpy as np
import pytest

from components.models.heavy_ranker.rows import Rows
from components.models.runner import BatchLimits, OverloadedError, serving

PATIENT = BatchLimits(max_wait_s=0.0, drop_after_s=50.0)


def request(*values: float) -> Rows:
    column = np.array(values, np.float32)[:, None]
    return Rows(column, column[:, :0])


@attrs.define(eq=False)
class Doubler:
    """Answers twice the input; can be held, and remembers the size of every batch."""

    factor: float = 2.0
    gate: threading.Event = attrs.field(factory=threading.Event)
    batches: list[int] = attrs.field(factory=list)
    threads: set[int] = attrs.field(factory=set)

    def __attrs_post_init__(self) -> None:
        self.gate.set()

    def probabilities(self, rows: Rows) -> np.ndarray:
        self.batches.append(len(rows))
        self.threads.add(threading.get_ident())
        assert self.gate.wait(30)
        if (rows.continuous < 0).any():
            raise ValueError("negative input")
        return rows.continuous * self.factor


@attrs.define
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


async def test_every_request_gets_its_own_rows_back() -> None:
    answers = {}
    async with serving(Doubler(), PATIENT) as runner, anyio.create_task_group() as group:

        async def ask(start: int) -> None:
            answers[start] = await runner.score(request(*range(start, start + 1 + start % 3)))

        for start in range(20):
            group.start_soon(ask, start)
    for start, answer in answers.items():
        np.testing.assert_array_equal(answer[:, 0], 2.0 * np.arange(start, start + 1 + start % 3))


async def held(scorer: Doubler, limits: BatchLimits, sizes: list[int]) -> list[int]:
    """Holds a first request, lets others queue up behind it, and returns the sizes of the batches that follow."""
    scorer.gate.clear()
    async with serving(scorer, limits) as runner, anyio.create_task_group() as group:
        for size in [1, *sizes]:
            group.start_soon(runner.score, request(*[1.0] * size))
            await anyio.wait_all_tasks_blocked()
        scorer.gate.set()
    return scorer.batches[1:]


async def test_requests_that_queue_up_share_a_batch() -> None:
    assert await held(Doubler(), PATIENT, [1, 2, 3]) == [6]


async def test_a_batch_holds_no_more_requests_and_rows_than_it_may() -> None:
    assert await held(Doubler(), attrs.evolve(PATIENT, max_requests=2), [1, 1, 1, 1, 1]) == [2, 2, 1]
    assert await held(Doubler(), attrs.evolve(PATIENT, max_rows=5), [3, 2, 1, 9, 1]) == [5, 1, 9, 1]


async def test_a_full_batch_leaves_before_the_wait_is_over() -> None:
    limits = BatchLimits(max_requests=2, max_wait_s=1000.0, drop_after_s=2000.0)
    with anyio.fail_after(20):
        async with serving(Doubler(), limits) as runner, anyio.create_task_group() as group:
            group.start_soon(runner.score, request(1.0))
            group.start_soon(runner.score, request(2.0))
    assert runner.stats.batches == 1


async def test_the_event_loop_runs_on_while_the_model_computes() -> None:
    scorer = Doubler()
    scorer.gate.clear()
    async with serving(scorer, PATIENT) as runner, anyio.create_task_group() as group:
        group.start_soon(runner.score, request(1.0))
        while not scorer.batches:
            await anyio.lowlevel.checkpoint()
        scorer.gate.set()  # only a loop that is not blocked gets here
    assert threading.get_ident() not in scorer.threads


async def test_a_request_that_grew_too_old_is_dropped_and_younger_ones_are_not() -> None:
    scorer, clock, outcomes = Doubler(), Clock(), {}
    scorer.gate.clear()
    limits = BatchLimits(max_wait_s=0.0, drop_after_s=1.0)

    async def ask(name: str) -> None:
        try:
            outcomes[name] = await runner.score(request(1.0))
        except OverloadedError as error:
            outcomes[name] = error

    async with serving(scorer, limits, clock=clock) as runner, anyio.create_task_group() as group:
        for name, now in (("first", 0.0), ("old", 0.0), ("young", 5.0)):
            clock.now = now
            group.start_soon(ask, name)
            await anyio.wait_all_tasks_blocked()
        scorer.gate.set()
    assert isinstance(outcomes["old"], OverloadedError)
    assert "for more than 1.0 s" in str(outcomes["old"])
    assert outcomes["young"][0, 0] == outcomes["first"][0, 0] == 2.0
    assert runner.stats.dropped == 1


async def test_a_request_without_a_place_in_the_queue_is_told_so() -> None:
    scorer = Doubler()
    scorer.gate.clear()
    limits = BatchLimits(max_requests=1, max_wait_s=0.0, drop_after_s=0.01, queue_size=0)
    async with serving(scorer, limits) as runner, anyio.create_task_group() as group:
        group.start_soon(runner.score, request(1.0))
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(OverloadedError, match="no place in the queue"):
            await runner.score(request(1.0))
        scorer.gate.set()


async def test_a_request_that_breaks_the_model_fails_alone() -> None:
    scorer, outcomes = Doubler(), []
    scorer.gate.clear()
    async with serving(scorer, PATIENT) as runner, anyio.create_task_group() as group:

        async def ask(value: float) -> None:
            try:
                outcomes.append((value, float((await runner.score(request(value)))[0, 0])))
            except ValueError as error:
                outcomes.append((value, str(error)))

        for value in (0.0, 1.0, -1.0, 3.0):
            group.start_soon(ask, value)
            await anyio.wait_all_tasks_blocked()
        scorer.gate.set()
    assert sorted(outcomes) == [(-1.0, "negative input"), (0.0, 0.0), (1.0, 2.0), (3.0, 6.0)]
    assert runner.stats.failed == 1


async def test_a_cancelled_request_is_not_computed() -> None:
    scorer = Doubler()
    scorer.gate.clear()
    async with serving(scorer, PATIENT) as runner, anyio.create_task_group() as group:
        group.start_soon(runner.score, request(1.0))
        await anyio.wait_all_tasks_blocked()
        async with anyio.create_task_group() as cancelled:
            cancelled.start_soon(runner.score, request(1.0, 1.0, 1.0))
            await anyio.wait_all_tasks_blocked()
            cancelled.cancel_scope.cancel()
        scorer.gate.set()
    assert scorer.batches == [1]


async def test_a_swap_drops_nothing_and_later_requests_see_the_new_model() -> None:
    old, new, answers = Doubler(2.0), Doubler(3.0), []
    old.gate.clear()
    async with serving(old, PATIENT, warm_up=None) as runner, anyio.create_task_group() as group:

        async def ask() -> None:
            answers.append(float((await runner.score(request(1.0)))[0, 0]))

        for _ in range(3):
            group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
        await runner.swap(new)
        old.gate.set()
    # The first was being computed by the old model; the two that waited go to the new one.
    assert sorted(answers) == [2.0, 3.0, 3.0]
    assert runner.stats.dropped == 0


async def test_every_model_is_warmed_up_before_it_serves() -> None:
    old, new = Doubler(), Doubler()
    async with serving(old, PATIENT, warm_up=request(1.0, 2.0)) as runner:
        assert old.batches == [2]
        await runner.swap(new)
        assert new.batches == [2]


async def test_a_model_that_fails_its_warm_up_is_not_swapped_in() -> None:
    class Broken(Doubler):
        def probabilities(self, rows: Rows) -> np.ndarray:
            raise RuntimeError("no such feature")

    async with serving(Doubler(), PATIENT, warm_up=request(1.0)) as runner:
        with pytest.raises(RuntimeError, match="no such feature"):
            await runner.swap(Broken())
        assert (await runner.score(request(4.0)))[0, 0] == 8.0


async def test_an_error_in_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with serving(Doubler(), PATIENT):
            raise KeyError("mine")


async def test_several_workers_compute_at_the_same_time() -> None:
    barrier = threading.Barrier(2, timeout=20)

    class Meeting(Doubler):
        def probabilities(self, rows: Rows) -> np.ndarray:
            barrier.wait()  # passes only when two batches are computed at once
            return rows.continuous

    limits = attrs.evolve(PATIENT, workers=2, max_requests=1)
    async with serving(Meeting(), limits) as runner, anyio.create_task_group() as group:
        group.start_soon(runner.score, request(1.0))
        group.start_soon(runner.score, request(1.0))
    assert runner.stats.batches == 2
