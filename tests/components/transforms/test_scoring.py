from __future__ import annotations

import itertools

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.stores.graph import Graph
from components.stores.ids import IdIndex
from components.stores.posts import PostStore
from components.stores.types import Post, Viewer
from components.transforms.scoring import (
    AuthorBoost,
    ColdStartLift,
    FeedbackFatigue,
    NetworkDiscount,
    RecencyDecay,
    ReplyDiscount,
    SourceBoosts,
)
from components.transforms.slates import DeterminantalSlate, MarginalRelevance, greedy_map
from components.units import DAY_MS
from mixer import Candidates, Provenance, Request, Target

STORE = PostStore.build(
    IdIndex.of([1, 2, 3]),
    post_id=[10, 20, 30, 40],
    author_id=[1, 2, 3, 3],
    created_ms=[0, 0, 0, 0],
    reply_to=[-1, 10, -1, -1],
    repost_of=[-1, -1, 10, -1],
)
"""An original, a reply, a repost, and an original."""


def batch(scores, **columns):
    count = len(scores)
    given_columns = {
        Post.id: np.arange(count),
        Post.row: np.arange(count) % len(STORE),
        Post.author_row: STORE.author[np.arange(count) % len(STORE)].astype(np.int64),
        Post.score: np.array(scores, np.float32),
        **{getattr(Post, name): np.array(values) for name, values in columns.items()},
    }
    return Candidates(Post, given_columns)


def after(stage, candidates, target=None):
    changed = stage.transform(target or Target(), candidates)
    return dict(zip(changed.ids.tolist(), changed[Post.score].tolist(), strict=True))


def test_replies_keep_three_quarters():
    scored = batch([1.0, 1.0], is_reply=np.array([0, 1], np.float32))
    assert after(ReplyDiscount(), scored) == {0: 1.0, 1: 0.75}


def test_the_discount_of_2026_is_applied_once():
    inside = batch([1.0] * 4, in_network=[True] * 4, is_reply=np.array([0, 1, 0, 0], np.float32))
    assert after(NetworkDiscount(STORE), inside) == {0: 1.0, 1: 0.75, 2: 0.75, 3: 1.0}
    outside = batch([1.0] * 4, in_network=[False] * 4, is_reply=np.array([0, 1, 0, 0], np.float32))
    assert set(after(NetworkDiscount(STORE), outside).values()) == {0.75}


def test_the_published_boosts_of_authors():
    authors = np.array([True, True, False])
    inside, outside = (batch([1.0] * 4, in_network=[known] * 4) for known in (True, False))
    assert after(AuthorBoost(STORE, authors), inside) == {0: 4.0, 1: 1.0, 2: 1.0, 3: 1.0}
    assert after(AuthorBoost(STORE, authors), outside)[0] == 2.0
    creators = AuthorBoost(STORE, authors, 1.1, 1.3)
    assert after(creators, inside)[0] == pytest.approx(1.1)
    assert after(creators, outside)[0] == pytest.approx(1.3)


def test_a_post_of_several_sources_has_the_largest_boost():
    joined = batch([1.0] * 4, in_network=[True] * 4).with_columns({Post.id: np.array([0, 1, 1, 2])})
    found = joined.stamped(Provenance.of(("in_network", "graph"), [2, 2], joined)).deduplicate()
    boosts = SourceBoosts({"in_network": 0.8, "graph": 0.6})
    assert after(boosts, found) == {0: pytest.approx(0.8), 1: pytest.approx(0.8), 2: pytest.approx(0.6)}
    assert after(SourceBoosts({"graph": 0.6}), found)[1] == 1.0
    assert after(boosts, batch([1.0])) == {0: 1.0}


def test_a_score_halves_in_a_day_and_an_unknown_age_costs_nothing():
    scored = batch([1.0, 1.0, 1.0], age_h=np.array([0.0, 24.0, np.nan], np.float32))
    assert after(RecencyDecay(), scored) == {0: 1.0, 1: 0.5, 2: 1.0}
    assert after(RecencyDecay(0.1), scored)[1] == pytest.approx(np.exp(-2.4))


@pytest.mark.parametrize(
    ("days", "factor"), [(14, 0.2), (49, 0.4), (84, 0.6), (119, 0.8), (153, 0.994), (154, 1.0)]
)
def test_fatigue_wears_off_as_published(days, factor):
    nobody = Graph.build([], [], shape=(3, 3))
    found = FeedbackFatigue(nobody, nobody).factor(np.array([days]))
    assert found[0] == pytest.approx(factor, abs=5e-4)


@attrs.frozen
class Known:
    row: int
    now_ms: int
    stores: object


@attrs.frozen
class Users:
    users: tuple = (1, 2, 3)


def tired_viewer(days=49):
    return Viewer(1, known=Known(0, days * DAY_MS, Users()))


def test_fatigue_hits_authors_and_posts_whose_likers_are_all_tiresome():
    feedback = Graph.build([0], [1], [0], shape=(3, 3))  # the first user wants less of the second
    likes = Graph.build([0, 3, 3], [1, 1, 2], [1, 1, 1], shape=(4, 3))  # post 0 by the second; post 3 by two
    found = after(FeedbackFatigue(feedback, likes), batch([1.0] * 4), tired_viewer())
    assert found == {0: pytest.approx(0.4), 1: pytest.approx(0.4), 2: 1.0, 3: 1.0}


def test_without_feedback_nothing_changes():
    nobody = Graph.build([], [], shape=(3, 3))
    assert after(FeedbackFatigue(nobody, nobody), batch([0.5, 1.0]), tired_viewer()) == {1: 1.0, 0: 0.5}


def cold(followers, views, scores):
    return batch(
        scores,
        author_followers=np.array(followers, np.float32),
        recent_engagements=np.array(views, np.float32),
    ).with_columns({Post.row: np.zeros(len(scores), np.int64)})


def test_one_small_author_is_lifted_to_the_sixteenth_place():
    scores = np.linspace(1.0, 0.1, 30)
    followers, views = np.full(30, 5_000), np.zeros(30)
    followers[[20, 22]] = 10
    lift = ColdStartLift(STORE, Post.recent_engagements)
    found = after(lift, cold(followers, views, scores), Viewer(1))
    assert found[20] == pytest.approx(scores[15])
    assert found[22] == pytest.approx(scores[22])


def test_no_lift_for_the_tail_the_seen_or_those_already_above():
    scores = np.linspace(1.0, 0.1, 30)
    lift = ColdStartLift(STORE, Post.recent_engagements)
    for place, views in ((26, 0), (20, 1_000), (20, np.nan), (3, 0)):
        followers, seen = np.full(30, 5_000), np.zeros(30)
        followers[place], seen[place] = 10, views
        found = after(lift, cold(followers, seen, scores), Viewer(1))
        assert found == pytest.approx(dict(enumerate(scores.tolist())), rel=1e-6)


# --- slates


@given(st.integers(0, 1_000), st.integers(1, 4))
def test_greedy_map_maximises_the_determinant_step_by_step(seed, count):
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(6, 5))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    quality = np.exp(rng.random(6))
    kernel = np.outer(quality, quality) * (directions @ directions.T)
    chosen = greedy_map(quality, directions, count).tolist()
    for step, pick in enumerate(chosen):
        before = chosen[:step]
        gains = {
            one: np.linalg.det(kernel[np.ix_([*before, one], [*before, one])])
            for one in range(6)
            if one not in before
        }
        assert gains[pick] == pytest.approx(max(gains.values()))


def vectors(of):
    return lambda target, candidates: np.array([of[one] for one in candidates.ids.tolist()], float)


def test_a_determinantal_slate_leaves_out_the_copy_and_keeps_the_order_of_scores():
    of = {0: [1, 0, 0], 1: [1, 0.01, 0], 2: [0, 1, 0]}
    stage = DeterminantalSlate(vectors(of), Post.score, slate=2)
    kept = stage.transform(Target(), batch([1.0, 0.99, 0.5]))
    assert kept.ids.tolist() == [0, 2, 1]
    assert kept[Post.score].tolist() == [1.0, 0.5, 0.0]


def test_the_published_alpha_weighs_quality():
    theta = 0.65
    assert theta / (2 * (1 - theta)) == pytest.approx(0.928571, abs=1e-6)
    assert DeterminantalSlate(vectors({}), Post.score).theta == theta


def test_posts_without_a_vector_are_seeded():
    of = {one: [0.0, 0.0, 0.0] for one in range(8)}
    stage, scored = DeterminantalSlate(vectors(of), Post.score, slate=2), batch(np.linspace(1, 0.9, 8))

    def chosen(seed):
        kept = stage.transform(Target(request=Request(seed=seed)), scored)
        return tuple(kept.ids[kept[Post.score] > 0].tolist())

    assert chosen(1) == chosen(1)
    assert len({chosen(seed) for seed in range(20)}) > 1


def test_nothing_is_diversified_without_scores():
    stage = DeterminantalSlate(vectors({0: [1, 0], 1: [1, 0]}), Post.score)
    assert stage.transform(Target(), batch([0.0, 0.0])).ids.tolist() == [0, 1]
    assert len(stage.transform(Target(), batch([]))) == 0


@given(st.integers(0, 500), st.sampled_from([0.0, 0.3, 0.7, 1.0]))
def test_marginal_relevance_is_the_loop_that_people_would_write(seed, trade):
    rng = np.random.default_rng(seed)
    of = {one: rng.normal(size=3).tolist() for one in range(6)}
    scores = np.sort(rng.random(6).astype(np.float32))[::-1] + np.float32(0.1)
    ranked = MarginalRelevance(vectors(of), Post.score, trade).transform(Target(), batch(scores))
    units = {one: np.array(v) / np.linalg.norm(v) for one, v in of.items()}
    chosen = []
    for pick in ranked.ids.tolist():
        worth = {
            one: trade * scores[one] / scores[0]
            - (1 - trade) * max([0.0, *(float(units[one] @ units[two]) for two in chosen)])
            for one in range(6)
            if one not in chosen
        }
        assert worth[pick] == pytest.approx(max(worth.values()), abs=1e-6)
        chosen.append(pick)
    assert sorted(chosen) == list(range(6))


def test_scores_alone_keep_their_order():
    of = dict(zip(range(3), itertools.repeat([1.0, 0.0])))
    ranked = MarginalRelevance(vectors(of), Post.score, 1.0).transform(Target(), batch([0.2, 0.9, 0.5]))
    assert ranked.ids.tolist() == [1, 2, 0]
