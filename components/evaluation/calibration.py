"""Do probabilities mean what they say: reliability bins, ECE, mean ratio, slope and intercept."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.evaluation import _checks
from components.evaluation.classification import CLIP, ONE_CLASS

__all__ = [
    "Recalibration",
    "Reliability",
    "expected_calibration_error",
    "mean_ratio",
    "recalibration",
    "reliability",
]

_MOST_STEPS = 200


@attrs.frozen(eq=False)
class Reliability:
    """Predicted against observed rate, in bins of equal mass from low to high probability.

    Shapes: three vectors (bins,); bins that received no row are left out. `mass` is the weight in the bin.
    """

    mass: NDArray[np.float64]
    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]

    @property
    def expected_error(self) -> float:
        """ECE: mean of |predicted - observed|, weighted by mass; NaN without mass."""
        total = self.mass.sum()
        return float(self.mass @ np.abs(self.predicted - self.observed) / total) if total else float("nan")

    @property
    def largest_ratio(self) -> float:
        """Largest factor between predicted and observed, either way; NaN when a bin observed nothing."""
        if len(self.mass) == 0 or not ((self.observed > 0.0) & (self.predicted > 0.0)).all():
            return float("nan")
        return float(np.exp(np.abs(np.log(self.predicted / self.observed)).max()))


@attrs.frozen
class Recalibration:
    """Logistic fit of the labels on the model's logit; slope 1 and intercept 0 is calibrated.

    A slope below 1 is over-confidence. Both are NaN when no finite fit exists; `reason` then says why.
    """

    slope: float
    intercept: float
    reason: str = ""


def reliability(
    label: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None, *, bins: int = 15
) -> Reliability:
    """Sorts rows into bins of equal mass.

    Equal probabilities always share a bin, the one their middle falls in, so the order of rows never matters.
    Equal width would put a head with a base rate of 1e-3 into its first bin entirely.
    """
    label, probability = _checks.labels(label), _checks.shares(probability, "probability")
    _checks.same_length(label=label, probability=probability)
    weight, bins = _checks.weights(weight, len(label)), _checks.at_least(bins, 1, "bins")
    order = np.argsort(probability)
    order = order[weight[order] > 0.0]
    label, probability, weight = label[order], probability[order], weight[order]
    slot = _equal_mass_slots(probability, weight, bins)
    mass, predicted, observed = (
        np.bincount(slot, weight * column, bins).astype(np.float64) for column in (1.0, probability, label)
    )
    used = mass > 0.0
    return Reliability(mass[used], predicted[used] / mass[used], observed[used] / mass[used])


def expected_calibration_error(
    label: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None, *, bins: int = 15
) -> float:
    """ECE over bins of equal mass, in probability units.

    NaN: no row has weight.
    """
    return reliability(label, probability, weight, bins=bins).expected_error


def mean_ratio(label: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None) -> float:
    """mean(p) / mean(y): above 1 the model promises too much.

    NaN: no positive has weight.
    """
    label, probability = _checks.labels(label), _checks.shares(probability, "probability")
    _checks.same_length(label=label, probability=probability)
    weight = _checks.weights(weight, len(label))
    positives = weight @ label
    return float(weight @ probability / positives) if positives > 0.0 else float("nan")


def recalibration(label: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None) -> Recalibration:
    """Fits P(label) = sigmoid(slope * logit(p) + intercept) by maximum likelihood.

    Source: Cox 1958; probabilities are kept 1e-7 from 0 and 1.
    """
    label, probability = _checks.labels(label), _checks.shares(probability, "probability")
    _checks.same_length(label=label, probability=probability)
    weight = _checks.weights(weight, len(label))
    used = weight > 0.0
    clipped = np.clip(probability[used], CLIP, 1.0 - CLIP)
    score = np.log(clipped) - np.log1p(-clipped)
    reason = _unfit(label[used], score)
    if reason:
        return Recalibration(float("nan"), float("nan"), reason)
    (slope, intercept), gradient = _fit_logistic(label[used], score, weight[used])
    if gradient > 1e-9:
        return Recalibration(float("nan"), float("nan"), f"no fit after {_MOST_STEPS} steps")
    return Recalibration(float(slope), float(intercept))


def _equal_mass_slots(
    probability: NDArray[np.float64], weight: NDArray[np.float64], bins: int
) -> NDArray[np.int64]:
    """Bin of each row; rows come sorted by probability."""
    if len(probability) == 0:
        return np.empty(0, np.int64)
    tie = np.cumsum(np.append(False, probability[1:] != probability[:-1]))
    mass = np.bincount(tie, weight)
    middle = np.cumsum(mass) - mass / 2.0
    slot = np.floor(bins * middle / mass.sum()).astype(np.int64)
    return np.minimum(slot, bins - 1)[tie]


def _unfit(label: NDArray[np.float64], score: NDArray[np.float64]) -> str:
    positive, negative = score[label == 1.0], score[label == 0.0]
    if len(positive) == 0 or len(negative) == 0:
        return ONE_CLASS
    if score.min() == score.max():
        return "all probabilities are equal"
    if positive.min() >= negative.max() or positive.max() <= negative.min():
        return "a threshold separates the classes, the best slope is infinite"
    return ""


def _fit_logistic(
    label: NDArray[np.float64], score: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Levenberg-Marquardt damped Newton steps; returns slope and intercept, and the largest gradient left."""
    centre, scale = score.mean(), score.std()
    design = np.stack([(score - centre) / scale, np.ones_like(score)])
    share = weight / weight.sum()
    theta, damping = np.zeros(2), 1e-3
    loss, gradient, hessian = _logistic(theta, design, label, share)
    for _ in range(_MOST_STEPS):
        if np.abs(gradient).max() <= 1e-14:
            break
        step = np.linalg.solve(hessian + damping * np.trace(hessian) * np.eye(2), gradient)
        tried = _logistic(theta + step, design, label, share)
        # Close to the optimum the loss no longer sees a step that the gradient still needs.
        if tried[0] <= loss + 1e-15:
            theta, (loss, gradient, hessian) = theta + step, tried
            damping = max(damping / 10.0, 1e-12)
        else:
            damping *= 10.0
    slope = theta[0] / scale
    return np.array([slope, theta[1] - slope * centre]), float(np.abs(gradient).max())


def _logistic(
    theta: NDArray[np.float64],
    design: NDArray[np.float64],
    label: NDArray[np.float64],
    share: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Mean loss, the direction downhill and the curvature."""
    logits = theta @ design
    softplus = np.logaddexp(0.0, logits)
    rate = np.exp(logits - softplus)
    loss = float(share @ (softplus - label * logits))
    return loss, design @ (share * (label - rate)), (design * (share * rate * (1.0 - rate))) @ design.T
