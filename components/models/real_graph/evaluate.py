"""RealGraph beside plain counts and its own halves, with intervals from resampling source accounts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from components.embeddings.progress import Progress, ProgressListener, silent
from components.evaluation import (
    Bootstrap,
    Interval,
    auc,
    average_precision,
    expected_calibration_error,
    mean_ratio,
)
from components.models.real_graph.features import PairFeatures
from components.models.real_graph.log import InteractionLog, Pairs
from components.models.real_graph.model import RealGraph, labelled
from components.units import DAY_MS

METRICS = {"auc": auc, "pr_auc": average_precision}

Scores = Mapping[str, NDArray[np.float64]]


def evaluate_real_graph(
    model: RealGraph,
    log: InteractionLog,
    at_ms: int,
    bootstrap: Bootstrap | None = None,
    listener: ProgressListener = silent,
) -> dict[str, object]:
    """Judges a model that was trained before a moment by what happened within the horizon after it.

    Rivals: how often the pair interacted in the last day and in the last week, the decayed rollup, and
    each of the model's two halves alone. Differences are paired by source account.
    """
    features, happened = labelled(log, at_ms, model.config)
    label, probability = happened.astype(np.float64), model.predict(features)
    arms = {"real_graph": probability, **rivals(model, log, at_ms, features)}
    return {
        "pairs": len(label),
        "interacted": int(label.sum()),
        "ece": expected_calibration_error(label, probability),
        "mean_predicted_over_observed": mean_ratio(label, probability),
        "arms": {name: {m: f(label, score) for m, f in METRICS.items()} for name, score in arms.items()},
        "gain_over": _gains(label, arms, features.pairs, bootstrap or Bootstrap(resamples=100), listener),
    }


def rivals(model: RealGraph, log: InteractionLog, at_ms: int, features: PairFeatures) -> Scores:
    """Scores of the same pairs by simpler means."""
    return {
        "last_day": counts(log, features.pairs, at_ms, DAY_MS),
        "last_week": counts(log, features.pairs, at_ms, 7 * DAY_MS),
        "rollup": features.column("decayed"),
        "trees": model.trees.logits(features.values),
        "logistic": model.linear.logits(np.log1p(features.values)),
    }


def counts(log: InteractionLog, pairs: Pairs, at_ms: int, span_ms: int) -> NDArray[np.float64]:
    """``(pairs,)`` interactions of each pair in the time before a moment."""
    recent = log.between(at_ms - span_ms, at_ms)
    positions = pairs.positions(recent.source, recent.target)
    return np.bincount(positions[positions >= 0], minlength=len(pairs)).astype(np.float64)


def _gains(
    label: NDArray[np.float64], arms: Scores, pairs: Pairs, bootstrap: Bootstrap, listener: ProgressListener
) -> dict[str, dict[str, Interval]]:
    ours = arms["real_graph"]
    others = {name: score for name, score in arms.items() if name != "real_graph"}
    gains = {}
    for done, (name, theirs) in enumerate(others.items(), 1):
        gains[name] = {
            metric: bootstrap.statistic(_gain(measure, label, ours, theirs), pairs.source)
            for metric, measure in METRICS.items()
        }
        listener(Progress("intervals", done, len(others)))
    return gains


def _gain(
    measure: Callable[..., float],
    label: NDArray[np.float64],
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
) -> Callable[[NDArray[np.float64]], float]:
    return lambda weight: measure(label, ours, weight) - measure(label, theirs, weight)
