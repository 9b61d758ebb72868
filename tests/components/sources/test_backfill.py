from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.sources.backfill import Backfill
from mixer.testing import check_laws
from tests.components.sources.small_stores import Small, ranked, same, small_stores


@given(small_stores(), st.integers(0, 2), st.integers(0, 5), st.integers(0, 20))
@settings(max_examples=100, deadline=None)
def test_it_equals_its_twin(small, least, cap, older):
    stores = small.stores()
    counts = Counter(post for (_, post), hour in small.engagements.items() if hour < small.now_h)
    expected = {
        post: 1 / (1 + small.now_h - hour)
        for post, (_, hour, *_) in enumerate(small.posts)
        if older < small.now_h - hour <= 30 and counts[post] >= least
    }
    source = Backfill(stores, cap=cap, older_h=float(older), max_age_h=30.0, engagements=least)
    same(source.fetch(small.viewer(stores, -1)), ranked(expected, cap))


@pytest.mark.parametrize(("hour", "found"), [(11, True), (12, False)])
def test_it_begins_where_the_other_sources_end(hour, found):
    posts = [(0, hour, -1, "", -1, -1)]
    small = Small(2, 60, {}, posts, {(1, 0): 30}, {}, ["", ""])
    source = Backfill(small.stores())
    viewer = small.viewer(source.stores, 1)
    assert len(source.fetch(viewer)) == found
    check_laws(source, target=viewer, examples=2)
    assert (source.cap, source.older_h, source.max_age_h) == (50, 48.0, 720.0)
