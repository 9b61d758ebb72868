from __future__ import annotations

import math
from collections import defaultdict

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from components.datasets import generate
from components.sources.entities import SimilarEntities
from components.stores.from_dataset import stores_of
from components.stores.types import Viewer
from mixer import Request
from mixer.testing import check_laws
from tests.components.sources.small_stores import Small, ranked, rows_and_scores, same, small_stores


def naive(small, row, cap, shrinkage):
    """The same in words of people and things."""
    engaged, follows = small.past(small.engagements), small.past(small.follows).get(row, [])
    mine, about = engaged.get(row, []), [topic for _, _, topic, *_ in small.posts]
    chosen = {
        who: list(dict.fromkeys(about[post] for post in posts if about[post] >= 0))
        for who, posts in engaged.items()
    }
    audience = defaultdict(list)
    for who in sorted(chosen):
        for thing in chosen[who]:
            audience[thing].append(who)
    alike, closeness = defaultdict(float), defaultdict(float)
    for seed in sorted({about[post] for post in mine} - {-1}):
        for who in audience[seed]:
            alike[who] += 1 / math.sqrt(len(audience[seed]) + shrinkage)
    alike.pop(row, None)
    for who, shared in ranked(alike, 100):
        for thing in chosen[who]:
            closeness[thing] += shared / math.sqrt(len(chosen[who]) + shrinkage)
    found = []
    for thing, score in closeness.items():
        posts = [
            (-hour, post)
            for post, (author, hour, topic, *_) in enumerate(small.posts)
            if topic == thing and 0 < small.now_h - hour <= 20 and author != row and post not in mine
        ]
        for place, (age, post) in enumerate(sorted(posts)):
            if place == 0 or small.posts[post][0] in follows:
                found.append((-score / math.sqrt(len(audience[thing]) + shrinkage), age, post))
    return [(post, -score) for score, _, post in sorted(found)[:cap]]


@given(small_stores(), st.integers(0, 6), st.sampled_from([0.0, 10.0]))
@settings(max_examples=200, deadline=None)
def test_it_equals_its_twin(small, cap, shrinkage):
    stores = small.stores()
    source = SimilarEntities(stores, cap, 20.0, shrinkage)
    for row in range(small.users):
        same(source.fetch(small.viewer(stores, row)), naive(small, row, cap, shrinkage))


@given(small_stores())
@settings(max_examples=50, deadline=None)
def test_it_does_not_know_the_future(small):
    known = {edge: hour for edge, hour in small.engagements.items() if hour < small.now_h}
    now, then = small.stores(), attrs.evolve(small, engagements=known).stores()
    for row in range(small.users):
        answers = [SimilarEntities(one).fetch(small.viewer(one, row)) for one in (now, then)]
        same(answers[0], rows_and_scores(answers[1]))


def test_what_a_taste_shares_comes_and_what_two_happen_to_share_comes_last():
    """Users 0 to 2 like things 0 and 1, user 3 likes 0 and 2; the viewer, 0, has seen a post about 0 alone."""
    posts = [(4, 30 + thing, thing, "", -1, -1) for thing in range(4)] + [(4, 40, 0, "", -1, -1)]
    likes = {(0, 0): 31, (1, 0): 32, (1, 1): 33, (2, 0): 34, (2, 1): 35, (3, 0): 36, (3, 2): 37}
    small = Small(5, 50, {}, posts, likes, {}, [""] * 5)
    stores = small.stores()
    source, viewer = SimilarEntities(stores), small.viewer(stores, 0)
    assert source.fetch(viewer).ids.tolist() == [1004, 1001, 1002]
    assert len(source.fetch(small.viewer(stores, -1))) == 0
    check_laws(source, target=viewer, examples=2)


def test_of_one_thing_the_newest_post_comes_and_all_by_the_followed():
    posts = [(3, 30, 0, "", -1, -1), (2, 31, 0, "", -1, -1), (3, 32, 0, "", -1, -1), (3, 33, 0, "", -1, -1)]
    small = Small(4, 50, {(0, 2): 1}, posts, {(0, 0): 34, (1, 0): 35}, {}, [""] * 4)
    stores = small.stores()
    assert SimilarEntities(stores).fetch(small.viewer(stores, 0)).ids.tolist() == [1003, 1001]


def test_where_nothing_is_told_about_posts_nothing_comes():
    stores = stores_of(generate("tiny", seed=1).dataset)
    viewer = Viewer(1, request=Request(id="r", now_ms=stores.now_ms))
    viewer = attrs.evolve(viewer, known=stores.history(1, stores.now_ms))
    assert len(viewer.history.engaged)
    assert len(SimilarEntities(stores).fetch(viewer)) == 0
