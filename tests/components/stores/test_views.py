from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from components.stores.views import ViewCounts


@given(st.lists(st.lists(st.integers(0, 9), max_size=5)))
def test_it_counts_every_impression(slates):
    views = ViewCounts()
    for slate in slates:
        views.record(slate)
    counts = Counter(one for slate in slates for one in slate)
    assert views.of(range(10)).tolist() == [counts[one] for one in range(10)]


def test_what_was_shown_to_nobody_for_longest_is_forgotten():
    views = ViewCounts(most=2)
    for one in (1, 2, 1, 3):
        views.record([one])
    assert views.of([1, 2, 3]).tolist() == [2, 0, 1]
