"""Training rows for a ranker: what a request saw, what happened then, and a sample of what did not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from components.models.logistic import LogisticModel, LogisticRegression
from components.rankers.logistic import feature_matrix
from mixer import Candidates, Column


@attrs.frozen
class Examples:
    """Rows to learn from.

    Args:
        features: ``(n, f)``.
        labels: ``(n,)`` 1 where the viewer acted.
        weights: ``(n,)`` how many candidates a row stands for: 1 for positives, more for sampled negatives.
    """

    features: NDArray[np.float64]
    labels: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def sampled(
        cls,
        candidates: Candidates[Any],
        inputs: tuple[Column[Any, Any], ...],
        acted: NDArray[np.bool_],
        negatives: int,
        rng: np.random.Generator,
    ) -> Examples:
        """All positives of one request and at most so many random negatives, weighted to stand for all of them."""
        others = np.flatnonzero(~acted)
        drawn = rng.choice(others, min(negatives, len(others)), replace=False)
        rows = np.concatenate([np.flatnonzero(acted), np.sort(drawn)])
        weights = np.ones(len(rows))
        weights[len(rows) - len(drawn) :] = len(others) / max(len(drawn), 1)
        return cls(feature_matrix(candidates.pick(rows), inputs), acted[rows].astype(np.float64), weights)


def fit(parts: Sequence[Examples], inputs: tuple[Column[Any, Any], ...], l2: float = 1.0) -> LogisticModel:
    """A model of the probability that a viewer acts on a candidate.

    Raises:
        ValueError: nobody acted, or everybody did, so there is nothing to learn.
    """
    labels = np.concatenate([part.labels for part in parts]) if parts else np.zeros(0)
    if not 0 < labels.sum() < len(labels):
        raise ValueError(
            f"expected candidates that viewers acted on and others, got {int(labels.sum())} of {len(labels)} acted on"
        )
    features = np.concatenate([part.features for part in parts])
    weights = np.concatenate([part.weights for part in parts])
    return LogisticRegression(l2=l2).fit(features, labels, weights, [key.name for key in inputs])
