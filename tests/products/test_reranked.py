"""Rankers are judged by the order in which they put what viewers were shown."""

from __future__ import annotations

from collections import Counter

import anyio
import attrs
import numpy as np
import pytest

from components.datasets import DataError
from components.evaluation import judge_lists, ndcg
from components.features.declared import FeatureSet
from components.models.weighted_score import APRIL_2023
from components.rankers.heavy import HeavyRanker, Threaded, UnderLoad
from components.rankers.light import LogisticRanker
from components.stores.types import Post
from mixer.params import Params
from mixer.rankers import KeepOrder
from products._cli.data import Loaded
from products._offline.measure import MAIN, Settings, measured
from products._offline.trial import viewer_of
from products.for_you import reranked, training
from products.for_you.evaluation import parts_of
from products.for_you.flow import ForYou


def ask(flow, case):
    async def answer():
        return (await flow.process(viewer_of(case, Params.of({}), 0))).candidates.ids.tolist()

    return anyio.run(answer)


@pytest.fixture(scope="module")
def loaded(whole_world, stores):
    return Loaded(whole_world.dataset, stores, whole_world.truth)


@pytest.fixture(scope="module")
def contest(loaded):
    return reranked.trial(loaded, 20, seed=0)


@pytest.fixture(scope="module")
def light(timeline_model):
    return LogisticRanker(timeline_model, training.INPUTS, Post.score)


@pytest.fixture(scope="module")
def systems(contest, light):
    return reranked.systems(contest, ForYou(contest.stores, light))


def test_relevant_is_what_was_acted_upon_within_three_hours(contest, loaded):
    did, posts = loaded.data["engagements"], contest.stores.posts.index
    for case in contest.cases:
        slate = set(posts.ids[contest.shown[case.user_id, case.now_ms]].tolist())
        assert set(case.relevant) < slate
        mine = (did["viewer_id"] == case.user_id) & (did["time_ms"] >= case.now_ms)
        mine &= did["time_ms"] < case.now_ms + 3 * 3_600_000
        assert set(case.relevant) <= set(did["post_id"][mine].tolist())


def test_every_system_orders_exactly_what_was_shown(contest, systems):
    assert set(systems) == {"for_you", "as_shown", "most_engaged", "newest", "random", "ceiling"}
    originals = contest.stores.posts.threads.repeated
    for case in contest.cases[:10]:
        rows = contest.shown[case.user_id, case.now_ms]
        ids = contest.stores.posts.index.ids[rows].tolist()
        # Of a post and its reposts, the flow ranks one.
        distinct = len(np.unique(np.where(originals[rows] >= 0, originals[rows], rows)))
        for name, flow in systems.items():
            found = ask(flow, case)
            assert set(found) <= set(ids), name
            assert len(found) == (distinct if name == "for_you" else len(ids)), name
        assert ask(systems["as_shown"], case) == ids


def test_orders_are_what_their_names_say(contest, systems):
    case, posts = contest.cases[0], contest.stores.posts
    rows = contest.shown[case.user_id, case.now_ms]
    newest = rows[np.argsort(-posts.created_ms[rows], kind="stable")]
    assert ask(systems["newest"], case) == posts.index.ids[newest].tolist()
    best = np.array(ask(systems["ceiling"], case))
    likely = contest.truth.probability(np.full(len(best), case.user_id), best, 0)
    assert (np.diff(likely) <= 0).all()


def test_every_telling_slate_of_a_drawn_viewer_is_ranked(contest, loaded):
    viewers = {case.user_id for case in contest.cases}
    assert len(viewers) == 20 < len(contest.cases) == len(contest.shown)
    everybody = reranked.trial(loaded, 10_000, seed=1)
    theirs = [case for case in everybody.cases if case.user_id in viewers]
    assert sorted(theirs, key=lambda case: case.id) == sorted(contest.cases, key=lambda case: case.id)


def test_places_say_nothing_where_an_order_is_undecided(contest):
    """Whoever is shown first is looked at first; an order that does not tell must not profit from that."""
    source = reranked.Shown(contest.stores, contest.shown, lambda _viewer, rows: np.zeros(len(rows)))
    first = Counter[int]()
    for case in contest.cases:
        viewer = viewer_of(case, Params.of({}), case.id)
        rows = contest.shown[case.user_id, case.now_ms].tolist()
        order = [rows.index(row) for row in source.fetch(viewer)[Post.row].tolist()]
        assert sorted(order) == list(range(len(rows)))
        first[order[0]] += 1
    assert first[0] < len(contest.cases) / 3


def test_a_viewer_counts_once_however_many_slates(contest, systems):
    chosen = {name: systems[name] for name in ("as_shown", "random")}
    report = anyio.run(measured, reranked.SHOWN, contest, chosen, Settings(Params.of({}), 0, {}))
    by_viewer: dict[int, list[float]] = {}
    for case in contest.cases:
        found = ask(chosen["as_shown"], case)
        value = judge_lists({0: found}, {0: case.relevant})
        by_viewer.setdefault(case.user_id, []).append(float(ndcg(value, 10)[0]))
    row = report.find("as_shown", MAIN).interval
    assert row.units == report.settings["users"] == 20
    assert row.estimate == pytest.approx(np.mean([np.mean(values) for values in by_viewer.values()]))
    assert report.find("as_shown - random", MAIN).interval.units == 20


def test_the_light_ranker_stands_beside_the_heavy_one(contest, light):
    systems = reranked.systems(contest, ForYou(contest.stores, UnderLoad(KeepOrder(), light)))
    assert list(systems)[:2] == ["for_you", "light_ranker"]


def test_beside_published_weights_stands_what_is_judged_any_action(contest, light):
    heavy = HeavyRanker(FeatureSet(()), Threaded(None), ("is_favorited",))  # type: ignore[arg-type]  # never asked
    systems = reranked.systems(contest, ForYou(contest.stores, UnderLoad(heavy, light)))
    assert list(systems)[:3] == ["for_you", "light_ranker", "any_action"]
    chosen = systems["any_action"].select_ranker(viewer_of(contest.cases[0], Params.of({}), 0))
    weights = [one.weights for one in parts_of(chosen) if isinstance(one, HeavyRanker)]
    assert weights == [reranked.ANY_ACTION]
    assert set(reranked.ANY_ACTION.weights.values()) == {1.0}
    assert APRIL_2023.weights.keys() - reranked.ANY_ACTION.weights.keys() == {
        "is_negative_feedback_v2",
        "is_report_tweet_clicked",
    }


def test_without_impressions_there_is_nothing_to_rank_again(loaded):
    tables = {**loaded.data.tables, "impressions": loaded.data["impressions"].take(np.arange(0))}
    with pytest.raises(DataError, match="expected impressions"):
        reranked.trial(attrs.evolve(loaded, data=attrs.evolve(loaded.data, tables=tables)), 5, 0)
