"""Metrics of predicted probabilities against 0/1 labels, with row weights.

Undefined results are NaN: a ranking metric needs both classes to compare, and RCE divides by the entropy of
the labels, which is 0 when there is only one class. A row of weight 0 is the same as no row.
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.evaluation import _checks

__all__ = [
    "CLIP",
    "ONE_CLASS",
    "auc",
    "average_precision",
    "grouped_auc",
    "log_loss",
    "nrce",
    "precision_at_recall",
    "rce",
]

CLIP = 1e-7
"""Probabilities are kept this far from 0 and 1 before a logarithm (recap's RCE)."""

ONE_CLASS = "only one class has weight"
"""Why a metric is NaN on labels that are all 0 or all 1."""


@attrs.frozen(eq=False)
class _Curve:
    """Weight of positives and negatives at or above each distinct score, highest score first."""

    positive: NDArray[np.float64]
    negative: NDArray[np.float64]

    @property
    def one_class(self) -> bool:
        return len(self.positive) == 0 or self.positive[-1] == 0.0 or self.negative[-1] == 0.0


def auc(label: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Chance that a random positive scores above a random negative, ties counting one half.

    NaN: only one class has weight.
    Source: Mann-Whitney U, as recap's AUROCWithMWU.
    """
    curve = _curve(label, score, weight)
    if curve.one_class:
        return float("nan")
    new_negative = np.diff(curve.negative, prepend=0.0)
    middle = curve.positive - np.diff(curve.positive, prepend=0.0) / 2.0
    return float(new_negative @ middle / (curve.positive[-1] * curve.negative[-1]))


def average_precision(label: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Area under the precision-recall curve as a step function (PR-AUC without interpolation).

    NaN: only one class has weight.
    """
    curve = _curve(label, score, weight)
    if curve.one_class:
        return float("nan")
    step = np.diff(curve.positive, prepend=0.0) / curve.positive[-1]
    return float(step @ (curve.positive / (curve.positive + curve.negative)))


def precision_at_recall(
    label: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None, *, recall: float = 0.9
) -> float:
    """Best precision among thresholds that reach a recall.

    NaN: only one class has weight.
    """
    curve = _curve(label, score, weight)
    _checks.inside(recall, "recall")
    if curve.one_class:
        return float("nan")
    # Sums of weights carry rounding: 0.9 reached up to 1e-12 counts as reached.
    reached = curve.positive / curve.positive[-1] >= recall - 1e-12
    return float((curve.positive / (curve.positive + curve.negative))[reached].max())


def log_loss(
    label: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None, *, clip: float = CLIP
) -> float:
    """Mean cross entropy in nats of probabilities kept within [clip, 1 - clip].

    NaN: no row has weight.
    """
    label, probability, weight = _rows(label, probability, weight)
    _checks.inside(clip, "clip")
    return _cross_entropy(label, np.clip(probability, clip, 1.0 - clip), weight)


def rce(label: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Relative cross entropy in percent: 100 * (1 - CE(model) / CE(mean label)).

    100 is perfect, 0 is no better than always predicting the mean label, below 0 is worse than that.
    NaN: only one class has weight.
    Source: recap's RCE metric, probabilities kept 1e-7 from 0 and 1.
    """
    label, probability, weight = _rows(label, probability, weight)
    return _relative_cross_entropy(label, probability, weight)


def nrce(label: ArrayLike, probability: ArrayLike, weight: ArrayLike | None = None) -> float:
    """RCE after scaling the probabilities so that their mean is the mean label, in percent.

    RCE far below NRCE is the tell-tale of a miscalibrated model.
    NaN: only one class has weight, or all probabilities are 0.
    Source: recap's NRCE metric, with means over all rows (two passes) instead of running means, which depend
    on the order of batches.
    """
    label, probability, weight = _rows(label, probability, weight)
    predicted = weight @ probability
    if predicted == 0.0:
        return float("nan")
    return _relative_cross_entropy(label, probability * ((weight @ label) / predicted), weight)


def grouped_auc(
    label: ArrayLike, score: ArrayLike, group: ArrayLike, weight: ArrayLike | None = None
) -> tuple[NDArray[np.float64], float]:
    """AUC within each group (a user, a request), and their mean weighted by the groups' rows.

    Shapes: four vectors (n,) -> (G,) in order of group id, and a number.
    NaN: a group with one class; the mean skips it, and is NaN when every group is such.
    """
    label, score, weight = _scored_rows(label, score, weight)
    group = _checks.ids(group, "group")
    _checks.same_length(label=label, group=group)
    groups, owner = np.unique(group, return_inverse=True)
    order = np.lexsort((score, owner))
    values = _auc_by_owner(label[order], score[order], owner[order], weight[order], len(groups))
    size = np.bincount(owner, weight, len(groups))
    defined = ~np.isnan(values)
    mean = float(np.average(values[defined], weights=size[defined])) if defined.any() else float("nan")
    return values, mean


def _auc_by_owner(
    label: NDArray[np.float64],
    score: NDArray[np.float64],
    owner: NDArray[np.int64],
    weight: NDArray[np.float64],
    groups: int,
) -> NDArray[np.float64]:
    """Rows come sorted by owner, then score."""
    new = np.append(True, (owner[1:] != owner[:-1]) | (score[1:] != score[:-1]))[: len(owner)]
    tie = np.cumsum(new) - 1
    positive = np.bincount(tie, weight * label)
    negative = np.bincount(tie, weight * (1.0 - label))
    owner = owner[new]
    positives, negatives = np.bincount(owner, positive, groups), np.bincount(owner, negative, groups)
    below = np.cumsum(negative) - negative - (np.cumsum(negatives) - negatives)[owner]
    won = np.bincount(owner, positive * (below + negative / 2.0), groups)
    pairs = positives * negatives
    return np.divide(won, pairs, out=np.full(groups, np.nan), where=pairs > 0.0)


def _relative_cross_entropy(
    label: NDArray[np.float64], probability: NDArray[np.float64], weight: NDArray[np.float64]
) -> float:
    total = weight.sum()
    mean = weight @ label / total if total > 0.0 else 0.0
    if mean in (0.0, 1.0):
        return float("nan")
    entropy = -(mean * np.log(mean) + (1.0 - mean) * np.log1p(-mean))
    return 100.0 * (1.0 - _cross_entropy(label, np.clip(probability, CLIP, 1.0 - CLIP), weight) / entropy)


def _cross_entropy(
    label: NDArray[np.float64], probability: NDArray[np.float64], weight: NDArray[np.float64]
) -> float:
    total = weight.sum()
    if total == 0.0:
        return float("nan")
    likelihood = np.where(label == 1.0, probability, 1.0 - probability)
    return float(-(weight @ np.log(likelihood)) / total)


def _curve(label: ArrayLike, score: ArrayLike, weight: ArrayLike | None) -> _Curve:
    label, score, weight = _scored_rows(label, score, weight)
    order = np.argsort(-score)
    order = order[weight[order] > 0.0]
    label, score, weight = label[order], score[order], weight[order]
    ends = np.flatnonzero(np.append(score[1:] != score[:-1], True)[: len(score)])
    return _Curve(np.cumsum(weight * label)[ends], np.cumsum(weight * (1.0 - label))[ends])


def _scored_rows(
    label: ArrayLike, score: ArrayLike, weight: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    label, score = _checks.labels(label), _checks.floats(score, "score")
    _checks.same_length(label=label, score=score)
    return label, score, _checks.weights(weight, len(label))


def _rows(
    label: ArrayLike, probability: ArrayLike, weight: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    label, probability = _checks.labels(label), _checks.shares(probability, "probability")
    _checks.same_length(label=label, probability=probability)
    return label, probability, _checks.weights(weight, len(label))
