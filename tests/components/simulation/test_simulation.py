"""The closed loop: deterministic, faithful to the truth, and moved by what people see."""

from __future__ import annotations

import anyio.lowlevel
import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.datasets import Action, EventLog, Table, generate
from components.datasets.truth import POSITION_DECAY
from components.simulation import Behaviour, Change, Fatigue, People, Simulation, Slates, Visits, baselines
from components.simulation.tally import Tally
from components.stores.from_dataset import stores_of

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def world():
    return generate("tiny", seed=0)


def alone(recommend):
    async def serve(viewer_id, now_ms, seed):
        ids = await recommend(viewer_id, now_ms, seed)
        return ids, [0] * len(ids)

    return serve


async def lived(world, name="random", days=2, seed=3, behaviour=None):
    simulation = Simulation(world, behaviour, seed)
    for _ in range(days):
        await simulation.run_day(alone(baselines(simulation)[name]))
    return simulation


def columns(day):
    return {
        (name, column): table[column].tolist() for name, table in day.tables().items() for column in table
    }


def slates_of(viewer, post, position, session=None):
    count = len(viewer)
    session = np.zeros(count, np.int64) if session is None else session
    return Slates(session, np.array(viewer), np.array(post), np.array(position), np.zeros(count, np.int64))


async def test_a_seed_gives_the_same_days_however_many_requests_are_under_way(world):
    one = await lived(world)
    two = await lived(world, behaviour=Behaviour(concurrency=1))
    other = await lived(world, seed=4)
    assert columns(one.days[1]) == columns(two.days[1])
    assert columns(one.days[1]) != columns(other.days[1])


async def test_days_fit_the_schema_and_stores_see_them(world):
    simulation = await lived(world, "truth")
    data = simulation.dataset()
    checked = attrs.evolve(data, checked=False)
    assert len(checked.engagements) == len(data.engagements)
    day = simulation.days[-1]
    assert data.now_ms == simulation.now_ms > day.slates.time_ms.max()
    seen = stores_of(data)
    row = day.reaction.engaged.nonzero()[0][0]
    viewer, post = day.slates.viewer[row], day.slates.post[row]
    assert post in seen.engagements.of(int(viewer), data.now_ms)
    follows = day.tables()["follows"]
    assert len(data.follows) == len(seen.follows.ends)
    assert len(follows)


async def test_a_data_set_has_nothing_of_the_world_after_the_start_but_posts(world):
    simulation = Simulation(world)
    data = simulation.dataset()
    assert (data.engagements["time_ms"] < simulation.start_ms).all()
    assert (data.posts["created_ms"] < simulation.start_ms).all()


async def test_records_are_an_event_log_in_order_of_time(world, tmp_path):
    simulation = await lived(world, "truth", days=1)
    records = list(simulation.days[0].records())
    log = EventLog(tmp_path / "day.jsonl")
    log.append(records)
    tables = list(log.replay())
    for name, table in simulation.days[0].tables().items():
        assert sum(len(some.get(name, ())) for some in tables) == len(table)


async def test_a_slate_is_one_viewer_at_one_time(world):
    simulation = await lived(world)
    shown: Table = simulation.days[0].tables()["impressions"]
    slates: dict[tuple[int, int], list[int]] = {}
    for viewer, time_ms, position in zip(
        shown["viewer_id"].tolist(), shown["time_ms"].tolist(), shown["position"].tolist(), strict=True
    ):
        slates.setdefault((viewer, time_ms), []).append(position)
    assert all(sorted(places) == list(range(len(places))) for places in slates.values())


async def test_empty_slates_please_nobody_and_break_nothing(world):
    async def nothing(viewer_id, now_ms, seed):
        await anyio.lowlevel.checkpoint()
        return (), ()

    simulation = Simulation(world, seed=1)
    before = simulation.people.pleased.mean()
    day = await simulation.run_day(nothing)
    assert len(day.slates.post) == 0 < len(day.sessions.viewer)
    assert simulation.people.pleased.mean() < before
    assert all(len(table) == 0 for table in day.tables().values())


async def test_a_day_on_which_nobody_comes_is_a_day(world):
    simulation = Simulation(world, Behaviour(visits=Visits(least=0.0, most=0.0)))
    day = await simulation.run_day(alone(baselines(simulation)["random"]))
    assert len(day.sessions.viewer) == len(day.slates.post) == 0
    assert len(simulation.dataset().engagements)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda truth: [truth.post_id[-1]], "which is newer"),
        (lambda truth: [truth.post_id[0], truth.post_id[0]], "got 10 twice"),
        (lambda truth: [7], "expected ids of the world's posts, got 7"),
    ],
)
async def test_a_slate_that_cannot_be_shown_is_refused(world, answer, message):
    async def recommend(viewer_id, now_ms, seed):
        await anyio.lowlevel.checkpoint()
        return answer(world.truth)

    with pytest.raises(ValueError, match=message):
        await Simulation(world).run_day(alone(recommend))


def people_of(world, **behaviour):
    return People(world, Behaviour(**behaviour), world.dataset.now_ms)


def test_untired_people_act_as_the_truth_says(world):
    rng = np.random.default_rng(0)
    truth, count = world.truth, 20_000
    viewer, post = rng.integers(0, 200, count), rng.integers(0, 2_000, count)
    people = people_of(world, fatigue=Fatigue(0.0, 0.0))
    slates = slates_of(viewer, post, np.zeros(count, np.int64), np.arange(count))
    assert people.affinity(slates) == pytest.approx(
        truth.affinity(truth.user_id[viewer], truth.post_id[post])
    )
    reaction = people.react(slates, rng)
    planted = truth.probability(truth.user_id[viewer], truth.post_id[post])
    for action in (Action.FAV, Action.GOOD_CLICK):
        expected = planted[:, action].sum()
        assert abs(reaction.acted[:, action].sum() - expected) < 4 * np.sqrt(expected)


def test_places_further_down_are_looked_at_less_as_planted(world):
    count = 40_000
    position = np.arange(count) % 10
    viewer = np.arange(count) % 200
    slates = slates_of(viewer, np.arange(count) % 2_000, position, np.arange(count))
    examined = people_of(world).react(slates, np.random.default_rng(1)).examined
    for place in range(10):
        expected = POSITION_DECAY**place
        share = examined[position == place].mean()
        assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / 4_000) + 1e-9


def test_repetition_tires_within_a_slate_and_across_and_a_night_helps(world):
    truth, people = world.truth, people_of(world, fatigue=Fatigue(0.1, 0.2, 0.5))
    author = int(np.bincount(truth.post_author).argmax())
    topic = truth.post_topic[truth.post_author == author]
    main = np.bincount(topic).argmax()
    posts = ((truth.post_author == author) & (truth.post_topic == main)).nonzero()[0][:2]
    pair = slates_of([0, 0], posts, [0, 1])
    fresh = truth.affinity(truth.user_id[[0, 0]], truth.post_id[posts])
    assert people.affinity(pair) == pytest.approx(fresh * [1.0, np.exp(-0.3)])
    people.react(slates_of([0], posts[:1], [0]), np.random.default_rng(0))
    assert people.affinity(pair) == pytest.approx(fresh * np.exp([-0.3, -0.6]))
    people.sleep()
    assert people.affinity(pair) == pytest.approx(fresh * np.exp([-0.15, -0.45]))


def test_taste_drifts_to_what_was_liked_and_likes_lead_to_follows(world):
    people = people_of(world, change=Change(drift=0.5, follow=1.0))
    truth, rng = world.truth, np.random.default_rng(2)
    best = np.argsort(-truth.affinity(np.full(2_000, 1), truth.post_id))[:40]
    before, known = people.taste[0].copy(), len(people.follows.keys)
    slates = slates_of(np.zeros(40, np.int64), best, np.zeros(40, np.int64))
    reaction = people.react(slates, rng)
    liked = reaction.acted[:, Action.FAV]
    assert liked.any()
    gained = np.unique(truth.post_topic[best[liked]])
    assert people.taste[0][gained].sum() > before[gained].sum()
    assert people.taste.sum(axis=1) == pytest.approx(1.0)
    assert len(people.follows.keys) == known + reaction.followed.sum()
    again = people.react(slates, rng)
    assert not again.acted[reaction.examined].any()


async def test_who_is_pleased_comes_back_more_often(world):
    pleased = await lived(world, "truth", days=3, behaviour=Behaviour(visits=Visits(memory=0.2)))
    bored = await lived(world, "random", days=3, behaviour=Behaviour(visits=Visits(memory=0.2)))
    came = [len(np.unique(one.days[-1].sessions.viewer)) for one in (pleased, bored)]
    assert came[0] > came[1]


@given(st.lists(st.lists(st.integers(0, 20), max_size=10), max_size=4))
def test_a_tally_counts_like_a_dictionary(batches):
    tally, expected = Tally(), dict.fromkeys(range(25), 0.0)
    for batch in batches:
        tally.add(np.array(batch, np.int64))
        for key in batch:
            expected[key] += 1
    assert tally.of(np.arange(25)).tolist() == list(expected.values())
    assert tally.between(5, 10).tolist() == [key for key in range(5, 10) if expected[key]]
    tally.fade(0.5)
    assert tally.of(np.arange(25)).tolist() == [value / 2 for value in expected.values()]


def test_bad_behaviour_is_refused():
    with pytest.raises(ValueError, match="least"):
        Visits(least=1.5)
