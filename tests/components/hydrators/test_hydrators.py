from __future__ import annotations

import attrs
import numpy as np
import pytest

from components.datasets import generate
from components.hydrators.accounts import Connections, SharedInterests
from components.hydrators.posts import Affinity, NetworkStatus, Popularity, PostTraits
from components.stores.from_dataset import stores_of
from components.stores.types import Account, Post, Viewer
from components.units import HOUR_MS
from mixer import Candidates, Request

DATA = generate("tiny", seed=4).dataset
STORES = stores_of(DATA)
MOMENTS = [int(np.quantile(DATA.engagements["time_ms"], share)) for share in (0.5, 1.0)]


def viewer_of(stores, user, now_ms):
    return attrs.evolve(Viewer(user, request=Request(now_ms=now_ms)), known=stores.history(user, now_ms))


def posts_by_id(stores, ids):
    rows = stores.posts.index.rows_of(ids)
    authors = stores.posts.author[rows].astype(np.int64)
    columns = {
        Post.id: ids,
        Post.row: rows,
        Post.author_row: authors,
        Post.author_id: stores.users.ids[authors],
        Post.created_ms: stores.posts.created_ms[rows],
    }
    return Candidates(Post, columns)


def accounts_by_id(stores, ids):
    return Candidates(Account, {Account.id: ids, Account.row: stores.users.rows_of(ids)})


def post_hydrators(stores):
    return NetworkStatus(stores), Affinity(stores), Popularity(stores, latest=10_000), PostTraits(stores)


def account_hydrators(stores):
    return Connections(stores, latest=10_000), SharedInterests(stores, stores.interests, latest=10_000)


def hydrated(hydrators, viewer, batch):
    for one in hydrators:
        columns = one.hydrate(viewer, batch)
        assert tuple(columns) == one.writes
        batch = batch.with_columns(columns)
    return batch


def engaged_before(graph, row, now_ms):
    return set(graph.of(row, now_ms).tolist())


@pytest.mark.parametrize("now_ms", MOMENTS)
def test_post_features_are_what_they_are_called(now_ms):
    users = range(len(STORES.users))
    engaged = {row: engaged_before(STORES.engagements, row, now_ms) for row in users}
    follows = {row: engaged_before(STORES.follows, row, now_ms) for row in users}
    recent = {row: engaged_before(STORES.engagements, row, now_ms - 24 * HOUR_MS) for row in users}
    batch = posts_by_id(STORES, STORES.posts.index.ids[::40])
    for user in (3, 77, 150):
        me = STORES.users.row_of(user)
        topics = [int(STORES.posts.traits["topic"][post]) for post in engaged[me]]
        for post in hydrated(post_hydrators(STORES), viewer_of(STORES, user, now_ms), batch):
            topic = int(STORES.posts.traits["topic"][post.row])
            assert post.in_network == (post.author_row in follows[me])
            assert post.author_followers == sum(post.author_row in others for others in follows.values())
            assert post.author_affinity == sum(
                STORES.posts.author[one] == post.author_row for one in engaged[me]
            )
            assert post.topic_affinity == pytest.approx(topics.count(topic) / max(len(topics), 1))
            assert post.recent_engagements == sum(post.row in engaged[row] - recent[row] for row in users)
            assert post.followed_engagers == sum(post.row in engaged[row] for row in follows[me])
            assert post.age_h == pytest.approx(max(0, now_ms - post.created_ms) / HOUR_MS, rel=1e-5)
            assert post.has_media == (STORES.posts.traits["media"][post.row] > 0)
            assert post.is_reply == (STORES.posts.traits["reply_to"][post.row] >= 0)


@pytest.mark.parametrize("now_ms", MOMENTS)
def test_account_features_are_what_they_are_called(now_ms):
    follows = {row: engaged_before(STORES.follows, row, now_ms) for row in range(len(STORES.users))}
    things = {row: engaged_before(STORES.interests, row, now_ms) for row in range(len(STORES.users))}
    batch = accounts_by_id(STORES, STORES.users.ids[::3])
    for user in (3, 77, 150):
        me = STORES.users.row_of(user)
        for account in hydrated(account_hydrators(STORES), viewer_of(STORES, user, now_ms), batch):
            assert account.connectors == sum(account.row in follows[friend] for friend in follows[me])
            assert account.followers == sum(account.row in others for others in follows.values())
            before = {row: engaged_before(STORES.follows, row, now_ms - 24 * HOUR_MS) for row in follows}
            assert account.new_followers == sum(
                account.row in others - before[row] for row, others in follows.items()
            )
            assert account.followings == len(follows[account.row])
            assert account.follows_viewer == (me in follows[account.row])
            assert account.shared_interests == len(things[me] & things[account.row])


def test_no_feature_knows_the_future():
    now_ms = MOMENTS[0]
    past = stores_of(DATA.as_of(now_ms))
    posts = past.posts.index.ids[::7]
    for user in (3, 77, 150):
        for by_id, hydrators, ids in (
            (posts_by_id, post_hydrators, posts),
            (accounts_by_id, account_hydrators, past.users.ids),
        ):
            today = hydrated(hydrators(STORES), viewer_of(STORES, user, now_ms), by_id(STORES, ids))
            then = hydrated(hydrators(past), viewer_of(past, user, now_ms), by_id(past, ids))
            for one, other in zip(hydrators(STORES), hydrators(past), strict=True):
                for key in one.writes:
                    assert np.array_equal(today[key], then[key]), (one.name, other.name, key)


def test_features_of_a_row_do_not_depend_on_the_other_rows():
    batch, viewer = posts_by_id(STORES, STORES.posts.index.ids[::11]), viewer_of(STORES, 77, MOMENTS[1])
    together = hydrated(post_hydrators(STORES), viewer, batch)
    alone = hydrated(post_hydrators(STORES), viewer, batch.slice(5, 6))
    assert together.slice(5, 6).equals(alone)
