from __future__ import annotations

from collections import Counter

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.sources.backfill import Backfill
from components.sources.posts import PopularPosts
from mixer.testing import check_laws
from tests.components.sources.small_stores import Small, ranked, same, small_stores


@given(small_stores(), st.integers(0, 2), st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_it_equals_its_twin(small, least, cap):
    stores = small.stores()
    counts = Counter(post for (_, post), hour in small.engagements.items() if hour < small.now_h)
    expected = {
        post: 1 / (1 + small.now_h - hour)
        for post, (_, hour, *_) in enumerate(small.posts)
        if 0 < small.now_h - hour <= 30 and counts[post] >= least
    }
    source = Backfill(stores, cap=cap, max_age_h=30.0, engagements=least)
    same(anyio.run(source.fetch, small.viewer(stores, -1)), ranked(expected, cap))


@pytest.mark.parametrize(("minimum", "filled"), [(2, 0), (3, 4)])
def test_it_helps_only_below_the_minimum(minimum, filled):
    posts = [(0, hour, -1, "", -1, -1) for hour in (1, 2, 45, 46)]
    small = Small(2, 60, {}, posts, {(1, post): 47 for post in range(4)}, {}, ["", ""])
    stores = small.stores()
    source = Backfill(stores, PopularPosts(stores, max_age_h=24.0).fetch, minimum)
    viewer = small.viewer(stores, 1)
    assert len(anyio.run(source.fetch, viewer)) == filled
    check_laws(source, target=viewer, examples=2)
    assert source.cap == 50
