from __future__ import annotations

import asyncio

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from mixer.errors import ConfigurationError
from mixer.quality_factor import (
    LinearLatencyQualityFactor,
    QualityFactorBounds,
    QueriesPerSecondQualityFactor,
)


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


def latency_factor(**options):
    return LinearLatencyQualityFactor(**{"target_latency_s": 0.2, "initial_delay_s": 0.0} | options)


def rate_factor(clock, **options):
    return QueriesPerSecondQualityFactor(**{"max_qps": 5.0, "initial_delay_s": 0.0, "clock": clock} | options)


BOUNDS = st.tuples(*[st.floats(0, 1)] * 3).map(sorted).map(lambda b: QualityFactorBounds(b[0], b[2], b[1]))
OBSERVATIONS = st.lists(
    st.tuples(st.floats(0, 10), st.sampled_from([None, ValueError(), TimeoutError()])), max_size=60
)


@given(bounds=BOUNDS, observations=OBSERVATIONS, delta=st.floats(0.001, 1), percentile=st.floats(50, 99.9))
def test_the_latency_factor_never_leaves_its_bounds(bounds, observations, delta, percentile):
    factor = latency_factor(bounds=bounds, delta=delta, percentile=percentile)
    for latency_s, failure in observations:
        factor.observe(latency_s, failure)
        assert bounds.min <= factor.value <= bounds.max


@given(bounds=BOUNDS, observations=OBSERVATIONS, delta=st.floats(0.001, 1))
def test_the_rate_factor_never_leaves_its_bounds(bounds, observations, delta):
    clock = Clock()
    factor = rate_factor(clock, bounds=bounds, delta=delta)
    for step_s, failure in observations:
        clock.now_s += step_s
        factor.observe(0.0, failure)
        assert bounds.min <= factor.value <= bounds.max


@given(percentile=st.integers(50, 99), data=st.data())
def test_the_latency_factor_rests_where_the_percentile_meets_the_target(percentile, data):
    order = data.draw(st.permutations([0.1] * percentile + [0.3] * (100 - percentile)))
    wide = QualityFactorBounds(min=-100, max=100, default=0.5)
    factor = latency_factor(bounds=wide, percentile=percentile)
    for latency_s in order:
        factor.observe(latency_s)
    assert factor.value == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("latency_s", "step"), [(0.1, 0.001), (0.2, 0.001), (0.2001, -0.019), (float("nan"), -0.019)]
)
def test_a_step_is_plus_a_thousandth_or_minus_nineteen(latency_s, step):
    factor = latency_factor(bounds=QualityFactorBounds(default=0.5))
    factor.observe(latency_s)
    assert factor.value == pytest.approx(0.5 + step)


def test_thirty_seven_slow_calls_take_the_factor_from_one_to_three_tenths():
    factor = latency_factor()
    for _ in range(36):
        factor.observe(1.0)
    assert factor.value > 0.3
    factor.observe(1.0)
    assert factor.value <= 0.3


def test_recovering_seven_tenths_takes_seven_hundred_fast_calls():
    factor = latency_factor(bounds=QualityFactorBounds(min=0.3, default=0.3))
    for _ in range(699):
        factor.observe(0.1)
    assert factor.value == pytest.approx(0.999)
    factor.observe(0.1)
    assert factor.value == pytest.approx(1.0)


def test_a_failure_counts_as_infinitely_slow():
    factor = latency_factor()
    factor.observe(0.0, ValueError("broken"))
    assert factor.value == pytest.approx(0.981)


def test_cancellation_moves_neither_factor():
    async def cancelled_on_trio():
        with trio.move_on_after(0) as scope:
            try:
                await trio.sleep_forever()
            except trio.Cancelled as error:
                latency.observe(9.0, error)
                rate.observe(9.0, error)
                raise
        assert scope.cancelled_caught

    latency, rate = latency_factor(), rate_factor(Clock())
    trio.run(cancelled_on_trio)
    latency.observe(9.0, asyncio.CancelledError())
    rate.observe(9.0, asyncio.CancelledError())
    assert (latency.value, rate.value) == (1.0, 1.0)


def test_the_author_decides_which_failures_say_nothing_about_load():
    factor = latency_factor(ignorable_failures=lambda failure: isinstance(failure, KeyError))
    factor.observe(9.0, KeyError())
    assert factor.value == 1.0
    factor.observe(9.0, ValueError())
    assert factor.value < 1.0


def test_nothing_moves_before_the_initial_delay_is_over():
    clock = Clock()
    factor = latency_factor(clock=clock, initial_delay_s=60.0)
    clock.now_s += 59.9
    factor.observe(9.0)
    assert factor.value == 1.0
    clock.now_s += 0.1
    factor.observe(9.0)
    assert factor.value < 1.0


def test_the_rate_window_fills_during_the_initial_delay():
    clock = Clock()
    factor = rate_factor(clock, initial_delay_s=60.0)
    clock.now_s += 59.0
    for _ in range(50):
        factor.observe(0.0)
    assert factor.value == 1.0
    clock.now_s += 1.0
    factor.observe(0.0)
    assert factor.value == pytest.approx(0.999)


@given(gaps_s=st.lists(st.floats(0, 4), max_size=80))
def test_the_rate_is_that_of_the_last_ten_slices(gaps_s):
    clock = Clock()
    started_s = clock.now_s
    bounds = QualityFactorBounds(min=-1000, max=1000, default=0)
    factor = rate_factor(clock, bounds=bounds, delta=1.0, max_qps=0.7)
    slices, expected = [], 0
    for gap_s in gaps_s:
        clock.now_s += gap_s
        slices.append(int(clock.now_s - started_s))
        in_window = sum(slices[-1] - 10 < one for one in slices)
        expected += -1 if in_window / 10 > 0.7 else 1
        factor.observe(0.0)
        assert factor.value == expected


def test_fractions_of_a_request_per_second_count():
    clock = Clock()
    factor = rate_factor(clock, max_qps=0.5, bounds=QualityFactorBounds(default=0.5))
    for _ in range(5):
        factor.observe(0.0)
    assert factor.value == pytest.approx(0.505)  # 0.5 a second is not above the maximum
    factor.observe(0.0)
    assert factor.value == pytest.approx(0.504)


def test_a_failure_lowers_the_rate_factor_without_being_counted():
    clock = Clock()
    factor = rate_factor(clock, max_qps=0.1, bounds=QualityFactorBounds(default=0.5))
    factor.observe(0.0, ValueError())
    assert factor.value == pytest.approx(0.499)
    factor.observe(0.0)
    assert factor.value == pytest.approx(0.5)


def test_wrong_arguments_are_listed_together():
    with pytest.raises(ConfigurationError) as caught:
        LinearLatencyQualityFactor(target_latency_s=0.0, percentile=100.0, delta=0.0, initial_delay_s=-1.0)
    assert len(caught.value.problems) == 4
    with pytest.raises(ConfigurationError) as caught:
        QueriesPerSecondQualityFactor(max_qps=0.0, window_s=float("nan"), delta=2.0)
    assert len(caught.value.problems) == 3


def test_bounds_without_their_default_are_refused():
    with pytest.raises(ConfigurationError, match="min <= default <= max"):
        QualityFactorBounds(min=0.5, max=1.0, default=0.4)
