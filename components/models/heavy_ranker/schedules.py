"""Learning rate as a function of the step."""

from __future__ import annotations

import bisect
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.models.heavy_ranker.config import ScheduleConfig


def learning_rate(schedule: ScheduleConfig, step: int) -> float:
    """The rate of a step; a ramp gives 0 at step 0 and the full rate from ``ramp_steps`` on.

    Source: recap 2023.
    """
    if schedule.kind == "piecewise_constant":
        return schedule.values[bisect.bisect_right(schedule.boundaries, step)]
    if schedule.kind == "constant":
        return schedule.learning_rate
    if step < schedule.ramp_steps:
        return schedule.learning_rate / schedule.ramp_steps * step
    if schedule.kind == "linear_ramp_to_constant":
        return schedule.learning_rate
    span = (schedule.final_step or 0) - schedule.ramp_steps
    done = min(1.0, (step - schedule.ramp_steps) / span)
    return schedule.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))
