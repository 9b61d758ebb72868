from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixer.distributions import RELATIVE_ERROR, Distribution
from mixer.errors import ConfigurationError
from mixer.stats import NullStats, StatsReceiver, format_snapshot

MAGNITUDES = st.floats(1e-6, 1e12)
NUMBERS = st.lists(st.just(0.0) | MAGNITUDES | MAGNITUDES.map(lambda x: -x), min_size=1, max_size=200)


def collected(numbers):
    distribution = Distribution()
    for number in numbers:
        distribution.add(number)
    return distribution.summary()


@given(numbers=NUMBERS)
def test_count_sum_and_extremes_are_exact(numbers):
    summary = collected(numbers)
    assert (summary.count, summary.min, summary.max) == (len(numbers), min(numbers), max(numbers))
    assert summary.sum == pytest.approx(math.fsum(numbers), rel=1e-9, abs=1e-9 * sum(map(abs, numbers)))


@given(numbers=NUMBERS, percent=st.floats(0.1, 100))
def test_percentiles_are_right_to_one_percent(numbers, percent):
    exact = sorted(numbers)[math.ceil(len(numbers) * percent / 100) - 1]
    assert collected(numbers).percentile(percent) == pytest.approx(exact, rel=RELATIVE_ERROR + 1e-9)


@given(numbers=NUMBERS, bound=MAGNITUDES)
def test_counts_below_a_bound_are_right_but_for_one_percent_around_it(numbers, bound):
    [count] = collected(numbers).count_at_most([bound])
    surely = sum(number <= bound * (1 - 2 * RELATIVE_ERROR) for number in numbers)
    perhaps = sum(number <= bound * (1 + 2 * RELATIVE_ERROR) for number in numbers)
    assert surely <= count <= perhaps


@given(numbers=NUMBERS, cut=st.integers(0, 200))
def test_adding_one_by_one_and_many_at_once_is_the_same(numbers, cut):
    distribution = Distribution()
    distribution.extend(numbers[:cut])
    for number in numbers[cut:]:
        distribution.add(number)
        distribution.summary()
    split, whole = distribution.summary(), collected(numbers)
    assert (split.count, split.min, split.max, split.bins) == (whole.count, whole.min, whole.max, whole.bins)


def test_memory_stays_bounded_whatever_is_added(rng):
    distribution = Distribution()
    for scale in np.geomspace(1e-12, 1e18, 40):
        distribution.extend(rng.standard_normal(5_000) * scale)
    summary = distribution.summary()
    assert summary.count == 200_000
    assert len(summary.bins) < 6_000


def test_nan_is_left_out_and_an_empty_distribution_has_no_percentiles():
    summary = collected([math.nan, math.nan])
    assert summary.count == 0
    assert math.isnan(summary.percentile(50))
    assert math.isnan(summary.mean)
    assert summary.count_at_most([1.0]) == [0]


def test_names_are_joined_by_slashes():
    stats = StatsReceiver()
    ranker = stats.scope("for_you", "ranker")
    ranker.counter("requests").incr()
    ranker.scope("failures").counter("TimeoutError").incr(2)
    ranker.gauge("load", lambda: 0.5)
    ranker.distribution("latency_ms").add(3.0)
    assert list(stats.snapshot()) == [
        "for_you/ranker/failures/TimeoutError",
        "for_you/ranker/latency_ms",
        "for_you/ranker/load",
        "for_you/ranker/requests",
    ]
    assert stats.snapshot()["for_you/ranker/failures/TimeoutError"] == 2
    assert stats.snapshot()["for_you/ranker/load"] == 0.5
    assert stats.snapshot()["for_you/ranker/latency_ms"].count == 1


def test_a_scope_shows_only_what_is_below_it():
    stats = StatsReceiver()
    stats.scope("a").counter("x").incr()
    stats.scope("ab").counter("x").incr()
    assert list(stats.scope("a").snapshot()) == ["a/x"]


def test_the_same_name_is_the_same_metric_however_it_is_reached():
    stats = StatsReceiver()
    stats.scope("a", "b").counter("x").incr()
    stats.scope("a").scope("b").counter("x").incr()
    stats.scope("a/b").counter("x").incr()
    assert stats.snapshot() == {"a/b/x": 3}


def test_a_name_cannot_be_two_kinds_of_metric():
    stats = StatsReceiver()
    stats.scope("a").counter("x")
    with pytest.raises(ConfigurationError, match="a/x: is a counter, asked for as a distribution"):
        stats.scope("a").distribution("x")
    with pytest.raises(ConfigurationError, match="asked for as a gauge"):
        stats.scope("a").gauge("x", lambda: 1.0)


def test_sources_are_folded_before_every_snapshot():
    stats = StatsReceiver()
    pending = [1, 2]

    def fold():
        while pending:
            stats.counter("seen").incr(pending.pop())

    stats.scope("flow").register_source(fold)
    assert stats.snapshot() == {"seen": 3}
    pending.append(4)
    assert stats.snapshot() == {"seen": 7}


def test_a_broken_gauge_reads_nan_and_hides_nothing():
    stats = StatsReceiver()
    stats.gauge("broken", lambda: 1 / 0)
    stats.counter("fine").incr()
    assert math.isnan(stats.snapshot()["broken"])
    assert stats.snapshot()["fine"] == 1


def test_a_later_gauge_takes_the_place_of_an_earlier_one():
    stats = StatsReceiver()
    stats.gauge("load", lambda: 1.0)
    stats.gauge("load", lambda: 2.0)
    assert stats.snapshot() == {"load": 2.0}


def test_threads_lose_nothing():
    stats = StatsReceiver()

    def work(_):
        scope = stats.scope("shared")
        counter, distribution = scope.counter("n"), scope.distribution("x")
        for number in range(3_000):
            counter.incr()
            distribution.add(float(number))
        stats.snapshot()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert stats.snapshot()["shared/n"] == 24_000
    assert stats.snapshot()["shared/x"].count == 24_000


def test_null_stats_keep_nothing():
    stats = NullStats()
    stats.scope("a").counter("x").incr()
    stats.scope("a").distribution("d").add(1.0)
    stats.distribution("d").extend([1.0])
    stats.gauge("g", lambda: 1.0)
    stats.register_source(lambda: pytest.fail("a source of null stats was folded"))
    assert stats.snapshot() == {}
    assert stats.counter("x").value == 0
    assert stats.distribution("d").summary().count == 0


def test_the_table_shows_one_metric_a_line():
    stats = StatsReceiver()
    stats.counter("requests").incr(1234)
    stats.gauge("load", lambda: 0.25)
    stats.distribution("latency_ms").extend([1.0] * 99 + [100.0])
    assert format_snapshot(stats.snapshot()).splitlines() == [
        "latency_ms  n 100  mean 1.99  p50 1  p95 1  p99 1  max 100",
        "load        0.25",
        "requests    1,234",
    ]
    assert format_snapshot({}) == ""
