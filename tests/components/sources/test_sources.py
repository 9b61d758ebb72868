"""Every source against a twin that is too slow to be wrong."""

from __future__ import annotations

import math
from collections import defaultdict

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.datasets import generate
from components.sources.accounts import FriendsOfFriends, MutualInterest, PopularAccounts
from components.sources.answers import best
from components.sources.posts import CoEngagement, InNetwork, PopularPosts
from components.stores.from_dataset import stores_of
from components.stores.types import Viewer
from components.units import HOUR_MS
from mixer import Request

AGE_H, WINDOW_H = 48.0, 24.0


@pytest.fixture(scope="module")
def world():
    return generate("tiny", seed=1).dataset


@pytest.fixture(scope="module")
def stores(world):
    return stores_of(world)


@pytest.fixture(scope="module", params=[1.0, 0.5])
def now_ms(world, request):
    return int(np.quantile(world.engagements["time_ms"], request.param)) + 1


@pytest.fixture(scope="module")
def facts(world, now_ms):
    """What happened before now, as plain Python."""
    return Facts.of(world, now_ms)


@attrs.frozen
class Facts:
    now_ms: int
    follows: dict
    engaged: dict  # user -> posts, oldest first
    engagers: dict
    recent: dict  # post -> engagements in the window
    posts: dict  # post -> (author, created)

    @classmethod
    def of(cls, world, now_ms):
        follows, first = defaultdict(list), {}
        edges = sorted(
            zip(
                world.follows["created_ms"],
                world.follows["follower_id"],
                world.follows["followee_id"],
                strict=True,
            )
        )
        for when, one, other in edges:
            if when < now_ms:
                follows[int(one)].append(int(other))
        table = world.engagements
        for viewer, post, action, when in zip(
            table["viewer_id"], table["post_id"], table["action"], table["time_ms"], strict=True
        ):
            if action < 8 and when < now_ms:
                pair = (int(viewer), int(post))
                first[pair] = min(int(when), first.get(pair, int(when)))
        engaged, engagers, recent = defaultdict(list), defaultdict(list), defaultdict(int)
        for (viewer, post), when in sorted(first.items(), key=lambda item: (item[1], item[0])):
            engaged[viewer].append(post)
            engagers[post].append(viewer)
            recent[post] += when >= now_ms - WINDOW_H * HOUR_MS
        posts = {
            int(post): (int(author), int(created))
            for post, author, created in zip(
                world.posts["post_id"], world.posts["author_id"], world.posts["created_ms"], strict=True
            )
        }
        return cls(now_ms, follows, engaged, engagers, recent, posts)

    def fresh(self, post):
        age = self.now_ms - self.posts[post][1]
        return 0 < age <= AGE_H * HOUR_MS


def asked(stores, user, now_ms):
    viewer = Viewer(user, request=Request(now_ms=now_ms))
    return attrs.evolve(viewer, known=stores.history(user, now_ms))


def answer(source, stores, user, facts):
    found = source.fetch(asked(stores, user, facts.now_ms))
    return dict(zip(found.ids.tolist(), found[found.kind.source_score].tolist(), strict=True))


USERS = range(1, 201, 9)


def test_in_network_is_fresh_posts_of_followed_authors_newest_first(stores, facts):
    source = InNetwork(stores, cap=10_000, max_age_h=AGE_H, per_author=10_000)
    for user in USERS:
        followed = set(facts.follows[user])
        expected = {
            post for post, (author, _) in facts.posts.items() if author in followed and facts.fresh(post)
        }
        found = source.fetch(asked(stores, user, facts.now_ms))
        assert set(found.ids.tolist()) == expected
        created = [facts.posts[post][1] for post in found.ids.tolist()]
        assert created == sorted(created, reverse=True)


def test_in_network_takes_the_newest_of_an_author_and_in_all(stores, facts):
    for user in USERS:
        viewer = asked(stores, user, facts.now_ms)
        everything = InNetwork(stores, cap=10_000, max_age_h=1e9, per_author=10_000).fetch(viewer)
        few = InNetwork(stores, cap=10_000, max_age_h=1e9, per_author=2).fetch(viewer)
        seen, expected = defaultdict(int), []
        for row in everything:
            seen[row.author_id] += 1
            if seen[row.author_id] <= 2:
                expected.append(row.id)
        assert sorted(few.ids.tolist()) == sorted(expected)
        capped = InNetwork(stores, cap=5, max_age_h=1e9, per_author=10_000).fetch(viewer)
        assert capped.ids.tolist() == everything.ids[:5].tolist()


def test_co_engagement_follows_the_two_steps(stores, facts):
    source = CoEngagement(stores, cap=10_000, max_age_h=AGE_H, seeds=1_000, neighbours=1_000)
    found_some = False
    for user in USERS:
        similarity = defaultdict(float)
        for post in facts.engaged[user]:
            for other in facts.engagers[post]:
                similarity[other] += 1 / math.log(2 + len(facts.engagers[post])) if other != user else 0.0
        votes = defaultdict(float)
        for other, weight in similarity.items():
            for post in facts.engaged[other] if weight else ():
                votes[post] += weight / math.sqrt(len(facts.engaged[other]))
        mine = set(facts.engaged[user])
        expected = {
            post: vote for post, vote in votes.items() if post not in mine and facts.fresh(post) and vote > 0
        }
        found = answer(source, stores, user, facts)
        assert found == pytest.approx(expected, rel=1e-5)
        assert list(found.values()) == sorted(found.values(), reverse=True)
        found_some |= bool(found)
    assert found_some


def test_popular_counts_engagements_of_the_window(stores, facts):
    expected = {post: count for post, count in facts.recent.items() if count and facts.fresh(post)}
    source = PopularPosts(stores, cap=10_000, max_age_h=AGE_H, window_h=WINDOW_H)
    assert answer(source, stores, 1, facts) == expected


def test_friends_of_friends_sum_damped_connectors(stores, facts):
    source = FriendsOfFriends(stores, cap=10_000, latest=10_000)
    for user in USERS:
        expected = defaultdict(float)
        for friend in facts.follows[user]:
            for other in facts.follows[friend]:
                if other != user:
                    expected[other] += 1 / math.log(2 + len(facts.follows[friend]))
        assert answer(source, stores, user, facts) == pytest.approx(expected, rel=1e-5)


def test_mutual_interest_sums_damped_things(stores, facts):
    source = MutualInterest(stores, stores.engagements, cap=10_000, latest=10_000)
    for user in USERS:
        expected = defaultdict(float)
        for post in facts.engaged[user]:
            for other in facts.engagers[post]:
                if other != user:
                    expected[other] += 1 / math.log(2 + len(facts.engagers[post]))
        assert answer(source, stores, user, facts) == pytest.approx(expected, rel=1e-5)


def test_popular_accounts_have_most_followers(stores, facts):
    counts = defaultdict(int)
    for followed in facts.follows.values():
        for other in followed:
            counts[other] += 1
    assert answer(PopularAccounts(stores, cap=10_000), stores, 1, facts) == counts


def sources_of(stores):
    return [
        InNetwork(stores, max_age_h=AGE_H),
        CoEngagement(stores, max_age_h=AGE_H),
        PopularPosts(stores, max_age_h=AGE_H, window_h=WINDOW_H),
        FriendsOfFriends(stores),
        MutualInterest(stores, stores.engagements),
        PopularAccounts(stores),
    ]


def test_no_source_knows_the_future(world, stores):
    """Asked about the past, sources answer as if the data ended there."""
    now_ms = int(np.quantile(world.engagements["time_ms"], 0.6))
    past = stores_of(world.as_of(now_ms))
    for today, then in zip(sources_of(stores), sources_of(past), strict=True):
        for user in USERS:
            found, expected = today.fetch(asked(stores, user, now_ms)), then.fetch(asked(past, user, now_ms))
            assert found.ids.tolist() == expected.ids.tolist()
            assert np.array_equal(found[found.kind.source_score], expected[expected.kind.source_score])


def test_no_source_answers_more_than_its_cap_or_knows_strangers(stores):
    for user in (1, 50, 10**9):
        viewer = asked(stores, user, stores.now_ms)
        for kind in (InNetwork, CoEngagement, PopularPosts, FriendsOfFriends, PopularAccounts):
            assert len(kind(stores, cap=3).fetch(viewer)) <= 3
            assert len(kind(stores, cap=0).fetch(viewer)) == 0
        assert len(MutualInterest(stores, stores.interests, cap=3).fetch(viewer)) <= 3


@given(st.lists(st.integers(-2, 4)), st.integers(0, 10))
def test_best_is_a_stable_sort_of_what_is_above_zero(scores, count):
    values = np.array(scores, dtype=np.float64)
    expected = sorted((row for row in range(len(scores)) if scores[row] > 0), key=lambda row: -scores[row])
    assert best(values, count).tolist() == expected[:count]
