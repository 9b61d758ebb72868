from __future__ import annotations

import attrs
import numpy as np
import pytest
from hypothesis import given, settings

from components.hydrators.relationship import FollowedBy, MutualFollow, TieStrength
from components.models.real_graph.scores import RealGraphScores
from components.stores.ids import IdIndex
from components.stores.stores import BLOCK, MUTE
from components.stores.types import Controls, Post
from components.transforms.showing import author_proof, post_proof
from mixer import Candidates
from tests.components.sources.small_stores import HOUR_MS, Small, graph_of, small_stores


def posts_of(stores):
    """All posts there are."""
    authors = stores.posts.author.astype(np.int64)
    rows = np.arange(len(authors))
    return Candidates(Post, {Post.id: stores.posts.index.ids, Post.row: rows, Post.author_row: authors})


@given(small_stores())
@settings(max_examples=150, deadline=None)
def test_who_follows_whom_equals_its_twin(small):
    stores, follows = small.stores(), small.past(small.follows)
    batch = posts_of(stores)
    for row in range(-1, small.users):
        viewer, friends = small.viewer(stores, row), follows.get(row, [])
        mutual = MutualFollow(stores).hydrate(viewer, batch)[Post.mutual_follow]
        followed_by = FollowedBy(stores).hydrate(viewer, batch)[Post.followed_by]
        assert mutual.tolist() == [
            author in friends and row in follows.get(author, []) for author, *_ in small.posts
        ]
        assert followed_by.tolist() == [
            sum(author in follows.get(friend, []) for friend in friends) for author, *_ in small.posts
        ]
        assert followed_by.dtype == np.int32


@given(small_stores())
@settings(max_examples=100, deadline=None)
def test_ties_equal_their_twin_from_their_moment_on(small):
    stores = small.stores()
    batch = posts_of(stores)
    for at_h in (small.now_h, small.now_h + 1):
        hydrator = TieStrength(small.scores(at_h))
        for row in range(-1, small.users):
            found = hydrator.hydrate(small.viewer(stores, row), batch)[Post.tie_strength]
            known = {} if at_h > small.now_h else small.ties
            assert found.tolist() == [known.get((row, author), 0.0) for author, *_ in small.posts]


def friends_and_a_stranger():
    """0 follows 1, 2 and 3; those, and 5, follow 4, who wrote the only post."""
    follows = {(0, 1): 1, (0, 2): 2, (0, 3): 3, (1, 4): 4, (2, 4): 5, (3, 4): 6, (5, 4): 7}
    return Small(
        6, 50, follows, [(4, 30, -1, "", -1, -1)], {(1, 0): 31, (2, 0): 32}, {(0, 4): 0.75}, [""] * 6
    )


@pytest.mark.parametrize("kind", [MUTE, BLOCK])
def test_nobody_who_is_avoided_is_named_behind_a_post(kind):
    small = friends_and_a_stranger()
    stores = small.stores()
    decided = graph_of({(0, 2): 40}, (6, 6))
    avoiding = attrs.evolve(stores, graphs={**stores.graphs, kind: decided})
    for known, count, followers, engagers in (
        (stores, 3, (103, 102, 101), (102, 101)),
        (avoiding, 2, (103, 101), (101,)),
    ):
        viewer, batch = small.viewer(known, 0), posts_of(known)
        assert FollowedBy(known).hydrate(viewer, batch)[Post.followed_by].tolist() == [count]
        assert author_proof(known).transform(viewer, batch)[Post.author_proof].tolist() == [followers]
        assert post_proof(known).transform(viewer, batch)[Post.social_proof].tolist() == [engagers]


def test_who_blocks_the_viewer_is_no_proof():
    small = friends_and_a_stranger()
    stores = small.stores()
    stores = attrs.evolve(stores, graphs={**stores.graphs, BLOCK: graph_of({(3, 0): 40}, (6, 6))})
    found = FollowedBy(stores).hydrate(small.viewer(stores, 0), posts_of(stores))
    assert found[Post.followed_by].tolist() == [2]


def test_either_end_counts_the_same():
    small = friends_and_a_stranger()
    crowd = {
        (1, one): 8 for one in (0, 2, 3, 5)
    }  # now the author has fewer followers than the friends follow
    wide = attrs.evolve(small, follows={**small.follows, **crowd})
    for one in (small, wide):
        stores = one.stores()
        assert FollowedBy(stores).hydrate(one.viewer(stores, 0), posts_of(stores))[Post.followed_by] == [3]


def test_ties_are_left_out_where_nothing_personal_is_wanted():
    small = friends_and_a_stranger()
    stores = small.stores()
    viewer = attrs.evolve(small.viewer(stores, 0), controls=Controls(personalised=False))
    assert TieStrength(small.scores()).hydrate(viewer, posts_of(stores))[Post.tie_strength].tolist() == [0.0]


def test_ties_can_be_looked_up_in_other_stores():
    users = IdIndex(np.arange(5) * 10)
    ties = RealGraphScores.build(users, [10, 10, 40], [20, 40, 10], [0.25, 0.5, 0.75], HOUR_MS)
    fewer = ties.among(IdIndex(np.array([10, 40])))
    assert fewer.of(0)[0].tolist() == [1]
    assert fewer.of(0)[1].tolist() == [0.5]
    assert fewer.of(1)[1].tolist() == [0.75]
    assert fewer.at_ms == ties.at_ms
    assert ties.among(IdIndex(np.arange(5) * 10)) is ties
