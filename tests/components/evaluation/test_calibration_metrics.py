from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

from components.evaluation import expected_calibration_error, mean_ratio, recalibration, reliability

PROBABILITY = st.integers(1, 7).map(lambda i: i / 8) | st.floats(0.001, 0.999)
WEIGHT = st.sampled_from([0.0, 0.5, 1.0, 2.0])
ROWS = st.lists(st.tuples(st.integers(0, 1), PROBABILITY, WEIGHT), min_size=1, max_size=60)
BINS = st.integers(1, 20)
EXTREME = [1e-7, 1e-4, 0.01, 0.5, 0.9, 0.999, 1 - 1e-7]


def naive_ece(label, p, weight, bins):
    """Bins by the middle of each distinct probability's mass, one probability at a time."""
    total, below, content = weight.sum(), 0.0, {}
    for value in sorted(set(p)):
        mass = weight[p == value].sum()
        content.setdefault(min(int(bins * (below + mass / 2) / total), bins - 1), []).append(value)
        below += mass
    error = 0.0
    for values in content.values():
        rows = np.isin(p, values)
        error += abs((weight * (p - label))[rows].sum())
    return error / total


@given(ROWS, BINS)
def test_ece_agrees_with_the_naive_definition(rows, bins):
    label, p, weight = np.array(rows, np.float64).T
    assume(weight.any())
    label, p, weight = (column[weight > 0] for column in (label, p, weight))
    expected = naive_ece(label, p, weight, bins)
    assert expected_calibration_error(label, p, weight, bins=bins) == pytest.approx(expected, abs=1e-9)


@given(st.integers(1, 6), st.integers(2, 8), st.integers(0, 2**32))
def test_bins_agree_with_scikit_learn_quantile_bins_without_ties(per_bin, bins, seed):
    rng = np.random.default_rng(seed)
    p, label = rng.permutation(np.linspace(0.01, 0.99, per_bin * bins)), rng.integers(0, 2, per_bin * bins)
    observed, predicted = calibration_curve(label, p, n_bins=bins, strategy="quantile")
    ours = reliability(label, p, bins=bins)
    np.testing.assert_allclose(ours.mass, per_bin)
    np.testing.assert_allclose(ours.observed, observed, atol=1e-9)
    np.testing.assert_allclose(ours.predicted, predicted, atol=1e-9)
    assert ours.expected_error == pytest.approx(np.abs(observed - predicted).mean(), abs=1e-9)


@given(ROWS, BINS)
def test_bins_hold_all_mass_in_rising_order(rows, bins):
    label, p, weight = np.array(rows, np.float64).T
    result = reliability(label, p, weight, bins=bins)
    assert result.mass.sum() == pytest.approx(weight.sum())
    assert (np.diff(result.predicted) > 0).all()
    assert len(result.mass) <= bins


@given(st.integers(0, 2**32), st.floats(0.3, 3), st.floats(-2, 2))
def test_slope_and_intercept_agree_with_unpenalised_logistic_regression(seed, slope, intercept):
    rng = np.random.default_rng(seed)
    score, weight = rng.normal(0, 1.5, 300), rng.uniform(0.1, 3, 300)
    label = (rng.random(300) < expit(slope * score + intercept)).astype(int)
    assume(0 < label.sum() < 300)
    ours = recalibration(label, expit(score), weight)
    assume(not ours.reason)
    twin = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12, max_iter=200)
    twin.fit(logit(expit(score))[:, None], label, weight)
    assert ours.slope == pytest.approx(twin.coef_[0, 0], rel=1e-9, abs=1e-9)
    assert ours.intercept == pytest.approx(twin.intercept_[0], rel=1e-9, abs=1e-9)


@given(ROWS)
def test_the_fitted_slope_and_intercept_leave_no_gradient(rows):
    label, p, weight = np.array(rows, np.float64).T
    fit = recalibration(label, p, weight)
    assume(not fit.reason)
    residual = weight * (label - expit(fit.slope * logit(p) + fit.intercept))
    assert residual.sum() / weight.sum() == pytest.approx(0.0, abs=1e-9)
    assert residual @ logit(p) / weight.sum() == pytest.approx(0.0, abs=1e-8)


def test_calibrated_probabilities_pass_every_test():
    rng = np.random.default_rng(11)
    p = rng.beta(1, 20, 200_000)
    label = (rng.random(200_000) < p).astype(float)
    fit = recalibration(label, p)
    assert expected_calibration_error(label, p) < 0.003
    assert mean_ratio(label, p) == pytest.approx(1.0, abs=0.02)
    assert fit.slope == pytest.approx(1.0, abs=0.05)
    assert fit.intercept == pytest.approx(0.0, abs=0.15)
    assert reliability(label, p).largest_ratio < 1.5


def test_overconfident_logits_have_a_slope_below_one():
    rng = np.random.default_rng(12)
    score = rng.normal(0, 1, 50_000)
    label = (rng.random(50_000) < expit(score)).astype(float)
    assert recalibration(label, expit(2 * score)).slope == pytest.approx(0.5, abs=0.03)


def test_mean_ratio_is_mean_prediction_over_mean_label():
    assert mean_ratio([1, 0, 0, 0], [0.5] * 4) == 2.0
    assert mean_ratio([1, 0], [0.5, 0.25], [1.0, 2.0]) == 1.0
    assert math.isnan(mean_ratio([0, 0], [0.5, 0.5]))


@pytest.mark.parametrize(
    ("label", "probability", "reason"),
    [
        ([1, 1], [0.2, 0.3], "only one class has weight"),
        ([1, 0], [0.3, 0.3], "all probabilities are equal"),
        ([0, 0, 1], [0.2, 0.3, 0.4], "separates the classes"),
        ([1, 1, 0], [0.2, 0.3, 0.4], "separates the classes"),
        ([0, 0, 1, 1], [0.2, 0.3, 0.3, 0.4], "separates the classes"),
        ([], [], "only one class has weight"),
    ],
)
def test_a_fit_that_does_not_exist_says_why(label, probability, reason):
    fit = recalibration(label, probability)
    assert math.isnan(fit.slope)
    assert math.isnan(fit.intercept)
    assert reason in fit.reason


def test_no_rows_have_no_calibration_error():
    assert math.isnan(expected_calibration_error([], []))
    assert math.isnan(reliability([], []).largest_ratio)


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from(EXTREME), st.integers(-4, 4)), min_size=3, max_size=12
    )
)
def test_extreme_probabilities_and_weights_still_leave_no_gradient(rows):
    label, p, power = np.array(rows, np.float64).T
    weight = 10.0**power
    fit = recalibration(label, p, weight)
    assume(not fit.reason)
    residual = weight * (label - expit(fit.slope * logit(p) + fit.intercept)) / weight.sum()
    assert residual.sum() == pytest.approx(0.0, abs=1e-8)
    assert residual @ logit(p) == pytest.approx(0.0, abs=1e-7)


def test_a_fit_on_which_plain_newton_steps_diverge_is_found():
    label = [0, 0, 1, 0, 0, 1, 0, 0]
    probability = [1e-4, 0.5, 1e-7, 1e-4, 1e-4, 0.9, 1e-7, 1e-4]
    weight = np.array([1e4, 1e4, 1e-3, 1e3, 1e-4, 1.0, 1e4, 1.0])
    fit = recalibration(label, probability, weight)
    residual = weight * (label - expit(fit.slope * logit(probability) + fit.intercept))
    assert residual.sum() / weight.sum() == pytest.approx(0.0, abs=1e-12)


def test_a_fit_that_is_not_reached_is_undefined(monkeypatch):
    monkeypatch.setattr("components.evaluation.calibration._MOST_STEPS", 1)
    fit = recalibration([0, 1, 0, 1], [0.1, 0.2, 0.7, 0.9])
    assert math.isnan(fit.slope)
    assert fit.reason == "no fit after 1 steps"


def test_the_largest_ratio_looks_both_ways_and_needs_positives_in_every_bin():
    label, probability = [0, 1, 1, 1], [0.1, 0.1, 0.5, 0.5]
    assert reliability(label, probability, bins=2).largest_ratio == pytest.approx(5.0)
    assert reliability([1, 0, 0, 1], [0.5, 0.5, 0.9, 0.9], bins=2).largest_ratio == pytest.approx(1.8)
    assert math.isnan(reliability([0, 0, 1, 1], probability, bins=2).largest_ratio)
