"""The whole For You flow against a slow reading of its rules, in plain Python, on the tables of an eventful tiny world.

Only the coefficients of the model, published parameters and the random numbers of exploration are taken over.
"""

from __future__ import annotations

from collections import Counter

import pytest

from components.rankers.light import LogisticRanker
from components.stores.from_dataset import stores_of
from components.stores.types import Post, Viewer
from mixer import DebugOptions, Request
from mixer.params import Params
from products.for_you.flow import ForYou
from products.for_you.training import INPUTS
from tests.products.twin.filters import reasons
from tests.products.twin.sources import SOURCES
from tests.products.twin.tables import DAY_MS, Tables, Who
from tests.products.twin.world import NEW, eventful

DARK = DebugOptions(trace=True, capture=True, skip_side_effects=True)
DAYS_AGO = (0.0, 1.3, 4.0)
VIEWERS = 40


@pytest.fixture
def anyio_backend():
    """The rules know nothing of event loops."""
    return "asyncio"


@pytest.fixture(scope="module")
def events(world):
    return eventful(world)


@pytest.fixture(scope="module")
def event_stores(events):
    return stores_of(events)


@pytest.fixture(scope="module")
def tables(events):
    return {days: Tables(events, events.now_ms - int(days * DAY_MS)) for days in DAYS_AGO}


@pytest.fixture
def flow(event_stores, timeline_model):
    return ForYou(event_stores, LogisticRanker(timeline_model, INPUTS, Post.score))


def asking(user, now_ms, settings=None, **fields):
    request = Request(id="twin", now_ms=now_ms, params=Params.of(settings or {}), debug=DARK)
    return Viewer(user, request=request, **fields)


def who_asked(tables, viewer, result):
    """The viewer as the twin knows them, under the load that the flow saw."""
    return Who(tables, viewer, result.trace.captured["target"].request.quality_factor)


@pytest.mark.parametrize("days_ago", DAYS_AGO)
async def test_sources_find_and_filters_drop_what_their_rules_say(flow, events, tables, days_ago, rng):
    now, fates = tables[days_ago], Counter()
    users = rng.choice(events.users["user_id"][:200], VIEWERS, replace=False).tolist()
    for user in [*users, *NEW]:
        viewer = asking(user, now.now_ms)
        result = await flow.process(viewer)
        who = who_asked(now, viewer, result)
        candidates, verdicts = _found(result), _judged(result)
        expected = [(source.__name__, source(who)) for source in SOURCES]
        assert candidates == {
            name: [(one, pytest.approx(score, rel=1e-6)) for one, score in found] for name, found in expected
        }
        every = [(name, one) for name, found in expected for one, _ in found]
        dropped = [reasons(who, now.posts[one], name, set(), set()) for name, one in every]
        assert verdicts == dropped
        fates.update(reason for one in dropped for reason in one)
    assert len(fates) > 11


def _found(result):
    """Ids and scores by source, as the flow says."""
    batch = result.trace.steps[0][1].after
    found = {name: [] for name in batch.provenance.names}
    for one, handle in zip(batch.ids.tolist(), batch.handles.tolist(), strict=True):
        name = batch.provenance.names[int(batch.provenance.source[handle])]
        found[name].append((one, float(batch.provenance.score[handle])))
    return found


def _judged(result):
    """Reasons against each candidate."""
    (step,) = [step for stage, step in result.trace.steps if stage == "pre_ranker_filter"]
    verdicts = step.verdicts
    return [() if verdicts.keep[row] else verdicts.reasons_of(row) for row in range(len(verdicts))]
