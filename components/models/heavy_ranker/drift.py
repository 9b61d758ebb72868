"""Has a head moved since it was calibrated?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from components.evaluation.calibration import expected_calibration_error, mean_ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from components.models.calibration import Calibration

BINS = 10


@attrs.frozen
class HeadDrift:
    """One head on new rows, compared with the rows it was calibrated on.

    Attributes:
        ratio_before, ratio_now: mean(p) / mean(y).
        standard_error: of ``ratio_now``, from the number of positives alone: 1 / sqrt(N+).
        stability_index: population stability index of the predicted probabilities; above 0.2 is a shift.
        drifted: the ratio lies more than two standard errors and 2 percent from 1, or the index is above 0.2.
    """

    ratio_before: float
    ratio_now: float
    ece_now: float
    standard_error: float
    stability_index: float

    @property
    def drifted(self) -> bool:
        off = abs(self.ratio_now - 1.0) > max(0.02, 2.0 * self.standard_error)
        return bool(off or self.stability_index > 0.2)


@attrs.frozen(eq=False)
class Slice:
    """Logits and labels, (rows, heads), of a stretch of time."""

    logits: NDArray[np.floating]
    labels: NDArray[np.floating]


def drift_report(
    heads: Sequence[str], calibration: Calibration, before: Slice, now: Slice
) -> dict[str, HeadDrift]:
    """Drift of every head between the calibration slice and a later one."""
    old, new = calibration.probabilities(before.logits), calibration.probabilities(now.logits)
    report = {}
    for place, head in enumerate(heads):
        labels = now.labels[:, place]
        report[head] = HeadDrift(
            mean_ratio(before.labels[:, place], old[:, place]),
            mean_ratio(labels, new[:, place]),
            expected_calibration_error(labels, new[:, place]),
            float(1.0 / np.sqrt(max(labels.sum(), 1.0))),
            stability_index(old[:, place], new[:, place]),
        )
    return report


def stability_index(before: NDArray[np.floating], now: NDArray[np.floating]) -> float:
    """Population stability index over deciles of ``before``; 0 for equal distributions.

    Half a row is added to every bin, so that an empty one does not make it infinite.
    """
    edges = np.quantile(before, np.linspace(0.0, 1.0, BINS + 1)[1:-1])
    shares = []
    for values in (before, now):
        counts = np.bincount(np.searchsorted(edges, values), minlength=BINS) + 0.5
        shares.append(counts / counts.sum())
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
