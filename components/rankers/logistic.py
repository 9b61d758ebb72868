"""``LogisticRanker``: the probability of engagement under a trained logistic regression."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from components.models.logistic import LogisticModel
from mixer import Candidates, Column, Ranker, note, tracing


@attrs.frozen
class LogisticRanker(Ranker[Any, Any]):
    """Sorts by predicted probability, which it writes; a traced request sees what each feature added.

    Args:
        model: trained on the columns of ``inputs``, in their order.
        inputs: feature columns; they enter as ``log1p``, NaN as the mean.
        score: the column to write.

    Raises:
        ValueError: the model was trained on other features.
    """

    model: LogisticModel = attrs.field(repr=False)
    inputs: tuple[Column[Any, Any], ...]
    score: Column[Any, Any]

    def __attrs_post_init__(self) -> None:
        names = tuple(key.name for key in self.inputs)
        if names != self.model.feature_names:
            raise ValueError(
                f"logistic ranker: expected a model of {names}, got one of {self.model.feature_names}"
            )

    def rank(self, target: object, candidates: Candidates[Any]) -> Candidates[Any]:
        features = feature_matrix(candidates, self.inputs)
        scores = self.model.predict_proba(features).astype(np.float32)
        order = np.argsort(-scores, kind="stable")
        ranked = candidates.with_columns({self.score: scores}).pick(order)
        if tracing():
            parts = self.model.contributions(features[order]).T
            note(self.name, candidates, ranked, terms=dict(zip(self.model.feature_names, parts, strict=True)))
        return ranked


def feature_matrix(candidates: Candidates[Any], inputs: tuple[Column[Any, Any], ...]) -> NDArray[np.float64]:
    """``(n, f)`` the logarithm of one plus each column, none of which may be negative.

    Counts and scores of sources span orders of magnitude; an active viewer must not push a linear model off the
    range it was trained on.
    """
    matrix = np.empty((len(candidates), len(inputs)))
    for index, key in enumerate(inputs):
        matrix[:, index] = candidates[key]
    return np.log1p(matrix, out=matrix)
