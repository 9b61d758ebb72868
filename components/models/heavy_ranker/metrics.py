"""What is reported for every head."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from components.evaluation.calibration import expected_calibration_error, mean_ratio
from components.evaluation.classification import auc, average_precision, log_loss, nrce, rce

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

HeadMetrics: TypeAlias = dict[str, dict[str, float]]

COLUMNS = ("auc", "pr_auc", "rce", "nrce", "log_loss", "calibration", "ece", "positives")
"""``calibration`` is mean(p) / mean(y); RCE and NRCE are in percent; ``positives`` is the weight of label 1."""

HIGHER_IS_BETTER = {"auc": True, "pr_auc": True, "rce": True, "log_loss": False, "auc_less_log_loss": True}


def head_metrics(
    heads: Sequence[str],
    labels: NDArray[np.floating],
    probabilities: NDArray[np.floating],
    weights: NDArray[np.floating] | None = None,
) -> HeadMetrics:
    """Metrics by head; a metric that is undefined, such as the AUC of one class, is NaN.

    Shapes: labels and probabilities (rows, heads), weights (rows,).
    """
    return {
        head: _one(labels[:, place], probabilities[:, place], weights) for place, head in enumerate(heads)
    }


def _one(
    y: NDArray[np.floating], p: NDArray[np.floating], w: NDArray[np.floating] | None
) -> dict[str, float]:
    return {
        "auc": auc(y, p, w),
        "pr_auc": average_precision(y, p, w),
        "rce": rce(y, p, w),
        "nrce": nrce(y, p, w),
        "log_loss": log_loss(y, p, w),
        "calibration": mean_ratio(y, p, w),
        "ece": expected_calibration_error(y, p, w),
        "positives": float(y.sum() if w is None else w @ y),
    }


def mean_over_heads(metrics: HeadMetrics, name: str) -> float:
    """The mean of one metric over the heads where it is defined; NaN when it is defined for none."""
    if name == "auc_less_log_loss":
        return mean_over_heads(metrics, "auc") - mean_over_heads(metrics, "log_loss")
    values = np.array([head[name] for head in metrics.values()])
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")
