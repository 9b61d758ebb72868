from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evaluation import (
    Bootstrap,
    InvalidInputError,
    auc,
    by_source,
    cold_posts,
    mean_by_segment,
    new_users,
    statistic_by_segment,
)

VALUES = st.lists(st.floats(-5, 5), min_size=2, max_size=30)


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    trials = [Bootstrap(resamples=400, seed=i).mean(rng.exponential(2.0, 80)) for i in range(300)]
    covered = np.mean([interval.low <= 2.0 <= interval.high for interval in trials])
    assert 0.88 <= covered <= 0.98


def test_the_standard_error_of_a_mean_is_the_textbook_one():
    values = np.random.default_rng(4).normal(0, 3, 2_000)
    expected = values.std() / math.sqrt(2_000)
    assert Bootstrap(resamples=2_000).mean(values).standard_error == pytest.approx(expected, rel=0.06)


def test_resampling_rows_of_few_users_is_wider_than_rows_alone():
    rng = np.random.default_rng(5)
    user = np.repeat(np.arange(40), 50)
    values = rng.normal(0, 1, 40)[user] + rng.normal(0, 1, 2_000)
    by_user = Bootstrap(400).statistic(lambda w: float(np.average(values, weights=w)), user)
    by_row = Bootstrap(400).mean(values)
    assert by_user.standard_error > 3 * by_row.standard_error


@given(VALUES, st.integers(0, 99))
def test_a_statistic_and_a_mean_draw_the_same_users(values, seed):
    strap, users = Bootstrap(resamples=50, seed=seed), np.arange(len(values))
    ours = strap.mean(values)
    weighted = strap.statistic(lambda w: float(w @ np.array(values) / w.sum()), users)
    for name in ("estimate", "low", "high", "standard_error"):
        assert getattr(ours, name) == pytest.approx(getattr(weighted, name), abs=1e-9)


@given(VALUES)
def test_block_size_never_changes_the_numbers(values):
    whole = Bootstrap(resamples=40, seed=9).mean(values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("components.evaluation.bootstrap._DRAWS_AT_ONCE", 7)
        assert Bootstrap(resamples=40, seed=9).mean(values) == whole


@given(VALUES)
def test_a_system_never_differs_from_itself(values):
    interval = Bootstrap(resamples=30).difference(values, values)
    assert (interval.estimate, interval.low, interval.high) == (0.0, 0.0, 0.0)


def test_pairing_sees_a_small_gain_that_two_intervals_hide():
    rng = np.random.default_rng(6)
    easy = rng.random(500)
    better = easy + rng.normal(0.01, 0.02, 500)
    strap = Bootstrap(resamples=500, seed=1)
    assert strap.difference(better, easy).low > 0.0
    assert strap.mean(better).low < strap.mean(easy).high


def test_users_with_nan_are_left_out_on_either_side():
    nan = math.nan
    assert Bootstrap(50).mean([1.0, nan, 3.0]).units == 2
    assert Bootstrap(50).difference([1.0, nan, 3.0], [nan, 1.0, 1.0]).estimate == 2.0
    assert math.isnan(Bootstrap(50).mean([nan, nan]).estimate)


def test_undefined_resamples_are_counted():
    interval = Bootstrap(resamples=200, seed=2).statistic(
        lambda w: auc([1, 0, 0], [0.9, 0.1, 0.2], w), [1, 2, 3]
    )
    assert interval.estimate == 1.0
    # The positive's user is absent from (2/3)^3 of the resamples, and alone in (1/3)^3.
    assert interval.undefined / 200 == pytest.approx(9 / 27, abs=0.1)


def test_no_users_have_no_limits():
    interval = Bootstrap(50).statistic(lambda w: float(w.sum()), [])
    assert interval.units == 0
    assert math.isnan(interval.low)


def test_other_seeds_draw_other_users():
    values = np.arange(20.0)
    assert Bootstrap(50, seed=1).mean(values) == Bootstrap(50, seed=1).mean(values)
    assert Bootstrap(50, seed=1).mean(values) != Bootstrap(50, seed=2).mean(values)


def test_segments_split_without_loss():
    fresh = new_users([0, 5, 6, 100], at_most=5)
    assert {name: mask.tolist() for name, mask in fresh.items()} == {
        "new users": [True, True, False, False],
        "other users": [False, False, True, True],
    }
    assert cold_posts([0, 9], at_most=3)["cold posts"].tolist() == [True, False]
    assert by_source([1, 0, 1], {0: "follow graph", 1: "ann"})["ann"].tolist() == [True, False, True]


def test_a_mean_by_segment_is_the_mean_of_the_segment():
    values = np.array([1.0, 2.0, 3.0, 10.0])
    segments = {"few": np.array([True, True, False, False]), "none": np.zeros(4, bool)}
    intervals = mean_by_segment(values, segments, Bootstrap(50))
    assert intervals["few"] == Bootstrap(50).mean([1.0, 2.0])
    assert math.isnan(intervals["none"].estimate)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), st.floats(0, 1), st.booleans()), max_size=25))
def test_a_statistic_by_segment_equals_the_statistic_of_those_rows(rows):
    user, label, score, mask = np.array(rows).reshape(-1, 4).T
    user, mask = user.astype(np.int64), mask.astype(bool)
    ours = statistic_by_segment(lambda w: auc(label, score, w), user, {"part": mask}, Bootstrap(10))["part"]
    alone = Bootstrap(10).statistic(lambda w: auc(label[mask], score[mask], w), user[mask])
    np.testing.assert_allclose(ours.estimate, alone.estimate, atol=1e-12)
    np.testing.assert_allclose([ours.low, ours.high], [alone.low, alone.high], atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Bootstrap(resamples=1), "resamples: expected an integer >= 2, got 1"),
        (lambda: Bootstrap(level=95), "level: expected a number strictly between 0 and 1, got 95"),
        (lambda: Bootstrap(seed=-1), "seed: expected an integer >= 0"),
        (lambda: Bootstrap().difference([1.0], [1.0, 2.0]), "ours 1, theirs 2"),
        (lambda: Bootstrap().mean([math.inf]), "values: expected finite numbers or NaN, row 0 holds inf"),
        (lambda: by_source([4], {0: "ann"}), r"source: expected one of \[0\], got 4"),
        (
            lambda: mean_by_segment([1.0], {"x": np.array([True, False])}),
            "segment 'x': expected a mask of length 1",
        ),
        (lambda: mean_by_segment([1.0], {"x": [1]}), "segment 'x': expected booleans"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call()
