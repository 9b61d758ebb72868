"""Learning rates by step, against the published formulas."""

from __future__ import annotations

import pytest

from components.models.heavy_ranker.config import ScheduleConfig
from components.models.heavy_ranker.schedules import learning_rate


@pytest.mark.parametrize(("step", "expected"), [(0, 0.0), (500, 4e-4), (1000, 8e-4), (10**6, 8e-4)])
def test_linear_ramp_to_constant(step: int, expected: float) -> None:
    schedule = ScheduleConfig("linear_ramp_to_constant", 8e-4, ramp_steps=1000)
    assert learning_rate(schedule, step) == pytest.approx(expected)


@pytest.mark.parametrize(("step", "expected"), [(0, 0.0), (10, 1.0), (60, 0.5), (110, 0.0), (500, 0.0)])
def test_linear_ramp_to_cosine(step: int, expected: float) -> None:
    schedule = ScheduleConfig("linear_ramp_to_cosine", 1.0, ramp_steps=10, final_step=110)
    assert learning_rate(schedule, step) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("step", "expected"), [(0, 3.0), (9, 3.0), (10, 2.0), (19, 2.0), (20, 1.0)])
def test_piecewise_constant(step: int, expected: float) -> None:
    schedule = ScheduleConfig("piecewise_constant", boundaries=(10, 20), values=(3.0, 2.0, 1.0))
    assert learning_rate(schedule, step) == expected


def test_constant() -> None:
    assert learning_rate(ScheduleConfig(learning_rate=0.5), 12345) == 0.5
