"""The drift report: silent without drift, loud with it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from components.models.calibration import Calibration
from components.models.heavy_ranker.drift import Slice, drift_report, stability_index


def slice_of(seed: int, shift: float = 0.0, label_shift: float = 0.0, rows: int = 20_000) -> Slice:
    rng = np.random.default_rng(seed)
    logits = rng.normal(-2.0 + shift, 1.0, (rows, 1))
    return Slice(logits, (rng.random((rows, 1)) < expit(logits + label_shift)).astype(float))


def report(now: Slice):
    before = slice_of(0)
    calibration = Calibration.fit(["like"], before.logits, before.labels)
    return drift_report(["like"], calibration, before, now)["like"]


def test_an_equal_world_shows_no_drift() -> None:
    found = report(slice_of(1))
    assert not found.drifted
    assert found.ratio_before == pytest.approx(1.0, abs=1e-3)
    assert found.ratio_now == pytest.approx(1.0, abs=0.04)


def test_labels_that_became_rarer_show_as_a_ratio() -> None:
    found = report(slice_of(1, label_shift=-0.5))
    assert found.drifted
    assert found.ratio_now == pytest.approx(1.5, abs=0.15)
    assert found.stability_index < 0.01


def test_inputs_that_moved_show_in_the_distribution_although_the_ratio_holds() -> None:
    found = report(slice_of(1, shift=1.0))
    assert found.drifted
    assert found.stability_index > 0.2
    assert found.ratio_now == pytest.approx(1.0, abs=0.04)


def test_few_positives_forgive_a_ratio_that_many_would_not() -> None:
    found = report(slice_of(2, label_shift=-0.2, rows=150))
    assert found.standard_error > 0.15
    assert not found.drifted


def test_stability_index_of_equal_samples_is_zero() -> None:
    values = np.random.default_rng(0).random(1000)
    assert stability_index(values, values) == 0.0
    assert stability_index(values, values[:500] * 0.0) > 1.0
