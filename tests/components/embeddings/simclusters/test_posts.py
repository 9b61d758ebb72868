from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from components.embeddings.simclusters.config import PostConfig
from components.embeddings.simclusters.interests import interested_in
from components.embeddings.simclusters.posts import (
    PostSums,
    counted,
    engagement_weights,
    post_vectors,
    truncated,
)
from components.embeddings.simclusters.signals import Signals
from components.stores.graph import Graph
from components.stores.ids import IdIndex
from components.stores.posts import PostStore
from components.stores.stores import ENGAGEMENT, Stores
from components.units import HOUR_MS

USERS, POSTS, CLUSTERS = 5, 6, 3
WEIGHTS = sparse.csr_array(np.array([[1.0, 0, 0], [0.5, 2, 0], [0, 0, 0.25], [0, 0, 0], [3, 1, 1]]))
CREATED = np.array([0, 0, 5, 10, 40, 90]) * HOUR_MS
events = st.lists(
    st.tuples(st.integers(0, USERS - 1), st.integers(0, POSTS - 1), st.integers(0, 120)),
    max_size=30,
    unique_by=lambda event: event[:2],
)


def stores_of(listed):
    users = IdIndex.of(np.arange(USERS))
    posts = PostStore.build(users, np.arange(POSTS), np.arange(POSTS) % USERS, CREATED)
    user, post, hours = (np.array([event[i] for event in listed], dtype=np.int64) for i in range(3))
    graph = Graph.build(user, post, hours * HOUR_MS, shape=(USERS, POSTS))
    return Stores(users, np.full(USERS, "", dtype=object), posts, {ENGAGEMENT: graph}, 200 * HOUR_MS)


def naive(listed, at_h):
    sums = np.zeros((POSTS, CLUSTERS))
    for user, post, hour in listed:
        old = hour - CREATED[post] // HOUR_MS > 72
        if hour < at_h and user != post % USERS and not old:
            sums[post] += WEIGHTS.toarray()[user] * 0.5 ** ((at_h - hour) / 8)
    return sums


@given(events, st.integers(0, 150))
def test_vectors_as_of_a_moment_are_decayed_sums_of_what_was_known_before(listed, at_h):
    found = post_vectors(stores_of(listed), WEIGHTS, PostConfig(), at_h * HOUR_MS)
    assert found.toarray() == pytest.approx(naive(listed, at_h))


@settings(max_examples=40)
@given(events, st.integers(120, 3_000), st.integers(1, 4))
def test_the_stream_and_the_computation_as_of_a_moment_agree(listed, at_h, batches):
    stores, config = stores_of(listed), PostConfig()
    graph, sums = stores.engagements, PostSums(WEIGHTS, POSTS)
    order = graph.between(0, at_h * HOUR_MS)
    order = order[counted(stores, graph.sources[order], graph.ends[order], graph.time_ms[order], config)]
    for part in np.array_split(order, batches):
        sums.add(graph.sources[part], graph.ends[part], graph.time_ms[part])
    expected = post_vectors(stores, WEIGHTS, config, at_h * HOUR_MS)
    assert sums.as_of(at_h * HOUR_MS).toarray() == pytest.approx(expected.toarray())


def test_two_adds_of_one_eight_hours_apart_read_one_and_a_half():
    sums = PostSums(sparse.csr_array([[1.0]]), 1)
    sums.add([0], [0], [1_000])
    sums.add([0], [0], [1_000 + 8 * HOUR_MS])
    assert sums.as_of(1_000 + 8 * HOUR_MS).toarray()[0, 0] == pytest.approx(1.5, abs=1e-12)


def test_a_year_of_events_neither_overflows_nor_loses_the_last_one():
    sums = PostSums(sparse.csr_array([[1.0]]), 1)
    for day in range(400):
        sums.add([0], [0], [day * 24 * HOUR_MS])
    expected = sum(0.5 ** (3 * day) for day in range(400))
    assert sums.as_of(399 * 24 * HOUR_MS).toarray()[0, 0] == pytest.approx(expected)


def test_posts_made_before_a_moment_can_be_left_out():
    listed = [(1, 0, 50), (1, 4, 50)]
    found = post_vectors(stores_of(listed), WEIGHTS, PostConfig(), 60 * HOUR_MS, since_ms=40 * HOUR_MS)
    assert np.flatnonzero(np.diff(found.indptr)).tolist() == [4]


def test_only_clusters_of_enough_likes_count():
    follows = [[0, 2], [0, 3], [1, 2], [1, 3]]
    likes = [[0, 2], [0, 3]]
    known_for = sparse.csr_array(np.array([[0.0], [0], [0.2], [0.2]]))
    interests = interested_in(Signals.build(np.arange(4), follows, likes), known_for)
    assert engagement_weights(interests, PostConfig()).toarray().tolist() == [
        [pytest.approx(1.0)],
        [0],
        [0],
        [0],
    ]
    assert engagement_weights(interests, PostConfig(min_gate=0.5)).nnz == 0
    by_follow = PostConfig(score="follow", gate="follow")
    assert engagement_weights(interests, by_follow).toarray()[:2, 0] == pytest.approx([0.5**0.5] * 2)


def test_posts_keep_their_best_clusters_from_the_least_value_on():
    sums = sparse.csr_array(np.array([[0.5, 0.019, 0.3, 0.4], [0.02, 0, 0, 0]]))
    kept = truncated(sums, PostConfig(clusters=2))
    assert kept.toarray().tolist() == [[0.5, 0, 0, 0.4], [0.02, 0, 0, 0]]
