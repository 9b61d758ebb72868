"""For You answers again from what it ranked a moment ago."""

from __future__ import annotations

import attrs
import pytest

from components.rankers.light import LogisticRanker
from components.stores.graph import Graph
from components.stores.stores import BLOCK
from components.stores.types import Controls, Paging, Post, Refresh
from mixer import DebugOptions, Ranker
from products.for_you import params
from products.for_you.flow import ForYou
from products.for_you.following import RankedFollowing
from products.for_you.training import INPUTS
from tests.products.faults import fails
from tests.products.test_for_you import viewer_of

ON = {params.REPLAY: True, params.REPLAY_LEAST: 100}
MINUTE_MS = 60_000


@attrs.define
class Counting(Ranker):
    """Counts how often the ranker inside is asked."""

    inner: Ranker
    asked: int = 0

    def rank(self, target, candidates):
        self.asked += 1
        return self.inner.rank(target, candidates)


@pytest.fixture
def ranker(timeline_model):
    return Counting(LogisticRanker(timeline_model, INPUTS, Post.score))


@pytest.fixture
def flow(stores, ranker):
    return ForYou(stores, ranker)


def asked(stores, user=1, minutes=0.0, settings=ON, **fields):
    now_ms = stores.now_ms + int(minutes * MINUTE_MS)
    return viewer_of(stores, user, now_ms=now_ms, params=settings, **fields)


def sources_of(result):
    provenance = result.candidates.provenance
    return {provenance.names[at] for at in provenance.primary_of(result.candidates.handles).tolist()}


async def test_who_comes_back_gets_the_rest_with_the_scores_of_before(stores, flow, ranker):
    first = await flow.process(asked(stores))
    second = await flow.process(asked(stores, minutes=2.9))
    assert ranker.asked == 1
    assert sources_of(second) == {"replayed_posts"}
    assert len(second.candidates) == params.RESULTS.default
    assert not set(first.candidates.ids.tolist()) & set(second.candidates.ids.tolist())  # seen is seen
    replay = flow.replays.of(asked(stores))
    scores = dict(zip(replay.ids.tolist(), replay.scores.tolist(), strict=True))
    kept = second.candidates[Post.source_score].tolist()
    assert kept == [scores[number] for number in second.candidates.ids.tolist()]


@pytest.mark.parametrize(
    "again",
    [
        {"minutes": 3.0},
        {"settings": {params.REPLAY: False}},
        {"settings": {params.REPLAY: True}},  # fewer than 500
        {"user": 8},
        {"debug": DebugOptions(capture=True)},
    ],
)
async def test_the_ranker_is_asked_anew(stores, flow, ranker, again):
    await flow.process(asked(stores))
    result = await flow.process(asked(stores, **again))
    assert ranker.asked == 2
    assert "replayed_posts" not in sources_of(result)


async def test_other_controls_and_newer_posts_are_not_answered_from_before(stores, flow):
    await flow.process(asked(stores))
    other = attrs.evolve(asked(stores), controls=Controls(videos=False))
    assert (await flow.update_target(other)).replay is None
    assert (await flow.update_target(asked(stores))).replay is not None
    for news in (Paging(newer_than_ms=1), Paging(refresh=Refresh.PULLED)):
        assert flow._replay(attrs.evolve(asked(stores), paging=news)) is None


@pytest.mark.parametrize("more", [0, 1])
async def test_as_many_as_are_wanted_are_enough(stores, flow, ranker, more):
    await flow.process(asked(stores))
    there = len(flow.replays.of(asked(stores)).ids)
    await flow.process(asked(stores, settings={**ON, params.REPLAY_LEAST: there + more}))
    assert ranker.asked == 1 + more


async def test_a_replay_is_not_remembered_again_and_older_posts_never(stores, flow):
    await flow.process(asked(stores))
    first = flow.replays.of(asked(stores))
    ages = stores.now_ms - stores.posts.created_ms[stores.posts.index.rows_of(first.ids)]
    assert ages.max() <= params.MAX_AGE_H.default * 60 * MINUTE_MS
    await flow.process(asked(stores, minutes=2))
    assert flow.replays.of(asked(stores, minutes=2.5)) is first  # its three minutes are not renewed


async def test_what_leaves_no_trace_and_what_failed_is_not_remembered(stores, flow, monkeypatch):
    await flow.process(asked(stores, debug=DebugOptions(skip_side_effects=True)))
    assert flow.replays.of(asked(stores)) is None
    monkeypatch.setattr(LogisticRanker, "rank", fails)
    result = await flow.process(asked(stores))
    assert len(result.candidates) == params.RESULTS.default
    assert flow.replays.of(asked(stores)) is None


async def test_whom_the_viewer_blocks_meanwhile_is_not_shown(stores, flow, ranker):
    await flow.process(asked(stores))
    author = int(stores.posts.author[stores.posts.index.rows_of(flow.replays.of(asked(stores)).ids)][-1])
    count = len(stores.users)
    block = Graph.build(
        [stores.users.row_of(1)], [author], [stores.now_ms + MINUTE_MS // 2], shape=(count, count)
    )
    meanwhile = attrs.evolve(stores, graphs={**stores.graphs, BLOCK: block})
    again = ForYou(meanwhile, ranker)
    authors = []
    for minutes in (0, 1):
        viewer = asked(meanwhile, minutes=minutes, debug=DebugOptions())
        result = await again.process(attrs.evolve(viewer, limit=20 if minutes == 0 else 1_000))
        authors.append(set(result.candidates[Post.author_row].tolist()))
    assert sources_of(result) == {"replayed_posts"}
    assert author in stores.posts.author[stores.posts.index.rows_of(again.replays.of(asked(stores)).ids)]
    assert author not in authors[1]


async def test_the_ranked_following_timeline_answers_again_too(stores, ranker):
    following = RankedFollowing(stores, ranker)
    settings = {params.REPLAY: True, params.REPLAY_LEAST: 1, params.RANKED_FOLLOWING: 5}
    for _ in range(2):
        result = await following.process(asked(stores, settings=settings))
    assert ranker.asked == 1
    assert sources_of(result) == {"replayed_posts"}
    assert len(result.candidates) == 5
    assert result.candidates[Post.in_network].all()
