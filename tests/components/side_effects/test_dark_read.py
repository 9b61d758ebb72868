from __future__ import annotations

import anyio
import attrs
import numpy as np
import pytest

from components.side_effects.dark_read import DarkRead
from components.stores.types import Account, Viewer
from mixer import (
    Candidates,
    CandidateSource,
    Outcome,
    RecommendationFlow,
    Request,
    ResultsConfig,
    side_effect,
)
from mixer.stats import StatsReceiver


@attrs.frozen
class Listed(CandidateSource):
    ids: list[int]

    def fetch(self, target):
        ids = np.array(self.ids, dtype=np.int64)
        return Candidates(Account, {Account.id: ids, Account.score: (ids % 4).astype(np.float32)})


@attrs.frozen
class Broken(CandidateSource):
    hangs: bool

    async def fetch(self, target):
        if self.hangs:
            await anyio.sleep_forever()
        raise ConnectionError("away")


class Answers(RecommendationFlow):
    def __init__(self, source, effects=()):
        self.source, self.effects = source, effects

    def candidate_sources(self, target):
        return (self.source,)

    def results_config(self, target):
        return ResultsConfig(100)

    def side_effects(self):
        return self.effects


def compared(ours, other, **fields):
    """A flow that answers ``ours``, and the counts of its dark reads of ``other``."""
    stats = StatsReceiver()
    effect = DarkRead(other, fields.pop("percent", 100.0), stats, **{"within_s": 0.05, **fields})
    return Answers(Listed(ours), (effect,)), stats


def viewer(name="r"):
    return Viewer(1, request=Request(id=name))


async def test_agreement_is_counted_at_each_depth_that_both_reach():
    flow, stats = compared([1, 2, 3, 4, 5, 6], Answers(Listed([1, 2, 3, 5, 4])), score=Account.score)
    await flow.process(viewer())
    counts = stats.snapshot()
    assert counts["first_3/same_order"] == counts["first_5/same_ids"] == counts["requests"] == 1
    assert counts["overlap_at_5"].mean == 1.0
    assert (counts["missing"], counts["added"], counts["score_differs"]) == (1, 0, 0)
    assert (counts["rank_difference"].count, counts["rank_difference"].sum) == (5, 2)
    assert not any("25" in name for name in counts)


async def test_disagreement_is_counted():
    flow, stats = compared([1, 2, 3], Answers(Listed([1, 7, 8, 9])))
    await flow.process(viewer())
    counts = stats.snapshot()
    assert counts["first_3/different_ids"] == 1
    assert counts["overlap_at_3"].mean == pytest.approx(1 / 3, rel=0.02)
    assert (counts["missing"], counts["added"]) == (2, 3)


async def test_empty_answers_agree():
    flow, stats = compared([], Answers(Listed([])))
    assert (await flow.process(viewer())).outcome is Outcome.EMPTY
    assert stats.snapshot()["missing"] == 0


@pytest.mark.parametrize(("hangs", "counted"), [(False, "failures/ConnectionError"), (True, "timeout")])
async def test_a_broken_flow_is_counted_and_harms_nothing(hangs, counted):
    flow, stats = compared([1, 2, 3], Answers(Broken(hangs)))
    with anyio.fail_after(5.0):
        result = await flow.process(viewer())
    assert (result.outcome, result.candidates.ids.tolist()) == (Outcome.OK, [1, 2, 3])
    assert stats.snapshot()[counted] == 1


async def test_a_share_of_requests_is_compared():
    flow, stats = compared([1, 2, 3], Answers(Listed([1, 2, 3])), percent=10.0)
    for number in range(1_000):
        await flow.process(viewer(f"r{number}"))
    assert stats.snapshot()["requests"] == pytest.approx(100, abs=30)


async def test_the_other_flow_leaves_no_trace_and_has_its_own_time():
    seen, asked = [], []

    @side_effect
    def traces(target, result):
        seen.append(1)

    class Watched(Answers):
        def update_target(self, target):
            asked.append(target.request)
            return target

    flow, stats = compared([1, 2, 3], Watched(Listed([1, 2, 3]), (traces,)))
    request = Request.within(5.0, id="r", seed=7)
    await flow.process(attrs.evolve(viewer(), request=request))
    assert (seen, len(asked), stats.snapshot()["first_3/same_order"]) == ([], 1, 1)
    assert (asked[0].seed, asked[0].now_ms, asked[0].deadline) == (7, request.now_ms, None)


async def test_behind_a_running_flow_the_answer_does_not_wait():
    flow, stats = compared([1, 2, 3], Answers(Broken(hangs=True)), within_s=0.02)
    async with flow:
        result = await flow.process(viewer())
        assert result.outcome is Outcome.OK
        assert "timeout" not in stats.snapshot()
    assert stats.snapshot()["timeout"] == 1
