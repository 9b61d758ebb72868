"""Whatever fails, hangs or answers nonsense, recommended accounts are useful, honest, and keep their promises."""

from __future__ import annotations

import os
import time

import anyio
import attrs
import numpy as np
import pytest

from components.hydrators.accounts import Connections, SharedInterests
from components.predicates import accounts as predicates
from components.rankers.fatigue import ImpressionFatigue
from components.rankers.light import LogisticRanker
from components.side_effects.impressions import RecordImpressions
from components.sources.accounts import FriendsOfFriends, MutualInterest, PopularAccounts
from components.sources.attention import Reciprocation, TrendingAccounts
from components.sources.people.known import PopularInLanguage
from components.sources.people.similar import CircleOfTrust, RecentlyFollowedByFollowed, SimilarAccounts
from components.sources.people.strong_ties import MutualFollows, TriangularLoops
from components.stores.from_dataset import stores_of
from components.stores.stores import BLOCK, DISMISSED, FOLLOW, MUTE
from components.stores.types import Account, Viewer
from components.transforms.showing import SocialProof
from mixer import Candidates, Outcome, Request
from products.follow_recs import params
from products.follow_recs.flow import FollowRecs
from products.follow_recs.training import INPUTS
from tests.products.faults import USERS, fails, hangs, viewer_of, with_graph

VIEWERS = int(os.environ.get("MIXER_RANDOM_VIEWERS", "750"))
SOURCES = (
    FriendsOfFriends,
    MutualInterest,
    SimilarAccounts,
    RecentlyFollowedByFollowed,
    CircleOfTrust,
    TriangularLoops,
    MutualFollows,
    Reciprocation,
    TrendingAccounts,
    PopularInLanguage,
    PopularAccounts,
)
OTHERS = (
    (Connections, "hydrate"),
    (SharedInterests, "hydrate"),
    (LogisticRanker, "rank"),
    (ImpressionFatigue, "rank"),
    (SocialProof, "transform"),
    (predicates.NotRecommended, "check"),
)
PARTS = [*((source, "fetch") for source in SOURCES), *OTHERS]
PROTECTION = (predicates.NotExcluded, predicates.InGoodStanding)
LOOKUPS = ("followed", "dismissed", "shown")
PROTECTING_LOOKUPS = ("avoided", "avoiding")


def soon():
    return time.monotonic() + 1.0


def promises_kept(stores, viewer, accounts, unknown=()):
    """Nobody twice, not the viewer, nobody who may not be shown; whom the flow could not know of apart."""
    row, now_ms = stores.users.row_of(viewer.user_id), viewer.request.now_ms
    hidden = {row}
    for kind, name in ((FOLLOW, "followed"), (DISMISSED, "dismissed"), (BLOCK, "avoided"), (MUTE, "avoided")):
        if name not in unknown:
            hidden |= set(stores.graphs[kind].of(row, now_ms).tolist())
    for kind in (BLOCK, MUTE):
        hidden |= set(stores.graphs[kind].reverse.of(row, now_ms).tolist())
    rows = accounts[Account.row].tolist()
    return len(set(rows)) == len(rows) and not hidden & set(rows)


def with_lookup(flow, name, ask):
    lookups = [attrs.evolve(one, ask=ask) if one.name == name else one for one in flow.requests.lookups]
    flow.requests = attrs.evolve(flow.requests, lookups=lookups)
    return flow


@pytest.mark.parametrize(("kind", "method"), PARTS, ids=[one.__name__ for one, _ in PARTS])
async def test_one_failing_part_leaves_a_full_answer(stores, follow_recs, monkeypatch, kind, method):
    monkeypatch.setattr(kind, method, fails)
    for user in USERS:
        viewer = viewer_of(stores, user)
        result = await follow_recs.process(viewer)
        assert result.outcome is Outcome.DEGRADED
        assert len(result.candidates) == params.RESULTS.default
        assert promises_kept(stores, viewer, result.candidates)


@pytest.mark.parametrize(("kind", "method"), PARTS, ids=[one.__name__ for one, _ in PARTS])
async def test_a_hanging_part_is_left_behind(stores, follow_recs, monkeypatch, kind, method):
    monkeypatch.setattr(kind, method, hangs)
    viewer = viewer_of(stores, 3, deadline=soon())
    with anyio.fail_after(5.0):
        result = await follow_recs.process(viewer)
    assert result.outcome is Outcome.DEGRADED
    assert promises_kept(stores, viewer, result.candidates)
    assert len(result.candidates) == params.RESULTS.default


@pytest.mark.parametrize("broken", [fails, hangs])
@pytest.mark.parametrize("name", LOOKUPS)
async def test_a_lookup_that_fails_open_leaves_a_full_answer(stores, follow_recs, name, broken):
    viewer = viewer_of(stores, 3, deadline=soon())
    with anyio.fail_after(5.0):
        result = await with_lookup(follow_recs, name, broken).process(viewer)
    assert [one.component for one in result.degradations] == [f"request/{name}"]
    assert len(result.candidates) == params.RESULTS.default
    assert promises_kept(stores, viewer, result.candidates, {name})


@pytest.mark.parametrize("broken", [fails, hangs])
@pytest.mark.parametrize("name", PROTECTING_LOOKUPS)
async def test_an_unreadable_block_list_shows_nobody(stores, follow_recs, name, broken):
    with anyio.fail_after(5.0):
        result = await with_lookup(follow_recs, name, broken).process(viewer_of(stores, 3, deadline=soon()))
    assert (result.outcome, len(result.candidates)) == (Outcome.DEGRADED, 0)
    assert str(result.degradations[0]).startswith(f"request/{name}: ")


@pytest.mark.parametrize("broken", [fails, hangs])
@pytest.mark.parametrize("kind", PROTECTION)
async def test_without_protection_nobody_is_shown(stores, follow_recs, monkeypatch, kind, broken):
    monkeypatch.setattr(kind, "check", broken)
    with anyio.fail_after(5.0):
        result = await follow_recs.process(viewer_of(stores, 3, deadline=soon()))
    assert (result.outcome, len(result.candidates)) == (Outcome.DEGRADED, 0)


def batch(stores, rows, scores=None, ids=None):
    rows = np.array(rows, dtype=np.int64)
    ids = stores.users.ids[rows % len(stores.users)] if ids is None else np.array(ids)
    scores = np.ones(len(rows)) if scores is None else scores
    return Candidates(
        Account,
        {Account.id: ids, Account.row: rows, Account.source_score: np.array(scores, dtype=np.float32)},
    )


GARBAGE = {
    "rows that nobody has": lambda stores: batch(stores, [10**9, 3]),
    "negative rows": lambda stores: batch(stores, [-1, 3]),
    "ids of others": lambda stores: batch(stores, [1, 2], ids=[999_999, 1_000_000]),
    "negative scores": lambda stores: batch(stores, [1, 2], scores=[-5.0, 1.0]),
    "scores without end": lambda stores: batch(stores, [1, 2], scores=[np.inf, 1.0]),
    "no candidates at all": lambda stores: ["nonsense"],
    "no rows": lambda stores: Candidates(Account, {Account.id: np.array([1])}),
}


@pytest.mark.parametrize("what", GARBAGE)
async def test_a_source_that_answers_nonsense_is_left_out(stores, follow_recs, monkeypatch, what):
    monkeypatch.setattr(FriendsOfFriends, "fetch", lambda source, viewer: GARBAGE[what](stores))
    for user in USERS:
        viewer = viewer_of(stores, user)
        result = await follow_recs.process(viewer)
        assert [one.component for one in result.degradations] == ["friends_of_friends"]
        assert len(result.candidates) == params.RESULTS.default
        assert promises_kept(stores, viewer, result.candidates)


async def test_duplicates_and_missing_scores_are_no_nonsense(stores, follow_recs, monkeypatch):
    monkeypatch.setattr(
        FriendsOfFriends, "fetch", lambda source, viewer: batch(stores, [7, 7, 8], [np.nan, 1.0, np.nan])
    )
    result = await follow_recs.process(viewer_of(stores, 3))
    assert result.outcome is Outcome.OK
    assert promises_kept(stores, viewer_of(stores, 3), result.candidates)


NONSENSE = {
    "nan scores": lambda ranked: ranked.with_columns({Account.score: np.full(len(ranked), np.nan)}),
    "fewer candidates": lambda ranked: ranked.head(3),
    "more candidates": lambda ranked: ranked.take([*range(len(ranked)), 0]),
    "no candidates": lambda ranked: None,
}


@pytest.mark.parametrize("what", NONSENSE)
async def test_a_model_that_answers_nonsense_is_left_out(stores, follow_recs, monkeypatch, what):
    sound = LogisticRanker.rank
    monkeypatch.setattr(LogisticRanker, "rank", lambda *arguments: NONSENSE[what](sound(*arguments)))
    viewer = viewer_of(stores, 3)
    result = await follow_recs.process(viewer)
    assert [one.component for one in result.degradations] == ["logistic_ranker"]
    assert len(result.candidates) == params.RESULTS.default
    assert result.candidates[Account.score][0] == 1.0  # the first to arrive
    assert promises_kept(stores, viewer, result.candidates)


async def test_a_failing_side_effect_is_counted_and_harms_nothing(stores, follow_recs, monkeypatch):
    monkeypatch.setattr(RecordImpressions, "apply", fails)
    viewer = Viewer(3, request=Request(id="fault", now_ms=stores.now_ms))
    assert (await follow_recs.process(viewer)).outcome is Outcome.OK
    assert follow_recs.stats.snapshot()["follow_recs/side_effects/failures/ConnectionError"] == 1


@pytest.mark.parametrize("left_s", [0.0, 0.001, 0.01])
async def test_hardly_any_time_is_no_reason_to_crash(stores, follow_recs, left_s):
    for user in USERS:
        viewer = viewer_of(stores, user, deadline=time.monotonic() + left_s)
        result = await follow_recs.process(viewer)
        assert result.outcome in (Outcome.OK, Outcome.DEGRADED)
        assert promises_kept(stores, viewer, result.candidates)


class TestEverybody:
    """Random viewers at random moments, and those at the edges: nobody crashes it, no promise is broken."""

    async def test_random_viewers(self, stores, follow_recs, rng):
        first = int(stores.posts.created_ms.min())
        users = rng.choice(stores.users.ids, VIEWERS)
        moments = rng.integers(first - 1_000, stores.now_ms + 1_000, len(users))
        for user, now_ms in zip(users.tolist(), moments.tolist(), strict=True):
            viewer = viewer_of(stores, user, now_ms=now_ms)
            result = await follow_recs.process(viewer)
            assert result.outcome in (Outcome.OK, Outcome.EMPTY)
            assert len(result.candidates) <= params.RESULTS.default
            scores = result.candidates[Account.score].tolist()
            assert scores == sorted(scores, reverse=True)
            assert promises_kept(stores, viewer, result.candidates)

    @pytest.fixture
    def flow_over(self, follow_model):
        def made(stores):
            return FollowRecs(stores, LogisticRanker(follow_model, INPUTS, Account.score))

        return made

    @pytest.mark.parametrize("kind", [BLOCK, MUTE])
    async def test_blocked_or_muted_by_everybody_sees_nobody(self, stores, flow_over, kind):
        others = np.arange(1, len(stores.users))
        alone = with_graph(stores, kind, others, np.zeros(len(others)))
        result = await flow_over(alone).process(viewer_of(alone, int(stores.users.ids[0])))
        assert (result.outcome, len(result.candidates)) == (Outcome.EMPTY, 0)

    @pytest.mark.parametrize("kind", [BLOCK, MUTE, FOLLOW, DISMISSED])
    async def test_done_with_everybody_sees_nobody(self, stores, flow_over, kind):
        others = np.arange(1, len(stores.users))
        done = with_graph(stores, kind, np.zeros(len(others)), others)
        result = await flow_over(done).process(viewer_of(done, int(stores.users.ids[0])))
        assert (result.outcome, len(result.candidates)) == (Outcome.EMPTY, 0)

    async def test_following_nobody_is_served_all_the_same(self, stores, flow_over):
        keep = stores.follows.sources != 4
        lonely = with_graph(stores, FOLLOW, stores.follows.sources[keep], stores.follows.ends[keep])
        viewer = viewer_of(lonely, int(stores.users.ids[4]))
        result = await flow_over(lonely).process(viewer)
        assert len(result.candidates) == params.RESULTS.default
        assert promises_kept(lonely, viewer, result.candidates)

    async def test_where_nobody_follows_anybody_there_is_nobody_to_follow(self, stores, flow_over):
        nobody = attrs.evolve(stores, graphs={})
        result = await flow_over(nobody).process(viewer_of(nobody, 5))
        assert (result.outcome, len(result.candidates)) == (Outcome.EMPTY, 0)

    async def test_a_stranger_is_not_eligible(self, stores, follow_recs):
        result = await follow_recs.process(viewer_of(stores, 10**12))
        assert (result.outcome, result.reasons) == (Outcome.INELIGIBLE, ("unknown_user",))

    async def test_an_empty_world_is_empty(self, world, flow_over):
        nothing = stores_of(world.as_of(0))
        result = await flow_over(nothing).process(viewer_of(nothing, 5))
        assert (result.outcome, len(result.candidates)) == (Outcome.EMPTY, 0)
