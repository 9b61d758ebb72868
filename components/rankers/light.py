"""The light ranker: a cheap model, logistic or small trees, that decides what the heavy ranker looks at."""

from __future__ import annotations

from typing import Any, Protocol

import attrs
import numpy as np
from numpy.typing import NDArray

from components.scores import rescored
from components.stores.types import setting
from mixer import Candidates, Column, Ranker, Transform
from mixer.component import resolved
from mixer.params import Param
from mixer.transforms import Trait


class LightModel(Protocol):
    """``LogisticModel`` and ``LightTrees`` are such models."""

    @property
    def feature_names(self) -> tuple[str, ...]: ...

    def predict_proba(self, X: Any) -> NDArray[np.float64]: ...

    def contributions(self, X: Any) -> NDArray[np.float64]: ...


@attrs.frozen
class LightRanker(Ranker[Any, Any]):
    """Sorts by the probability under a light model, which it writes; a traced request sees what each feature added.

    Args:
        model: trained on the columns of ``inputs``, in their order.
        inputs: feature columns; they enter as ``log1p``.
        score: the column to write.

    Raises:
        ValueError: the model was trained on other features.
    """

    model: LightModel = attrs.field(repr=False)
    inputs: tuple[Column[Any, Any], ...]
    score: Column[Any, Any]

    def __attrs_post_init__(self) -> None:
        names = tuple(key.name for key in self.inputs)
        if names != self.model.feature_names:
            raise ValueError(
                f"{self.name.replace('_', ' ')}: expected a model of {names}, got one of {self.model.feature_names}"
            )

    def rank(self, target: object, candidates: Candidates[Any]) -> Candidates[Any]:
        features = feature_matrix(candidates, self.inputs)

        def terms() -> dict[str, NDArray[np.float64]]:
            return dict(zip(self.model.feature_names, self.model.contributions(features).T, strict=True))

        return rescored(self.name, candidates, {self.score: self.model.predict_proba(features)}, terms)


@attrs.frozen
class LogisticRanker(LightRanker):
    """A light ranker whose model is a logistic regression; NaN enters as the mean."""


def feature_matrix(candidates: Candidates[Any], inputs: tuple[Column[Any, Any], ...]) -> NDArray[np.float64]:
    """``(n, f)`` the logarithm of one plus each column, none of which may be negative.

    Counts and scores of sources span orders of magnitude; an active viewer must not push a linear model off the
    range it was trained on.
    """
    matrix = np.empty((len(candidates), len(inputs)))
    for index, key in enumerate(inputs):
        matrix[:, index] = candidates[key]
    return np.log1p(matrix, out=matrix)


@attrs.frozen
class PreRank(Transform[Any, Any]):
    """Keeps what a light ranker puts first, so many as the load allows.

    Args:
        ranker: puts the best first.
        cap: at full quality.
        least: share of ``cap`` that is kept whatever the load.

    Source: home-mixer scores at most 500 a source times the quality factor; FRS never less than 0.3 of it.
    """

    ranker: Ranker[Any, Any]
    cap: int | Param[int] = 500
    least: float | Param[float] = 0.3
    traits = Trait.REORDERS | Trait.DROPS | Trait.ANNOTATES

    async def transform(self, target: Any, candidates: Candidates[Any]) -> Candidates[Any]:
        count = target.request.scaled(setting(target, self.cap), setting(target, self.least))
        ranked = await resolved(self.ranker.rank(target, candidates))
        return ranked.head(count)
