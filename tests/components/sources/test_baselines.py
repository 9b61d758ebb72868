from __future__ import annotations

import numpy as np
import pytest

from components.datasets import generate
from components.sources.baselines import BestPosts, NewestAccounts, NewestPosts, RandomAccounts, RandomPosts
from components.stores.from_dataset import stores_of
from components.stores.types import Viewer
from mixer import Request

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def world():
    return generate("tiny", seed=1)


@pytest.fixture(scope="module")
def stores(world):
    return stores_of(world.dataset)


def asked(stores, source, *, user=5, hours_ago=24, seed=0):
    now_ms = stores.now_ms - hours_ago * HOUR_MS
    viewer = Viewer(user, request=Request(id="r", now_ms=now_ms, seed=seed))
    viewer = Viewer(user, request=viewer.request, known=stores.history(user, now_ms))
    return source.fetch(viewer).ids.tolist(), now_ms


def young(world, now_ms, hours):
    posts = world.dataset.posts
    return {
        post: created
        for post, created in zip(posts["post_id"].tolist(), posts["created_ms"].tolist(), strict=True)
        if now_ms - hours * HOUR_MS <= created < now_ms
    }


def test_newest_posts_are_the_latest_that_exist(world, stores):
    ids, now_ms = asked(stores, NewestPosts(stores, 30, 6.0))
    posts = young(world, now_ms, 6.0)
    assert ids == sorted(posts, key=lambda post: (-posts[post], post))[:30]


def test_random_posts_follow_the_seed_and_stay_within_the_age(world, stores):
    source = RandomPosts(stores, 1_000, 3.0)
    first, now_ms = asked(stores, source, seed=1)
    assert sorted(first) == sorted(young(world, now_ms, 3.0))
    assert asked(stores, source, seed=1)[0] == first
    assert asked(stores, source, seed=2)[0] != first


def test_best_posts_are_in_the_order_of_their_worth(world, stores):
    def worth(viewers, posts):
        return world.truth.probability(viewers, posts, 0)

    ids, now_ms = asked(stores, BestPosts(stores, worth, 20, 12.0))
    values = {post: float(worth(np.array([5]), np.array([post]))[0]) for post in young(world, now_ms, 12.0)}
    assert [values[post] for post in ids] == sorted(values.values(), reverse=True)[:20]


def test_newest_accounts_were_followed_last(world, stores):
    ids, now_ms = asked(stores, NewestAccounts(stores, 10), hours_ago=24 * 30)
    follows, last = world.dataset.follows, {}
    for account, since in zip(follows["followee_id"].tolist(), follows["created_ms"].tolist(), strict=True):
        if since < now_ms:
            last[account] = max(since, last.get(account, 0))
    assert [last[account] for account in ids] == sorted(last.values(), reverse=True)[:10]


def test_random_accounts_are_everybody_in_some_order(stores):
    ids, _ = asked(stores, RandomAccounts(stores, 10_000))
    assert sorted(ids) == stores.users.ids.tolist()
    assert ids != sorted(ids)
