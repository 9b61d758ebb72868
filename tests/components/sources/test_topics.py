from __future__ import annotations

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.sources import topics
from components.sources.nearest import NearestPosts
from components.sources.topics import TopicPosts, asked_topics
from components.stores.types import Controls, Post
from components.stores.vectors import RecentVectors
from mixer.testing import check_laws
from tests.components.sources.small_stores import Small, ranked, same, small_stores


def asking(viewer, wanted):
    return attrs.evolve(viewer, controls=Controls(topics=frozenset(wanted)))


@given(small_stores(), st.sets(st.integers(0, 2), max_size=3), st.integers(0, 4))
@settings(max_examples=150, deadline=None)
def test_posts_on_topics_equal_their_twin(small, wanted, cap):
    stores = small.stores()
    source = TopicPosts(stores, cap, 20.0, 10.0)
    scores = {}
    for post, (_, hour, topic, _, reply, repost) in enumerate(small.posts):
        if topic in wanted and 0 < small.now_h - hour <= 20 and reply == repost == -1:
            recent = [
                at for (_, of), at in small.engagements.items() if of == post and 0 < small.now_h - at <= 10
            ]
            scores[post] = len(recent) + 1 / (1 + small.now_h - hour)
    for row in (-1, 0):
        same(source.fetch(asking(small.viewer(stores, row), wanted)), ranked(scores, cap))


@pytest.mark.parametrize(("named", "few"), [(0, 0), (1, 1), (6, 6), (7, 0)])
def test_one_to_six_topics_make_a_topic_request(named, few):
    small = Small(1, 50, {}, [], {}, {}, [""])
    assert len(asked_topics(asking(small.viewer(small.stores(), 0), range(named)))) == few
    assert topics.FEW_TOPICS == 6


def small_world():
    posts = [(0, 40 + at, at % 3, "", -1, -1) for at in range(9)]
    return Small(2, 50, {}, posts, {}, {}, ["", ""])


@attrs.frozen
class Same:
    """Every post is as near as its row says."""

    name: str = "same"

    def user_vectors(self, user_ids):
        return np.ones((len(user_ids), 1), np.float32)

    def post_vectors(self, post_rows, at_ms):
        return (1.0 + np.asarray(post_rows, dtype=np.float32))[:, None]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [((), [8, 7, 6, 5]), ((1,), [7, 4, 1]), ((0, 1), [7, 6, 4, 3]), (range(7), [8, 7, 6, 5])],
)
def test_a_topic_request_searches_learned_spaces_within_its_topics(wanted, expected):
    small = small_world()
    stores = small.stores()
    source = NearestPosts(RecentVectors(stores, Same()), 4)
    found = source.fetch(asking(small.viewer(stores, 0), wanted))
    assert found[Post.row].tolist() == expected


def test_it_keeps_the_laws():
    small = small_world()
    stores = small.stores()
    check_laws(TopicPosts(stores), target=asking(small.viewer(stores, 0), [1]), examples=2)
