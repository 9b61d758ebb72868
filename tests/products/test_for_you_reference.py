"""The whole For You flow against a slow reading of its rules, in plain Python, on the tables of an eventful tiny world.

Only the coefficients of the model, published parameters and the random numbers of exploration are taken over.
"""

from __future__ import annotations

from collections import Counter

import attrs
import numpy as np
import pytest

from components.rankers.light import LogisticRanker
from components.stores.from_dataset import stores_of
from components.stores.types import Controls, Post, Settings, Viewer
from mixer import CursorCodec, DebugOptions, Request
from mixer.params import Params
from products.for_you import params
from products.for_you.flow import ForYou
from products.for_you.training import INPUTS
from tests.products.twin.filters import FILTERS
from tests.products.twin.slate import Past, answer
from tests.products.twin.tables import DAY_MS, Tables, Who
from tests.products.twin.world import NEW, eventful

DAYS_AGO = (0.0, 1.3, 4.0)
VIEWERS = 40
NOTHING = Past()
CODEC = CursorCodec(b"a key for the tests", "for_you")


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
    return ForYou(event_stores, LogisticRanker(timeline_model, INPUTS, Post.score), cursors=CODEC)


@pytest.fixture
def users(events, rng):
    return [*rng.choice(events.users["user_id"][:200], VIEWERS, replace=False).tolist(), *NEW]


@pytest.fixture
def few(users):
    """Some who have been here for long, one who just came and follows somebody, one who follows nobody."""
    return [*users[:4], *NEW[:2]]


def asking(user, now_ms, settings=None, *, dark=True, cursor=None, **fields):
    debug = DebugOptions(trace=True, capture=True, skip_side_effects=dark)
    request = Request(
        id="twin", now_ms=now_ms, seed=user, params=Params.of(settings or {}), debug=debug, cursor=cursor
    )
    return Viewer(user, request=request, **fields)


async def both(flow, tables, model, viewer, past=NOTHING, pages=()):
    """What the flow answers and what the rules say, once they are known to agree, stage by stage."""
    result = await flow.process(viewer)
    assert not result.degradations
    user, now_ms = viewer.user_id, tables.now_ms
    load = result.trace.captured["target"].request.quality_factor  # as the flow saw it
    served = past.served(user, now_ms) | set(pages)
    who = Who(tables, viewer, load, past.seen(user, now_ms), served)
    expected = answer(who, model, past.views())
    steps = {step.component: step for _, step in result.trace.steps}
    _compare(steps, expected)
    shown = result.candidates
    assert list(zip(shown.ids.tolist(), shown[Post.warning].tolist(), strict=True)) == [
        (one, warning) for one, _, warning in expected.shown
    ]
    same(shown[Post.score], [score for _, score, _ in expected.shown])
    return result, expected


def _compare(steps, expected):
    found = _found(steps["candidate_generation"].after)
    assert {name: [one for one, _ in ids] for name, ids in found.items()} == {
        name: [one for one, _ in ids] for name, ids in expected.found.items()
    }
    for name, ids in expected.found.items():
        same([score for _, score in found[name]], [score for _, score in ids])
    assert _reasons(steps["and_then"]) == expected.dropped
    ranked = steps["logistic_ranker"].after
    for key in INPUTS:
        same(ranked[key], [expected.inputs[one][key.name] for one in ranked.ids.tolist()], key.name)
    for name, ids in expected.ranked.items():
        batch = steps[name].after
        assert batch.ids.tolist() == [one for one, _ in ids], name
        same(batch[Post.score], [score for _, score in ids], name)
    assert _reasons(steps["visible"]) == expected.judged


def same(values, expected, name=""):
    np.testing.assert_allclose(values, expected, rtol=1e-5, err_msg=name)


def _found(batch):
    """Ids and scores by source, as the flow says."""
    found = {name: [] for name in batch.provenance.names}
    for one, handle in zip(batch.ids.tolist(), batch.handles.tolist(), strict=True):
        name = batch.provenance.names[int(batch.provenance.source[handle])]
        found[name].append((one, float(batch.provenance.score[handle])))
    return found


def _reasons(step):
    """Reasons against each candidate that was judged."""
    verdicts = step.verdicts
    return [() if verdicts.keep[row] else verdicts.reasons_of(row) for row in range(len(verdicts))]


@pytest.mark.parametrize(("days_ago", "results"), [(0.0, 20), (1.3, 1_000), (4.0, 5)])
async def test_the_flow_follows_its_rules(flow, tables, timeline_model, users, days_ago, results):
    left_out, hidden = Counter(), Counter()
    for user in users:
        viewer = asking(user, tables[days_ago].now_ms, {params.RESULTS: results})
        _, expected = await both(flow, tables[days_ago], timeline_model, viewer)
        left_out.update(reason for one in expected.dropped for reason in one)
        hidden.update(reason for one in expected.judged for reason in one)
    assert len(left_out) > 11
    assert len(hidden) > 20


CAPS = {
    "in_network": params.IN_NETWORK_CAP,
    "co_engagement": params.CO_ENGAGEMENT_CAP,
    "liked_by_followed": params.LIKED_CAP,
    "recommended_authors": params.AUTHORS_CAP,
    "trending_topic": params.TRENDING_CAP,
    "popular": params.POPULAR_CAP,
    "new_authors": params.EXPLORE_SLATE,
    "backfill": params.BACKFILL_CAP,
}
SETTINGS = {
    **{f"without {name}": {cap: 0} for name, cap in CAPS.items()},
    **{f"few of {name}": {cap: 40} for name, cap in CAPS.items()},
    **{f"without the filter {name}": {params.FILTERS[name]: False} for name, _ in FILTERS if name},
    "one at a time": {params.BATCH: 1},
    "a day": {params.MAX_AGE_H: 24.0, params.WINDOW_H: 3.0},
    "few are ranked": {params.RANK_CAP: 60},
    "one is ranked": {params.RANK_CAP: 1},
    "strangers count in full": {params.STRANGER_FACTOR: 1.0, params.DECAY: 0.9, params.FLOOR: 0.0},
    "strangers as often as they like": {params.STRANGER_ONCE: False},
    "whole conversations": {params.CONVERSATIONS: False},
    "posts and their answers": {params.CONVERSATIONS: False, params.WITHOUT_ANCESTORS: False},
    "stories again": {params.STORIES: False},
    "small quotas": {params.IN_QUOTA: 5, params.OUT_QUOTA: 7},
    "no quotas": {params.QUOTAS: False},
    **{f"authors of {most} followers": {params.COLD_START_FOLLOWERS: most} for most in (0, 1, 2)},
    "no lift": {params.COLD_START: False},
    "short fatigue": {params.FATIGUE_DAYS: 1.0},
    "anything goes": {params.VISIBILITY: False},
}


@pytest.mark.parametrize("name", SETTINGS)
async def test_every_parameter_changes_what_its_rule_says(flow, tables, timeline_model, few, name):
    now = tables[DAYS_AGO[1]]
    for user in few:
        await both(flow, now, timeline_model, asking(user, now.now_ms, SETTINGS[name]))


WISHES = {
    "only who is followed": {"discovery": 0.0},
    "rather who is followed": {"discovery": 0.3},
    "only strangers": {"discovery": 1.0},
    "nothing personal": {"personalised": False},
    "more and less of authors": {
        "more_authors": frozenset(range(1, 60)),
        "less_authors": frozenset(range(40, 90)),
    },
    "more and less of topics": {"more_topics": frozenset({1, 2, 3}), "less_topics": frozenset({3, 4, 5})},
    "muted words": {"muted_words": ("notes on", "again")},
    "no videos": {"videos": False},
    "no topic of these": {"excluded_topics": frozenset({0, 3, 7})},
    "only many topics": {"topics": frozenset(range(7))},
}


@pytest.mark.parametrize("name", WISHES)
async def test_wishes_are_granted_as_their_rule_says(flow, tables, timeline_model, few, name):
    now = tables[DAYS_AGO[0]]
    for user in few:
        viewer = asking(user, now.now_ms, controls=Controls(**WISHES[name]))
        await both(flow, now, timeline_model, viewer)


@pytest.mark.parametrize(
    "settings",
    [Settings(logged_in=False), Settings(age=15), Settings(age_is_required=True, sees_sensitive=True)],
)
async def test_what_viewers_told_decides_what_is_visible(flow, tables, timeline_model, few, settings):
    now = tables[DAYS_AGO[0]]
    for user in few:
        viewer = attrs.evolve(asking(user, now.now_ms, {params.RESULTS: 300}), settings=settings)
        await both(flow, now, timeline_model, viewer)


async def test_what_was_seen_and_served_is_left_out_as_long_as_the_rules_say(
    flow, tables, timeline_model, few
):
    """What was answered at this moment is served, what was two days ago is seen, and views are never forgotten."""
    past, left_out = Past(), Counter()
    for days_ago in sorted(DAYS_AGO, reverse=True):
        now = tables[days_ago]
        for user in few:
            for settings in ({}, {params.FILTERS["seen"]: False}, {params.COLD_START_VIEWS: 2}):
                viewer = asking(user, now.now_ms, settings, dark=False)
                result, expected = await both(flow, now, timeline_model, viewer, past)
                past.record(user, result.candidates.ids.tolist(), now.now_ms)
                left_out.update(reason for one in expected.dropped for reason in one)
    assert left_out["already_seen"] > left_out["already_served"] > 0


async def test_pages_lead_on_as_the_rules_say(flow, tables, timeline_model, few):
    now = tables[DAYS_AGO[0]]
    for user in few:
        pages, cursor = (), None
        for _ in range(3):
            viewer = asking(user, now.now_ms, cursor=cursor, limit=7)
            result, expected = await both(flow, now, timeline_model, viewer, pages=pages)
            assert len(expected.shown) == 7
            pages, cursor = (*pages, *result.candidates.ids.tolist()), result.cursor
