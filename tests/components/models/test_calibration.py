"""Calibration: laws of every calibrator, known truths, persistence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from components.evaluation.calibration import mean_ratio
from components.evaluation.classification import auc, log_loss
from components.models.calibration import (
    Bias,
    Calibration,
    Identity,
    Isotonic,
    Platt,
    fit_calibrator,
    pooled_positives,
)

if TYPE_CHECKING:
    from pathlib import Path

METHODS = ("identity", "bias", "platt", "beta", "isotonic")


def skewed(rows: int = 20_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are 1.7 times too steep and 0.8 too high."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(-2.0, 1.0, rows)
    return 1.7 * truth + 0.8, (rng.random(rows) < expit(truth)).astype(float)


@settings(max_examples=25)
@given(
    method=st.sampled_from(METHODS),
    seed=st.integers(0, 1000),
    probes=st.lists(st.floats(-25, 25), min_size=2, max_size=8, unique=True),
)
def test_every_calibrator_keeps_the_order_of_rows(method: str, seed: int, probes: list[float]) -> None:
    logits, labels = skewed(300, seed)
    ordered = np.sort(np.asarray(probes))
    changes = np.diff(fit_calibrator(logits, labels, method=method).probability(ordered))  # type: ignore[arg-type]
    assert (changes >= 0).all()
    assert (changes[(np.diff(ordered) > 1e-3) & (np.abs(ordered[1:]) < 10)] > 0).all()


@pytest.mark.parametrize("method", ["platt", "beta", "isotonic"])
def test_a_skewed_head_becomes_calibrated_on_fresh_rows(method: str) -> None:
    calibrator = fit_calibrator(*skewed(seed=1), method=method)  # type: ignore[arg-type]
    logits, labels = skewed(seed=2)
    after = calibrator.probability(logits)
    assert mean_ratio(labels, after) == pytest.approx(1.0, abs=0.04)
    assert log_loss(labels, after) < log_loss(labels, expit(logits)) - 0.015
    assert auc(labels, after) == pytest.approx(auc(labels, logits), abs=1e-3)


def test_platt_finds_the_planted_distortion() -> None:
    found = fit_calibrator(*skewed(200_000), method="platt")
    assert isinstance(found, Platt)
    assert found.a == pytest.approx(1 / 1.7, rel=0.02)
    assert found.b == pytest.approx(-0.8 / 1.7, abs=0.04)


def test_bias_shrinks_towards_no_change_when_positives_are_few() -> None:
    logits = np.full(1000, logit(0.01))
    twenty = np.zeros(1000)
    twenty[:20] = 1.0
    found = Bias.fit(logits, twenty, np.ones(1000), prior=20.0)
    # 10 predicted, 20 observed: (20 + 20) / (10 + 20) instead of 2
    assert found.probability(logits)[0] == pytest.approx(0.01 * 40 / 30)


@pytest.mark.parametrize(
    ("positives", "kind"), [(0, "bias"), (199, "bias"), (200, "platt"), (10_000, "isotonic")]
)
def test_auto_takes_what_the_positives_support(positives: int, kind: str) -> None:
    labels = np.zeros(30_000)
    labels[:positives] = 1.0
    logits = np.random.default_rng(0).normal(size=30_000)
    assert fit_calibrator(logits, labels).kind == kind


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), method=st.sampled_from(["platt", "beta", "isotonic"]))
def test_an_integer_weight_equals_repeating_the_row_up_to_smoothing(seed: int, method: str) -> None:
    logits, labels = skewed(400, seed)
    weights = np.random.default_rng(seed).integers(0, 3, 400)
    weighted = fit_calibrator(logits, labels, weights, method=method)  # type: ignore[arg-type]
    repeated = fit_calibrator(np.repeat(logits, weights), np.repeat(labels, weights), method=method)  # type: ignore[arg-type]
    np.testing.assert_allclose(weighted.probability(logits), repeated.probability(logits), atol=2e-3)


@given(st.integers(0, 1000))
def test_isotonic_keeps_the_observed_rate_where_rows_crowd_at_one_end(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = -3.0 - rng.exponential(0.3, 20_000) ** 2
    labels = (rng.random(20_000) < expit(logits)).astype(float)
    found = fit_calibrator(logits, labels, method="isotonic").probability(logits)
    assert mean_ratio(labels, found) == pytest.approx(1.0, abs=1e-6)


def test_heads_that_move_together_lend_each_other_their_positives() -> None:
    observed = np.array([11_000.0, 2_200.0, 2.0])
    predicted = np.array([10_000.0, 2_000.0, 10.0])
    # All that is sure moved by a tenth; two of eleven where the others say eleven is no reason to doubt it.
    found = pooled_positives(observed, predicted)
    np.testing.assert_allclose(found, 1.1 * predicted, rtol=0.02)


def test_heads_that_move_apart_keep_their_own_positives() -> None:
    observed = np.array([20_000.0, 1_000.0, 50.0, 4_000.0])
    predicted = np.array([10_000.0, 2_000.0, 100.0, 1_000.0])
    np.testing.assert_allclose(pooled_positives(observed, predicted), observed, rtol=0.05)


def test_pooling_comes_closer_to_rare_heads_than_counting_or_leaving_them() -> None:
    rng = np.random.default_rng(0)
    positives = np.array([20_000, 10_000, 5_000, 2_000, 500, 100, 50, 20])
    errors = {"pooled": [], "counted": [], "left": []}
    for _ in range(300):
        true = positives * np.exp(0.1 + 0.03 * rng.normal(size=len(positives)))
        observed = rng.poisson(true).astype(float)
        for name, guess in (
            ("pooled", pooled_positives(observed, positives.astype(float))),
            ("counted", observed + 0.5),
            ("left", positives),
        ):
            errors[name].append(np.log(guess / true)[-4:] ** 2)
    rms = {name: float(np.sqrt(np.mean(values))) for name, values in errors.items()}
    assert rms["pooled"] < 0.6 * min(rms["counted"], rms["left"])


def test_all_heads_are_fitted_by_what_became_of_all_of_them() -> None:
    rng = np.random.default_rng(0)
    logits = np.stack([rng.normal(-2.0, 0.5, 40_000), rng.normal(-7.5, 0.5, 40_000)], axis=1)
    labels = (rng.random(logits.shape) < expit(logits + 0.4)).astype(float)
    found = Calibration.fit(["common", "rare"], logits, labels)
    assert [head.kind for head in found.heads.values()] == ["platt", "bias"]
    rates = found.probabilities(logits).sum(axis=0)
    np.testing.assert_allclose(
        rates, pooled_positives(labels.sum(axis=0), expit(logits).sum(axis=0)), rtol=1e-4
    )
    alone = Calibration.fit(["rare"], logits[:, 1:], labels[:, 1:])
    assert alone.heads["rare"] == Bias.fit(logits[:, 1], labels[:, 1], np.ones(40_000))


def test_isotonic_blocks_are_the_observed_rates() -> None:
    found = Isotonic.fit(np.array([-1.0, 0.0, 1.0, 2.0]), np.array([0.0, 1.0, 0.0, 1.0]), np.full(4, 1e6))
    # The violators at 0 and 1 pool into one block of rate one half, centred between them.
    np.testing.assert_allclose(found.knots, [-1.0, 0.5, 2.0])
    assert found.probability(np.array([0.5]))[0] == pytest.approx(0.5, abs=1e-5)


def test_a_saved_calibration_answers_the_same(tmp_path: Path) -> None:
    logits, labels = skewed(3000)
    columns = np.stack([logits] * 4, axis=1)
    heads = {name: fit_calibrator(logits, labels, method=name) for name in METHODS[1:]}  # type: ignore[arg-type]
    calibration = Calibration(heads)
    calibration.save(tmp_path / "calibration.json")
    loaded = Calibration.load(tmp_path / "calibration.json")
    np.testing.assert_array_equal(loaded.probabilities(columns), calibration.probabilities(columns))


def test_an_unknown_calibrator_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"like": {"kind": "magic"}}')
    with pytest.raises(ValueError, match=r"head like: expected one of .* got 'magic'"):
        Calibration.load(tmp_path / "c.json")


def test_a_head_without_rows_stays_as_it_is() -> None:
    assert fit_calibrator(np.ones(3), np.ones(3), np.zeros(3), method="platt") == Identity()


def test_logits_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected shape \(rows, 2\), got \(3, 1\)"):
        Calibration.identity(["a", "b"]).probabilities(np.zeros((3, 1)))
