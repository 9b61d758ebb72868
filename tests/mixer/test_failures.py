"""Slow, failing and hanging parts, deadlines and cancellation, on both event loops."""

from __future__ import annotations

import gc
import math
from typing import ClassVar

import anyio
import numpy as np
import pytest

import mixer as m
from mixer.candidate_predicates import KeepAll
from mixer.concurrency import gather
from mixer.errors import DeadlineExceededError
from mixer.predicates import Always
from mixer.side_effects import SideEffectQueue
from mixer.testing import failing, hanging, recording, slow
from mixer.transforms import Identity


class Post(m.Candidate):
    likes = m.column(np.int64, default=0)


OVERDUE = m.Target(request=m.Request(deadline=-math.inf))


@m.candidate_source
def some(target):
    return m.Candidates(Post, {Post.id: [1, 2, 3]})


likes = m.hydrator(writes=(Post.likes,))(lambda target, posts: {Post.likes: posts.ids})


class Flow(m.RecommendationFlow[m.Target, Post]):
    def __init__(self, **hooks) -> None:
        self.hooks = hooks

    def candidate_sources(self, target):
        return self.hooks.get("sources", [some])

    def results_config(self, target):
        return m.ResultsConfig(10)

    def target_eligibility(self):
        return self.hooks.get("eligibility", Always())

    def hydrate_candidates(self):
        return self.hooks.get("hydrators", [])

    def pre_ranker_filter(self):
        return self.hooks.get("filter", KeepAll())

    def select_ranker(self, target):
        return self.hooks.get("ranker", m.SortBy(Post.id))

    def post_ranker_transform(self):
        return self.hooks.get("post", Identity())

    def validate_candidates(self):
        return self.hooks.get("validate", KeepAll())

    def side_effects(self):
        return self.hooks.get("effects", [])


class Eligible(m.Predicate):
    """Always under another name: a flow leaves the original out."""

    def check(self, target):
        return m.PredicateResult.VALID


class KeepsAll(m.CandidatePredicate):
    """KeepAll under another name: a flow leaves the original out."""

    def check(self, target, candidates):
        return m.Verdicts.keep_all(len(candidates))


@pytest.mark.parametrize(
    ("hooks", "ids", "degradation"),
    [
        ({"sources": [hanging(some), some.named("other")]}, [3, 2, 1], "candidate_generation/some"),
        ({"sources": [hanging(some)]}, [], "candidate_generation/some"),
        ({"hydrators": [hanging(likes)]}, [3, 2, 1], "hydration/hydrators"),
        ({"filter": hanging(KeepsAll())}, [], "pre_ranker_filter/keeps_all"),
        ({"ranker": hanging(m.SortBy(Post.id))}, [1, 2, 3], "ranker/sort_by"),
        ({"post": hanging(m.Deduplicate())}, [], "post_ranker_transform/deduplicate"),
        ({"validate": hanging(KeepsAll())}, [], "filter_and_take/keeps_all"),
    ],
)
async def test_a_stage_that_runs_out_of_time_leaves_an_honest_answer(hooks, ids, degradation):
    flow = Flow(**hooks)
    result = await flow.process(OVERDUE)
    assert result.outcome is m.Outcome.DEGRADED
    assert result.candidates.ids.tolist() == ids
    assert [(one.component, one.cause) for one in result.degradations] == [(degradation, m.Cause.TIMEOUT)]
    assert flow.stats.snapshot()[f"flow/degraded/{degradation}/timeout"] == 1


async def test_a_transform_that_drops_nothing_may_be_left_out():
    annotates = m.transform(traits=m.Trait.ANNOTATES)(lambda target, posts: posts)
    result = await Flow(post=hanging(annotates)).process(OVERDUE)
    assert result.candidates.ids.tolist() == [3, 2, 1]


async def test_there_is_no_honest_answer_without_eligibility():
    with pytest.raises(DeadlineExceededError, match="checking eligibility"):
        await Flow(eligibility=hanging(Eligible())).process(OVERDUE)

    class Updating(Flow):
        async def update_target(self, target):
            await anyio.sleep_forever()

    with pytest.raises(DeadlineExceededError, match="updating the target"):
        await Updating().process(OVERDUE)


async def test_a_stage_that_only_computes_is_never_cut_short():
    result = await Flow().process(OVERDUE)
    assert result.outcome is m.Outcome.OK


async def test_a_stage_budget_is_a_deadline_of_its_own():
    class Budgeted(Flow):
        stage_budgets_s: ClassVar = {"ranker": 0.001}

    result = await Budgeted(ranker=hanging(m.SortBy(Post.id))).process(m.Target())
    assert result.candidates.ids.tolist() == [1, 2, 3]
    assert result.outcome is m.Outcome.DEGRADED


async def test_inner_budgets_are_clipped_to_the_deadline():
    with anyio.fail_after(5):
        result = await Flow(sources=[hanging(some).within(3600)]).process(OVERDUE)
    assert result.degradations[0].component in ("some", "candidate_generation/some")


async def test_the_first_failure_cancels_the_other_sources():
    cancelled = []

    @m.candidate_source
    async def patient(target):
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            cancelled.append(True)
            raise

    with pytest.raises(KeyError), anyio.fail_after(5):
        await Flow(sources=[patient, failing(slow(some), KeyError("x"))]).process(m.Target())
    assert cancelled == [True]


@pytest.mark.parametrize("hook", ["sources", "hydrators", "filter", "ranker", "post", "validate"])
async def test_cancelling_a_request_leaves_nothing_behind(hook):
    stages = {
        "sources": [hanging(some), hanging(some.named("other"))],
        "hydrators": [hanging(likes), hanging(m.hydrator(writes=(Post.source_score,))(lambda t, c: {}))],
        "filter": hanging(KeepsAll()),
        "ranker": hanging(m.SortBy(Post.id)),
        "post": hanging(m.Deduplicate()),
        "validate": hanging(KeepsAll()),
    }
    flow = Flow(**{hook: stages[hook]})
    with anyio.move_on_after(0.005) as scope:
        await flow.process(m.Target())
    assert scope.cancelled_caught
    gc.collect()  # a coroutine that was never awaited would warn here, and warnings are errors
    assert (await Flow().process(m.Target())).outcome is m.Outcome.OK


async def test_sources_that_never_started_do_not_complain():
    def breaks(target):
        raise LookupError("at once")

    with pytest.raises(LookupError):
        await Flow(sources=[slow(some), m.candidate_source(breaks)]).process(m.Target())
    gc.collect()


async def test_gather_keeps_order_and_mixes_sync_with_async():
    async def later(number):
        await anyio.lowlevel.checkpoint()
        return number

    assert await gather(lambda n: later(n) if n % 2 else n, range(6)) == list(range(6))
    assert await gather(later, [1]) == [1]
    assert await gather(later, []) == []


class TestSideEffects:
    async def test_outside_of_a_running_flow_they_run_before_the_answer(self):
        effect, calls = recording(m.side_effect(lambda target, result: None))
        result = await Flow(effects=[effect]).process(m.Target())
        assert calls[0][1] is result

    async def test_a_failing_effect_never_fails_a_request(self):
        after, calls = recording(m.side_effect(lambda target, result: None))
        broken = failing(m.side_effect(lambda target, result: None), OSError("disk"))
        flow = Flow(effects=[broken, after])
        assert (await flow.process(m.Target())).outcome is m.Outcome.OK
        assert len(calls) == 1
        stats = flow.stats.snapshot()
        assert stats["flow/side_effects/failures/OSError"] == 1
        assert stats["flow/side_effects/applied"] == 1

    async def test_a_running_flow_answers_first_and_drains_on_shutdown(self):
        done, gate = [], anyio.Event()

        @m.side_effect
        async def record(target, result):
            await gate.wait()
            done.append(target.request.id)

        flow = Flow(effects=[record])
        async with flow:
            for name in "abc":
                await flow.process(m.Target(request=m.Request(id=name)))
            assert not done
            gate.set()
        assert done == ["a", "b", "c"]

    async def test_a_full_queue_drops_and_counts(self):
        gate = anyio.Event()

        @m.side_effect
        async def wait(target, result):
            await gate.wait()

        class Small(Flow):
            side_effect_capacity = 2

        flow = Small(effects=[wait])
        async with flow:
            for _ in range(10):
                await flow.process(m.Target())
            await anyio.lowlevel.checkpoint()
            gate.set()
        stats = flow.stats.snapshot()
        assert stats["small/side_effects/applied"] + stats["small/side_effects/dropped"] == 10
        assert stats["small/side_effects/dropped"] >= 7

    async def test_draining_gives_up_after_its_time(self):
        stats = m.StatsReceiver()
        queue = SideEffectQueue(stats, drain_s=0.001)
        async with queue:
            await queue.submit((hanging(m.side_effect(lambda t, r: None)),), m.Target(), None)
        assert stats.snapshot()["applied"] == 0

    async def test_debugging_can_leave_no_trace(self):
        effect, calls = recording(m.side_effect(lambda target, result: None))
        quiet = m.Target(request=m.Request(debug=m.DebugOptions(skip_side_effects=True)))
        await Flow(effects=[effect]).process(quiet)
        assert not calls

    async def test_a_flow_is_entered_once(self):
        flow = Flow()
        async with flow:
            with pytest.raises(RuntimeError, match="already running"):
                async with flow:
                    pass
