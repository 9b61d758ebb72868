from __future__ import annotations

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from components.sources import authors
from components.sources.accounts import PopularAccounts
from components.sources.authors import RecommendedAuthors
from components.stores.types import Account
from mixer import Candidates
from mixer.testing import check_laws
from tests.components.sources.small_stores import Small, same, small_stores


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
