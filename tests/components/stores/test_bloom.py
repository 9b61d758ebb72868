from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.stores.bloom import BloomFilter, SeenFilters
from components.units import DAY_MS

ids = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=50)


@given(ids, ids)
def test_a_bloom_filter_never_forgets(first, second):
    known = BloomFilter(capacity=20)
    known.add(np.array(first, dtype=np.int64))
    known.add(np.array(second, dtype=np.int64))
    assert known.has(np.array(first + second, dtype=np.int64)).all()
    assert known.count == len(first) + len(second)


def test_false_positives_are_as_rare_as_asked_for():
    rng = np.random.default_rng(0)
    drawn = rng.choice(10**9, 105_000, replace=False)
    for rate in (0.005, 0.05):
        known = BloomFilter(5_000, rate)
        known.add(drawn[:5_000])
        assert known.full
        assert known.has(drawn[5_000:]).mean() == pytest.approx(rate, rel=0.15)


def test_a_filter_has_the_published_size():
    # 1,000 ids at 0.005: 11,028 bits and 8 hashes.
    known = BloomFilter(1_000, 0.005)
    assert (int(known._bits), len(known._hashes)) == (11_028, 8)


@pytest.mark.parametrize(("capacity", "rate"), [(0, 0.1), (10, 0.0), (10, 1.0)])
def test_impossible_filters_are_refused(capacity, rate):
    with pytest.raises(ValueError, match="bloom filter: expected a capacity above 0"):
        BloomFilter(capacity, rate)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20 * DAY_MS), ids), max_size=8))
def test_what_was_shown_within_a_week_is_known(shown):
    seen, now_ms = SeenFilters(capacity=10), 20 * DAY_MS
    for viewer, at_ms, some in sorted(shown, key=lambda one: one[1]):
        seen.record(viewer, some, at_ms)
    for viewer, at_ms, some in shown:
        if now_ms - at_ms <= 7 * DAY_MS:
            assert seen.has(viewer, np.array(some, dtype=np.int64), now_ms).all()


def test_days_are_forgotten_as_a_whole():
    seen, some = SeenFilters(), np.arange(100)
    seen.record(1, some, 10 * DAY_MS + 5)
    assert seen.has(1, some, 17 * DAY_MS + 4).all()
    assert seen.has(1, some, 18 * DAY_MS - 1).all()
    assert not seen.has(1, some, 18 * DAY_MS).any()
    assert not seen.has(2, some, 10 * DAY_MS + 5).any()


def test_more_than_a_filter_holds_keeps_the_rate():
    seen = SeenFilters(capacity=500)
    for begin in range(0, 3_000, 50):
        seen.record(1, np.arange(begin, begin + 50), 0)
    assert seen.has(1, np.arange(3_000), 0).all()
    # Six filters of a day: at most six times the rate of one.
    assert seen.has(1, np.arange(10_000, 60_000), 0).mean() < 0.035


def test_viewers_that_saw_nothing_for_longest_go_first():
    seen = SeenFilters(viewers=2)
    for viewer in (1, 2, 1, 3):
        seen.record(viewer, [viewer], 0)
    known = [bool(seen.has(viewer, np.array([viewer]), 0)[0]) for viewer in (1, 2, 3)]
    assert known == [True, False, True]
