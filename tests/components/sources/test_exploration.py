from __future__ import annotations

from collections import Counter

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.sources.exploration import NewAuthors, highest_draws
from components.stores.types import Post
from mixer.testing import check_laws
from tests.components.sources.small_stores import Small, small_stores


def eligible(small, row, most):
    """Author to newest post."""
    followers = Counter(other for (_, other), hour in small.follows.items() if hour < small.now_h)
    newest = {}
    for post, (author, hour, *_) in enumerate(small.posts):
        if not 0 < small.now_h - hour <= 48 or followers[author] > most or author == row:
            continue
        if author not in small.past(small.follows).get(row, []):
            newest[author] = max(newest.get(author, (-1, 0)), (hour, -post))
    return {-post for _, post in newest.values()}


@given(small_stores(), st.integers(-1, 6), st.integers(0, 3), st.integers(0, 8))
@settings(max_examples=100)
def test_it_draws_among_the_newest_posts_of_the_little_known(small, row, most, slate):
    row, stores = min(row, small.users - 1), small.stores()
    expected = eligible(small, row, most)
    found = NewAuthors(stores, most, slate, 0.5).fetch(small.viewer(stores, row))
    assert set(found[Post.row].tolist()) <= expected
    assert len(found) == min(len(expected), slate // 2)
    scores = found[Post.source_score].tolist()
    assert scores == sorted(scores, reverse=True)
    whole = NewAuthors(stores, most, 1000, 0.5).fetch(small.viewer(stores, row))
    assert set(whole[Post.row].tolist()) == expected


def test_the_request_seeds_the_draw_and_everybody_gets_a_turn():
    posts = [(author, 40, -1, "", -1, -1) for author in range(6)]
    small = Small(6, 50, {}, posts, {}, {}, [""] * 6)
    stores = small.stores()
    source = NewAuthors(stores, slate=20)
    first = Counter(source.fetch(small.viewer(stores, -1, seed=seed)).ids[0] for seed in range(300))
    assert len(first) == 6
    assert min(first.values()) > 25
    again = [source.fetch(small.viewer(stores, -1, seed=7)).ids.tolist() for _ in range(2)]
    assert again[0] == again[1]
    check_laws(source, target=small.viewer(stores, 0), examples=2)


@given(st.integers(0, 2**32 - 1), st.integers(0, 500), st.integers(0, 600))
def test_the_highest_draws_are_those_of_a_whole_sort(seed, size, count):
    draws = 1.0 - np.random.default_rng(seed).random(size)
    assert highest_draws(draws, count).tolist() == np.argsort(-draws, kind="stable")[:count].tolist()


def test_a_share_above_one_is_refused():
    with pytest.raises(ValueError, match="share"):
        NewAuthors(Small(1, 1, {}, [], {}, {}, [""]).stores(), share=1.5)


def test_load_leaves_one_draw_where_the_slate_has_room_for_one():
    posts = [(author, 40, -1, "", -1, -1) for author in range(3)]
    small = Small(3, 50, {}, posts, {}, {}, [""] * 3)
    stores = small.stores()
    viewer = small.viewer(stores, -1)
    busy = attrs.evolve(viewer, request=attrs.evolve(viewer.request, quality_factor=0.3))
    assert len(NewAuthors(stores, slate=20, share=0.05).fetch(busy)) == 1
    assert len(NewAuthors(stores, slate=19, share=0.05).fetch(busy)) == 0
