from __future__ import annotations

import math

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from components.sources import authors
from components.sources.accounts import FriendsOfFriends, PopularAccounts
from components.sources.authors import RecommendedAuthors, followed_by_followed
from components.stores.types import Account, Post
from mixer import Candidates
from mixer.testing import check_laws
from tests.components.sources.small_stores import Small, ranked, same, small_stores


def fetched(source, viewer):
    return anyio.run(source.fetch, viewer)


def naive(small, authors, per_author, cap):
    answer = []
    for place, author in enumerate(authors):
        own = [
            (-hour, -post)
            for post, (by, hour, _, _, reply, repost) in enumerate(small.posts)
            if by == author and 0 < small.now_h - hour <= 20 and reply == repost == -1
        ]
        answer += [(-post, 1 / (1 + place)) for _, post in sorted(own)[:per_author]]
    return answer[:cap]


@given(small_stores(), st.permutations(range(7)), st.integers(1, 3), st.integers(0, 6))
@settings(max_examples=100, deadline=None)
def test_it_equals_its_twin(small, order, per_author, cap):
    stores, order = small.stores(), [row for row in order if row < small.users][:4]

    def recommend(viewer):
        return Candidates(Account, {Account.id: [100 + row for row in order], Account.row: order})

    source = RecommendedAuthors(stores, recommend, cap, 20.0, per_author)
    same(fetched(source, small.viewer(stores, -1)), naive(small, order, per_author, cap))


def test_it_asks_any_source_and_keeps_the_laws():
    posts = [(0, 30, -1, "", -1, -1), (1, 31, -1, "", -1, -1), (1, 32, -1, "", 1000, -1)]
    small = Small(3, 50, {(0, 1): 1, (2, 1): 2, (1, 0): 3}, posts, {}, {}, [""] * 3)
    stores = small.stores()
    source = RecommendedAuthors(stores, PopularAccounts(stores).fetch)
    viewer = small.viewer(stores, 2)
    assert fetched(source, viewer).ids.tolist() == [1001, 1000]
    assert authors.AUTHORS == 100
    check_laws(source, target=viewer, examples=2)


def test_nobody_recommended_is_no_posts():
    small = Small(1, 50, {}, [(0, 30, -1, "", -1, -1)], {}, {}, [""])
    stores = small.stores()
    source = RecommendedAuthors(stores, PopularAccounts(stores).fetch)
    assert len(fetched(source, small.viewer(stores, 0))) == 0


@given(small_stores(), st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_strangers_whom_the_latest_followed_follow_equal_their_twin(small, connectors):
    stores, follows = small.stores(), small.past(small.follows)
    source = FriendsOfFriends(stores, connectors=connectors, strangers=True)
    for row in range(small.users):
        scores = {}
        for friend in follows.get(row, [])[-connectors:]:
            for other in set(follows.get(friend, [])) - {row, *follows[row]}:
                scores[other] = scores.get(other, 0) + 1 / math.log(2 + len(follows[friend]))
        same(source.fetch(small.viewer(stores, row)), ranked(scores, 300))


@given(small_stores())
@settings(max_examples=50, deadline=None)
def test_posts_of_recommended_authors_are_out_of_network(small):
    stores = small.stores()
    recommended = followed_by_followed(stores)
    assert (recommended.cap, recommended.connectors) == (authors.AUTHORS, authors.CONNECTORS) == (100, 1_000)
    source = RecommendedAuthors(stores, recommended.fetch)
    for row in range(small.users):
        viewer = small.viewer(stores, row)
        found = fetched(source, viewer)
        assert not viewer.history.follow_mask[found[Post.author_row]].any()
        assert row not in found[Post.author_row]
