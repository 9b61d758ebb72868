from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.datasets import Dataset, Table
from components.sources.answers import posts_at
from components.stores.from_dataset import stores_of
from components.stores.types import Controls, Post, Viewer
from components.transforms.conversations import (
    OneOfEachConversation,
    OneOfEachOriginal,
    OneOfEachStory,
    WithoutAncestors,
    story_of,
)
from components.transforms.wishes import Wishes
from mixer import Request

VIEWER = Viewer(1, request=Request(id="r"))


def stores_with(count, **columns):
    posts = {
        "post_id": np.arange(10, 10 + count),
        "author_id": [1] * count,
        "created_ms": [1] * count,
        **columns,
    }
    return stores_of(Dataset("test", {"users": Table({"user_id": [1]}), "posts": Table(posts)}, 100))


def batch_of(stores, rows, scores=None):
    posts = posts_at(stores, np.array(rows, dtype=np.int64), np.ones(len(rows)))
    values = np.arange(len(rows), 0, -1) if scores is None else scores
    return posts.with_columns({Post.score: np.array(values, dtype=np.float32)})


@st.composite
def threads(draw):
    count = draw(st.integers(1, 8))
    references = [draw(st.sampled_from([-1, *range(10, 10 + at)])) for at in range(count)]
    rows = draw(st.permutations(range(count)))
    scores = draw(st.lists(st.integers(0, 4), min_size=count, max_size=count))
    return count, references, rows, scores


@given(threads(), st.booleans())
def test_one_post_stays_of_a_post_and_its_reposts(made, natives_first):
    count, references, rows, _ = made
    stores = stores_with(count, repost_of=references)
    kept = OneOfEachOriginal(stores, natives_first).transform(VIEWER, batch_of(stores, rows)).ids.tolist()
    order = [10 + row for row in rows]
    original = {10 + row: references[row] if references[row] != -1 else 10 + row for row in range(count)}
    groups = {}
    for post in order:
        groups.setdefault(original[post], []).append(post)
    winners = {
        next((post for post in group if references[post - 10] == -1), group[0]) if natives_first else group[0]
        for group in groups.values()
    }
    assert kept == [post for post in order if post in winners]


def test_the_published_repost_rules():
    stores = stores_with(2, repost_of=[-1, 10])
    repost_then_post = batch_of(stores, [1, 0])
    assert OneOfEachOriginal(stores).transform(VIEWER, repost_then_post).ids.tolist() == [11]
    assert OneOfEachOriginal(stores, natives_first=True).transform(VIEWER, repost_then_post).ids.tolist() == [
        10
    ]


@given(threads())
def test_the_best_of_a_conversation_stands_where_its_first_stood(made):
    count, references, rows, scores = made
    stores = stores_with(count, reply_to=references)
    batch = batch_of(stores, rows, scores)
    kept = OneOfEachConversation(stores).transform(VIEWER, batch).ids.tolist()
    key = stores.posts.threads.conversation
    order = list(zip(rows, scores, strict=True))
    expected, done = [], set()
    for row, _ in order:
        if key[row] not in done:
            done.add(key[row])
            same = [one for one in order if key[one[0]] == key[row]]
            expected.append(10 + max(same, key=lambda one: one[1])[0])  # the first of the best
    assert kept == expected


SAME = (
    "Tea is out!",
    "tea is OUT https://a.b/2",
    "@you tea is out 3",
    "Tea, https://a.b/c_d is - @you_2 - out",
)
TEXTS = (*SAME, "jazz", "", "...")


@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=8), st.integers(1, 9))
def test_one_post_stays_of_a_story(texts, among):
    stores = stores_with(len(texts), text=texts)
    batch = batch_of(stores, range(len(texts)))
    kept = OneOfEachStory(stores, among=among).transform(VIEWER, batch).ids.tolist()
    told, expected = set(), []
    for row, text in enumerate(texts):
        story = story_of(text)
        if row >= among or not story or story not in told:
            expected.append(10 + row)
        told.add(story)
    assert kept == expected


def test_a_story_is_told_without_links_mentions_and_numbers_wherever_they_stand():
    assert {story_of(text) for text in SAME} == {"tea is out"}
    assert story_of("ask me@home.de") == "ask me home de"


class TestWishes:
    stores = stores_with(3, topic=[0, 1, 2])

    def scores(self, **wishes):
        batch = batch_of(self.stores, [0, 1, 2], [1.0, 1.0, 1.0]).with_columns(
            {
                Post.in_network: np.array([True, False, False]),
                Post.age_h: np.array([0.0, 6.0, 12.0], dtype=np.float32),
            }
        )
        viewer = Viewer(1, request=Request(id="r"), controls=Controls(**wishes))
        ranked = Wishes(self.stores).transform(viewer, batch)
        assert ranked[Post.score].tolist() == sorted(ranked[Post.score].tolist(), reverse=True)
        return dict(zip(ranked.ids.tolist(), ranked[Post.score].tolist(), strict=True))

    def test_without_wishes_nothing_changes(self):
        assert self.scores() == {10: 1.0, 11: 1.0, 12: 1.0}

    def test_more_and_less_of_authors_and_topics_multiply(self):
        found = self.scores(
            more_topics=frozenset({1}), less_topics=frozenset({2}), less_authors=frozenset({1})
        )
        assert found == pytest.approx({10: 0.2, 11: 0.4, 12: 0.04})

    @pytest.mark.parametrize(("slider", "followed", "strange"), [(0.0, 1, 0), (0.25, 1, 0.5), (1.0, 0, 1)])
    def test_the_slider_weighs_followed_against_discovery(self, slider, followed, strange):
        found = self.scores(discovery=slider)
        assert found == pytest.approx({10: followed, 11: strange, 12: strange})

    def test_freshness_halves_with_the_half_life(self):
        assert self.scores(half_life_h=6.0) == pytest.approx({10: 1.0, 11: 0.5, 12: 0.25})


@given(threads(), st.data())
def test_what_another_candidate_answers_is_displayed_with_that_one(made, data):
    count, references, rows, _ = made
    rows = data.draw(st.lists(st.sampled_from(rows), unique=True))
    stores = stores_with(count, reply_to=references)
    kept = WithoutAncestors(stores).transform(VIEWER, batch_of(stores, rows)).ids.tolist()
    answered = set()
    for row in rows:
        above = references[row]
        while above != -1:
            answered.add(above)
            above = references[above - 10]
    assert kept == [10 + row for row in rows if 10 + row not in answered]
