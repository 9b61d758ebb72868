"""Ready reports: ranking metrics and model metrics of several systems, with paired differences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.evaluation import _checks, calibration, classification
from components.evaluation.bootstrap import Bootstrap
from components.evaluation.errors import InvalidInputError
from components.evaluation.judged import Judged
from components.evaluation.ranking import ranking_metrics
from components.evaluation.report import Report, Row

__all__ = ["MODEL_METRICS", "model_report", "ranking_report"]

MODEL_METRICS = {
    "auc": classification.auc,
    "pr_auc": classification.average_precision,
    "log_loss": classification.log_loss,
    "rce": classification.rce,
    "nrce": classification.nrce,
    "precision_at_90_recall": classification.precision_at_recall,
    "ece": calibration.expected_calibration_error,
    "mean_ratio": calibration.mean_ratio,
    "slope": lambda label, score, weight=None: calibration.recalibration(label, score, weight).slope,
    "intercept": lambda label, score, weight=None: calibration.recalibration(label, score, weight).intercept,
}
"""Model metrics by name, each (label, probability, weight) -> number."""


def ranking_report(
    systems: Mapping[str, Judged],
    *,
    ks: Iterable[int] = (10,),
    baseline: str | None = None,
    bootstrap: Bootstrap | None = None,
    title: str = "Ranking",
) -> Report:
    """Ranking metrics of several systems over the same users.

    Args:
        systems: judged lists by system name.
        ks: list depths.
        baseline: name of the system to compare against; adds paired differences as "system - baseline".
        bootstrap: how to resample users; 1,000 resamples by default.
        title: heading of the report.

    Raises:
        InvalidInputError: systems were judged on different users, or the baseline is not one of them.
    """
    bootstrap = bootstrap or Bootstrap()
    _check_systems(systems, baseline)
    first = next(iter(systems.values()))
    for name, judged in systems.items():
        if not np.array_equal(judged.users, first.users):
            raise InvalidInputError(f"systems: expected the same users in all, {name!r} has others")
    ks = tuple(ks)
    values = {name: ranking_metrics(judged, ks) for name, judged in systems.items()}
    rows = [
        Row(name, metric, bootstrap.mean(per_user), note=_ranking_note(per_user))
        for name, metrics in values.items()
        for metric, per_user in metrics.items()
    ]
    rows += [
        Row(f"{name} - {other}", metric, bootstrap.difference(per_user, values[other][metric]))
        for name, other in _pairs(systems, baseline)
        for metric, per_user in values[name].items()
    ]
    return Report(title, rows, {**attrs.asdict(bootstrap), "users": len(first.users)})


def model_report(
    label: ArrayLike,
    systems: Mapping[str, ArrayLike],
    *,
    user: ArrayLike,
    baseline: str | None = None,
    bootstrap: Bootstrap | None = None,
    title: str = "Model",
) -> Report:
    """Model metrics of several systems' probabilities for the same rows, resampled by user.

    Args:
        label: 0 or 1, shape (n,).
        systems: probabilities by system name, shapes (n,).
        user: the user of each row, shape (n,).
        baseline: name of the system to compare against; adds paired differences as "system - baseline".
        bootstrap: how to resample users; 200 resamples by default, each of which recomputes every metric.
        title: heading of the report.
    """
    bootstrap = bootstrap or Bootstrap(resamples=200)
    _check_systems(systems, baseline)
    truth = _checks.labels(label)
    scores = {name: _checks.shares(values, name) for name, values in systems.items()}
    reason = classification.ONE_CLASS if len(np.unique(truth)) < 2 else ""
    rows: list[Row] = []
    for metric, measure in MODEL_METRICS.items():
        for name, score in scores.items():
            interval = bootstrap.statistic(lambda w, p=score, m=measure: m(truth, p, w), user)
            undefined = math.isnan(interval.estimate)
            fit = calibration.recalibration(truth, score).reason if undefined else ""
            rows.append(Row(name, metric, interval, note=(reason or fit) if undefined else ""))
        for name, other in _pairs(systems, baseline):
            pair = (scores[name], scores[other])
            difference = bootstrap.statistic(
                lambda w, p=pair, m=measure: m(truth, p[0], w) - m(truth, p[1], w), user
            )
            rows.append(Row(f"{name} - {other}", metric, difference))
    return Report(title, rows, {**attrs.asdict(bootstrap), "rows": len(truth)})


def _pairs(systems: Mapping[str, object], baseline: str | None) -> Iterator[tuple[str, str]]:
    if baseline is not None:
        yield from ((name, baseline) for name in systems if name != baseline)


def _check_systems(systems: Mapping[str, object], baseline: str | None) -> None:
    if not systems:
        raise InvalidInputError("systems: expected at least one, got none")
    if baseline is not None and baseline not in systems:
        raise InvalidInputError(f"baseline: expected one of {sorted(systems)}, got {baseline!r}")


def _ranking_note(per_user: NDArray[np.float64]) -> str:
    return "" if (~np.isnan(per_user)).any() else "no user has a relevant item"
