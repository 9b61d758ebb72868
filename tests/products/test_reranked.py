"""Rankers are judged by the order in which they put what viewers were shown."""

from __future__ import annotations

import anyio
import attrs
import numpy as np
import pytest

from components.datasets import DataError
from components.rankers.heavy import UnderLoad
from components.rankers.light import LogisticRanker
from components.stores.types import Post
from mixer.params import Params
from mixer.rankers import KeepOrder
from products._cli.data import Loaded
from products._offline.trial import viewer_of
from products.for_you import reranked, training
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
    return reranked.trial(loaded, 40, seed=0)


@pytest.fixture(scope="module")
def light(timeline_model):
    return LogisticRanker(timeline_model, training.INPUTS, Post.score)


@pytest.fixture(scope="module")
def systems(contest, light):
    return reranked.systems(contest, ForYou(contest.stores, light))


def test_relevant_is_what_was_acted_upon_within_three_hours(contest, loaded):
    did, posts = loaded.data["engagements"], contest.stores.posts.index
    for case in contest.cases:
        slate = set(posts.ids[contest.shown[case.user_id]].tolist())
        assert set(case.relevant) < slate
        mine = (did["viewer_id"] == case.user_id) & (did["time_ms"] >= case.now_ms)
        mine &= did["time_ms"] < case.now_ms + 3 * 3_600_000
        assert set(case.relevant) <= set(did["post_id"][mine].tolist())


def test_every_system_orders_exactly_what_was_shown(contest, systems):
    assert set(systems) == {"for_you", "as_shown", "most_engaged", "newest", "random", "ceiling"}
    originals = contest.stores.posts.threads.repeated
    for case in contest.cases[:10]:
        rows = contest.shown[case.user_id]
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
    rows = contest.shown[case.user_id]
    newest = rows[np.argsort(-posts.created_ms[rows], kind="stable")]
    assert ask(systems["newest"], case) == posts.index.ids[newest].tolist()
    likely = contest.truth.probability(np.full(len(rows), case.user_id), posts.index.ids[rows], 0)
    assert ask(systems["ceiling"], case) == posts.index.ids[rows[np.argsort(-likely, kind="stable")]].tolist()


def test_the_light_ranker_stands_beside_the_heavy_one(contest, light):
    systems = reranked.systems(contest, ForYou(contest.stores, UnderLoad(KeepOrder(), light)))
    assert list(systems)[:2] == ["for_you", "light_ranker"]


def test_without_impressions_there_is_nothing_to_rank_again(loaded):
    tables = {**loaded.data.tables, "impressions": loaded.data["impressions"].take(np.arange(0))}
    with pytest.raises(DataError, match="expected impressions"):
        reranked.trial(attrs.evolve(loaded, data=attrs.evolve(loaded.data, tables=tables)), 5, 0)
