"""Whatever fails or hangs, the answer is useful, says what is missing, and keeps its promises."""

from __future__ import annotations

import os
import time

import anyio
import attrs
import numpy as np
import pytest

from components.hydrators.posts import Affinity, NetworkStatus, Popularity, PostTraits
from components.predicates import timeline
from components.rankers.light import LogisticRanker
from components.sources.posts import CoEngagement, InNetwork, PopularPosts
from components.stores.controls import ControlStore
from components.stores.from_dataset import stores_of
from components.stores.graph import Graph
from components.stores.impressions import ImpressionStore
from components.stores.stores import BLOCK, FOLLOW, Stores
from components.stores.types import Post
from components.visibility.engine import Visible
from mixer import Candidates, Outcome, Request
from products.for_you import params
from products.for_you.flow import ForYou
from products.for_you.training import INPUTS
from tests.products.faults import USERS, fails, hangs, viewer_of, with_graph

SOURCES = [(one, "fetch") for one in (InNetwork, CoEngagement, PopularPosts)]
HYDRATORS = [(one, "hydrate") for one in (NetworkStatus, Affinity, Popularity, PostTraits)]
COMFORT = [(one, "check") for one in (timeline.NotOwn, timeline.NoStrangersReplies, timeline.NotFatigued)]
PROTECTION = [
    (one, "check")
    for one in (timeline.ForSubscribers, timeline.NoMutedWords, timeline.PeopleGetAlong, Visible)
]
RANKER = [(LogisticRanker, "rank")]
NAMES = [f"{kind.__name__}" for kind, _ in [*SOURCES, *HYDRATORS, *COMFORT, *RANKER]]


def promises_kept(stores, viewer, posts, *, own=True):
    row = stores.users.row_of(viewer.user_id)
    blocks = stores.graphs[BLOCK]
    hidden = {
        *([row] if own else []),
        *blocks.of(row).tolist(),
        *blocks.reverse.of(row).tolist(),
        *stores.graphs["mute"].of(row).tolist(),
    }
    ids = posts.ids.tolist()
    return len(set(ids)) == len(ids) and not hidden & set(posts[Post.author_row].tolist())


@pytest.mark.parametrize(("kind", "method"), [*SOURCES, *HYDRATORS, *COMFORT, *RANKER], ids=NAMES)
async def test_one_failing_part_leaves_a_full_timeline(stores, for_you, monkeypatch, kind, method):
    monkeypatch.setattr(kind, method, fails)
    for user in USERS:
        viewer = viewer_of(stores, user)
        result = await for_you.process(viewer)
        assert result.outcome is Outcome.DEGRADED
        assert result.degradations
        assert len(result.candidates) >= 10
        assert promises_kept(stores, viewer, result.candidates, own=kind is not timeline.NotOwn)


async def test_nonsense_scores_neither_crash_nor_come_first(stores, for_you, monkeypatch):
    sound = LogisticRanker.rank

    def nonsense(self, target, candidates):
        ranked = sound(self, target, candidates)
        scores = ranked[Post.score].copy()
        scores[::2] = np.nan
        return ranked.with_columns({Post.score: scores})

    monkeypatch.setattr(LogisticRanker, "rank", nonsense)
    for user in USERS:
        viewer = viewer_of(stores, user)
        posts = (await for_you.process(viewer)).candidates
        assert len(posts) == params.RESULTS.default
        assert promises_kept(stores, viewer, posts)
        assert not np.isnan(posts[Post.score][:10]).any()


@pytest.mark.parametrize(("kind", "method"), PROTECTION, ids=[one.__name__ for one, _ in PROTECTION])
async def test_without_protection_nothing_is_shown(stores, for_you, monkeypatch, kind, method):
    monkeypatch.setattr(kind, method, fails)
    result = await for_you.process(viewer_of(stores, 3))
    assert len(result.candidates) == 0
    assert result.outcome is Outcome.DEGRADED


@pytest.mark.parametrize(("kind", "method"), [*SOURCES, *HYDRATORS, *RANKER])
async def test_a_hanging_part_is_left_behind_at_the_deadline(stores, for_you, monkeypatch, kind, method):
    monkeypatch.setattr(kind, method, hangs)
    viewer = viewer_of(stores, 3, deadline=time.monotonic() + 0.5)
    with anyio.fail_after(5.0):
        result = await for_you.process(viewer)
    assert result.outcome is Outcome.DEGRADED
    assert promises_kept(stores, viewer, result.candidates)


@pytest.mark.parametrize("how", [fails, hangs])
async def test_without_a_history_the_timeline_is_the_same_for_everybody(stores, for_you, monkeypatch, how):
    sound = Stores.history

    def unreadable(self, *arguments, personalised=True, **named):
        return how() if personalised else sound(self, *arguments, personalised=False, **named)

    monkeypatch.setattr(Stores, "history", unreadable)
    viewer = viewer_of(stores, 3)
    result = await for_you.process(viewer)
    assert result.outcome is Outcome.DEGRADED
    assert "viewer/history" in [one.component for one in result.degradations]
    assert len(result.candidates) >= 10
    assert promises_kept(stores, viewer, result.candidates)


async def test_where_nobody_knows_whom_to_protect_nothing_is_shown(stores, for_you, monkeypatch):
    monkeypatch.setattr(Stores, "history", fails)
    result = await for_you.process(viewer_of(stores, 3))
    assert len(result.candidates) == 0
    assert result.reasons == ("history_unavailable",)
    assert [one.component for one in result.degradations] == ["viewer/history", "viewer/decisions"]


async def test_without_controls_the_timeline_is_not_personal(stores, timeline_model, monkeypatch):
    monkeypatch.setattr(ControlStore, "of", fails)
    ranker = LogisticRanker(timeline_model, INPUTS, Post.score)
    result = await ForYou(stores, ranker, controls=ControlStore()).process(viewer_of(stores, 3))
    assert result.outcome is Outcome.DEGRADED
    assert [one.component for one in result.degradations] == ["viewer/controls"]
    assert not result.candidates[Post.in_network].any()


async def test_a_cancelled_request_leaves_nothing_behind(stores, timeline_model, monkeypatch):
    impressions = ImpressionStore()
    flow = ForYou(stores, LogisticRanker(timeline_model, INPUTS, Post.score), impressions)
    monkeypatch.setattr(LogisticRanker, "rank", hangs)
    viewer = attrs.evolve(viewer_of(stores, 3), request=Request(id="cancelled", now_ms=stores.now_ms))
    with anyio.move_on_after(0.05) as scope:
        await flow.process(viewer)
    assert scope.cancelled_caught
    assert len(impressions.shown(3, stores.now_ms + 1)) == 0
    monkeypatch.undo()
    assert len((await flow.process(viewer)).candidates) == params.RESULTS.default


class TestEverybody:
    """Random viewers at random moments, and those at the edges: nobody crashes it, no promise is broken."""

    async def test_random_viewers(self, stores, for_you, rng):
        first = int(stores.posts.created_ms.min())
        users = rng.choice(stores.users.ids, int(os.environ.get("MIXER_RANDOM_VIEWERS", "750")))
        moments = rng.integers(first - 1_000, stores.now_ms + 1_000, len(users))
        for user, now_ms in zip(users.tolist(), moments.tolist(), strict=True):
            viewer = viewer_of(stores, user, now_ms=now_ms)
            result = await for_you.process(viewer)
            posts = result.candidates
            assert result.outcome in (Outcome.OK, Outcome.EMPTY)
            assert len(posts) <= params.RESULTS.default
            assert (posts[Post.created_ms] < now_ms).all()
            scores = posts[Post.score][posts[Post.age_h] <= params.MAX_AGE_H.default].tolist()
            assert scores == sorted(scores, reverse=True)
            ids, authors = posts.ids.tolist(), set(posts[Post.author_row].tolist())
            row = stores.users.row_of(user)
            assert len(set(ids)) == len(ids)
            assert row not in authors
            assert not authors & set(stores.graphs[BLOCK].of(row, now_ms).tolist())
            assert not authors & set(stores.graphs[BLOCK].reverse.of(row, now_ms).tolist())

    @pytest.fixture
    def flow_over(self, timeline_model):
        def made(stores):
            return ForYou(stores, LogisticRanker(timeline_model, INPUTS, Post.score))

        return made

    async def test_blocked_by_everybody_sees_nothing(self, stores, flow_over):
        everybody = np.arange(len(stores.users))
        alone = with_graph(stores, BLOCK, everybody[1:], np.zeros(len(everybody) - 1))
        result = await flow_over(alone).process(viewer_of(alone, int(stores.users.ids[0])))
        assert (result.outcome, len(result.candidates)) == (Outcome.EMPTY, 0)

    async def test_following_everybody_is_all_in_network(self, stores, flow_over):
        everybody = np.arange(len(stores.users))
        social = with_graph(stores, FOLLOW, np.zeros(len(everybody) - 1), everybody[1:])
        result = await flow_over(social).process(viewer_of(social, int(stores.users.ids[0])))
        assert len(result.candidates) == params.RESULTS.default
        assert result.candidates[Post.in_network].all()

    async def test_following_nobody_is_served_all_the_same(self, stores, flow_over):
        lonely = attrs.evolve(stores, graphs={})
        result = await flow_over(
            attrs.evolve(
                stores, graphs={**stores.graphs, FOLLOW: Graph.build([], [], shape=(len(stores.users),) * 2)}
            )
        ).process(viewer_of(stores, 5))
        assert len(result.candidates) == params.RESULTS.default
        explored = await flow_over(lonely).process(viewer_of(lonely, 5))
        sources = {
            name
            for handle in explored.candidates.handles.tolist()
            for name in explored.candidates.provenance.names_of(handle)
        }
        assert sources == {"new_authors"}  # nobody engages, so nothing is popular: chance is all there is

    async def test_an_empty_world_is_empty(self, world, flow_over):
        nothing = stores_of(world.as_of(0))
        result = await flow_over(nothing).process(viewer_of(nothing, 5))
        assert (result.outcome, len(result.candidates)) == (Outcome.EMPTY, 0)
        assert isinstance(result.candidates, Candidates)
