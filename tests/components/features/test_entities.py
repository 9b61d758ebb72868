from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.datasets import Action, Dataset, Table
from components.features.declared import Asked
from components.features.entities import Entities
from components.features.groups import heavy_features
from components.features.journal import Journal
from components.stores.from_dataset import stores_of

USERS, POSTS, ENTITIES = 5, 8, 3
user, moment = st.integers(0, USERS - 1), st.integers(1, 9)


@st.composite
def histories(draw):
    """Posts about few things, actions upon them after they were made, and follows."""
    posts = [
        {"author": draw(user), "entity": draw(st.integers(-1, ENTITIES - 1)), "made": draw(moment)}
        for _ in range(POSTS)
    ]
    acted = draw(st.lists(st.tuples(user, st.integers(0, POSTS - 1), moment), max_size=12))
    follows = draw(st.lists(st.tuples(user, user, moment), max_size=6))
    return posts, [(who, post, posts[post]["made"] + later) for who, post, later in acted], follows


def data_of(posts, acted, follows):
    viewers, ids, times = np.array(acted, dtype=np.int64).reshape(-1, 3).T
    followers, followees, since = np.array(follows, dtype=np.int64).reshape(-1, 3).T
    tables = {
        "users": Table({"user_id": np.arange(USERS) + 1, "name": [""] * USERS}),
        "posts": Table(
            {
                "post_id": np.arange(POSTS) + 1,
                "author_id": np.array([post["author"] for post in posts]) + 1,
                "created_ms": np.array([post["made"] for post in posts]),
                "entity_id": np.array([post["entity"] for post in posts]),
            }
        ),
        "engagements": Table(
            {
                "viewer_id": viewers + 1,
                "post_id": ids + 1,
                "action": np.full(len(ids), int(Action.FAV), np.int8),
                "time_ms": times,
            }
        ),
        "follows": Table({"follower_id": followers + 1, "followee_id": followees + 1, "created_ms": since}),
        "undated": Table({"user_id": [1, 2], "entity_id": [0, 0], "weight": np.ones(2, np.float32)}),
    }
    return Dataset("entities", tables, 100)


def found_of(data, viewer, now_ms, rows, **limits):
    group = Entities(Journal.of(stores_of(data), data), **limits)
    names = [feature.name for feature in group.features]
    columns = group.compute(Asked.one(viewer, now_ms, np.asarray(rows)))
    return dict(zip(names, (column.tolist() for column in columns), strict=True))


def naive(posts, acted, follows, viewer, now_ms, row):
    """The same for one pair, written as somebody would say it."""
    post = posts[row]
    entity = post["entity"]
    chosen = {(one["author"], one["entity"]) for one in posts if one["made"] < now_ms}
    chosen |= {(who, posts[at]["entity"]) for who, at, when in acted if when < now_ms}
    choosers = {e: {who for who, what in chosen if what == e} for e in range(ENTITIES)}
    mine = {what for who, what in chosen if who == viewer and what >= 0}

    def shared(who):
        return 0.0 if who == viewer else sum(len(choosers[e]) ** -0.5 for e in mine if who in choosers[e])

    author = shared(post["author"])
    if entity < 0:
        return [np.nan] * 5 + [author, False]
    newer = [one for one in posts if one["entity"] == entity and post["made"] < one["made"] < now_ms]
    followed = {whom for who, whom, since in follows if who == viewer and since < now_ms}
    people = choosers[entity]
    return [
        sum(one["entity"] == entity and one["made"] < now_ms for one in posts),
        len(people),
        len(newer),
        sum(one["author"] in followed for one in newer),
        sum(shared(who) for who in people) / max(len(people), 1) ** 0.5,
        author,
        entity in mine,
    ]


@given(histories(), user, st.integers(1, 20))
def test_entities_are_what_the_naive_model_says(history, viewer, now_ms):
    data = data_of(*history)
    found = found_of(data, viewer, now_ms, range(POSTS))
    expected = [naive(*history, viewer, now_ms, row) for row in range(POSTS)]
    for name, column in zip(found, zip(*expected, strict=True), strict=True):
        np.testing.assert_allclose(found[name], np.array(column, dtype=float), err_msg=name)


@given(histories(), user, st.integers(2, 20))
def test_entities_do_not_know_the_future(history, viewer, now_ms):
    data = data_of(*history)
    past = data.as_of(now_ms)
    then = stores_of(past)
    ids = then.posts.index.ids
    now = stores_of(data)
    later = found_of(data, viewer, now_ms, now.posts.index.rows_of(ids))
    at_the_time = found_of(past, viewer, now_ms, np.arange(len(ids)))
    for name in later:
        np.testing.assert_array_equal(later[name], at_the_time[name], err_msg=name)


@given(histories(), st.lists(st.tuples(user, st.integers(1, 20)), min_size=1, max_size=4))
def test_many_requests_are_answered_like_one_after_the_other(history, requests):
    data = data_of(*history)
    group = Entities(Journal.of(stores_of(data), data))
    viewers, moments = np.array(requests).T
    rows = np.tile(np.arange(POSTS), len(requests))
    together = group.compute(Asked(viewers, moments, np.repeat(np.arange(len(requests)), POSTS), rows))
    alone = [group.compute(Asked.one(who, when, np.arange(POSTS))) for who, when in requests]
    for column, parts in zip(together, zip(*alone, strict=True), strict=True):
        np.testing.assert_array_equal(column, np.concatenate(parts))


def test_the_work_of_a_request_is_bounded():
    posts = [{"author": who % USERS, "entity": 0, "made": 1 + who} for who in range(POSTS)]
    data = data_of(posts, [], [])
    assert found_of(data, 0, 50, [0], audience=1)["pair.entity_similarity"] == [pytest.approx(0.2)]
    assert found_of(data, 0, 50, [0], seeds=1)["pair.entity_similarity"] == [pytest.approx(0.8)]


def test_only_data_that_say_what_posts_are_about_have_entity_features():
    posts = [{"author": 0, "entity": -1, "made": 1} for _ in range(POSTS)]
    without = data_of(posts, [], [])
    with_one = data_of([{**posts[0], "entity": 1}, *posts[1:]], [], [])
    for data, expected in ((without, False), (with_one, True)):
        names = heavy_features(Journal.of(stores_of(data), data)).names("continuous")
        assert ("entity.newer_posts" in names) is expected
