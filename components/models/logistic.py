"""Logistic regression: the light ranker of the thin products and the scorer of the safety classifiers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeAlias

import attrs
import numpy as np
from scipy import optimize, sparse
from scipy.special import expit

from components.archive import read_archive, write_archive

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    Matrix: TypeAlias = Any  # an NDArray or a csr_array: numpy and scipy share no type

FORMAT = "mixer.logistic/1"
_ARRAYS = ("coefficients", "mean", "scale")


@attrs.frozen
class LogisticRegression:
    """How to fit: maximum likelihood with an L2 penalty on the weights of standardised features.

    The penalty is ``l2 / 2 * |w|^2`` against the weighted *sum* of the log losses; the intercept is free. The
    optimum is unique for ``l2 > 0`` and the solver is deterministic, so equal data give an equal model.
    """

    l2: float = attrs.field(default=1.0, validator=attrs.validators.ge(0.0))
    standardise: bool = True
    tolerance: float = attrs.field(default=1e-8, validator=attrs.validators.gt(0.0))
    max_iterations: int = attrs.field(default=1000, validator=attrs.validators.gt(0))

    def fit(
        self,
        X: ArrayLike | sparse.sparray,
        y: ArrayLike,
        weights: ArrayLike | None = None,
        feature_names: Sequence[str] | None = None,
    ) -> LogisticModel:
        """Fits the model.

        Args:
            X: ``(rows, features)``, dense or sparse. NaN means missing and counts as the feature's mean.
            y: ``(rows,)`` of 0 and 1.
            weights: ``(rows,)``, not negative; one each when absent.
            feature_names: names for explanations; ``x0, x1, ...`` when absent.

        Raises:
            ValueError: shapes disagree, a value is infinite, or the labels hold a single class.
        """
        matrix, names = _matrix(X), feature_names
        labels, sample_weights = _labels_and_weights(matrix, y, weights)
        mean, scale = self._moments(matrix, sample_weights)
        design = _standardised(matrix, mean, scale)
        coefficients, intercept = self._solve(design, labels, sample_weights)
        names = tuple(names) if names is not None else tuple(f"x{i}" for i in range(matrix.shape[1]))
        return LogisticModel(coefficients, intercept, mean, scale, names)

    def _moments(
        self, matrix: Matrix, weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        columns = matrix.shape[1]
        if not self.standardise or sparse.issparse(matrix):
            return np.zeros(columns), np.ones(columns)
        present = ~np.isnan(matrix)
        filled = np.where(present, matrix, 0.0)
        mass = np.maximum(weights @ present, np.finfo(np.float64).tiny)
        mean = (weights @ filled) / mass
        variance = (weights @ (np.where(present, matrix - mean, 0.0) ** 2)) / mass
        scale = np.sqrt(variance)
        # A constant column carries no signal; its rounding noise must not be blown up to unit variance.
        return mean, np.where(scale > 1e-12 * np.maximum(np.abs(mean), 1.0), scale, 1.0)

    def _solve(
        self, design: Matrix, labels: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], float]:
        total = weights.sum()

        def objective(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            logits = design @ theta[:-1] + theta[-1]
            losses = np.logaddexp(0.0, logits) - labels * logits
            residual = weights * (expit(logits) - labels)
            gradient = np.append(design.T @ residual + self.l2 * theta[:-1], residual.sum())
            value = weights @ losses + 0.5 * self.l2 * (theta[:-1] @ theta[:-1])
            return float(value / total), gradient / total

        start = np.zeros(design.shape[1] + 1)
        prior = float(weights @ labels / total)
        start[-1] = np.log(prior / (1.0 - prior))
        options = {"maxiter": self.max_iterations, "gtol": self.tolerance, "ftol": 1e-15, "maxcor": 20}
        solution = optimize.minimize(objective, start, jac=True, method="L-BFGS-B", options=options).x
        return solution[:-1], float(solution[-1])


@attrs.frozen(eq=False)
class LogisticModel:
    """A fitted model: ``P(y = 1) = sigmoid(intercept + sum_j coefficient_j * (x_j - mean_j) / scale_j)``."""

    coefficients: NDArray[np.float64]
    intercept: float
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    feature_names: tuple[str, ...]

    def __attrs_post_init__(self) -> None:
        shapes = {self.coefficients.shape, self.mean.shape, self.scale.shape, (len(self.feature_names),)}
        if len(shapes) != 1:
            raise ValueError(
                f"LogisticModel: coefficients, mean, scale and names must agree, got shapes {shapes}"
            )

    def logits(self, X: ArrayLike | sparse.sparray) -> NDArray[np.float64]:
        """Log odds, ``(rows,)``."""
        return self._design(X) @ self.coefficients + self.intercept

    def predict_proba(self, X: ArrayLike | sparse.sparray) -> NDArray[np.float64]:
        """Probability of the positive class, ``(rows,)``."""
        return expit(self.logits(X))

    def contributions(self, X: ArrayLike) -> NDArray[np.float64]:
        """What each feature adds to the log odds, ``(rows, features)``; a row's sum plus ``intercept`` is its logit."""
        return np.asarray(self._design(X) * self.coefficients)

    def save(self, path: str | Path) -> None:
        """Writes one ``.npz`` archive: the arrays, and a JSON header; it appears whole or not at all."""
        header = {"intercept": self.intercept, "feature_names": list(self.feature_names)}
        write_archive(path, FORMAT, header, {name: getattr(self, name) for name in _ARRAYS})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads what ``save`` wrote.

        Raises:
            ValueError: the file is not a logistic model of this format.
        """
        header, arrays = read_archive(path, FORMAT, _ARRAYS)
        return cls(
            intercept=float(header["intercept"]), feature_names=tuple(header["feature_names"]), **arrays
        )

    def _design(self, X: ArrayLike | sparse.sparray) -> Matrix:
        matrix = _matrix(X)
        if matrix.shape[1] != len(self.coefficients):
            raise ValueError(
                f"LogisticModel: expected {len(self.coefficients)} features, got {matrix.shape[1]}"
            )
        return _standardised(matrix, self.mean, self.scale)


def _matrix(X: ArrayLike | sparse.sparray) -> Matrix:
    if sparse.issparse(X):
        return sparse.csr_array(X, dtype=np.float64)
    matrix = np.asarray(X, dtype=np.float64)
    if matrix.ndim != 2:
        raise ValueError(f"X: expected 2 dimensions (rows, features), got shape {matrix.shape}")
    if np.isinf(matrix).any():
        row, column = np.argwhere(np.isinf(matrix))[0]
        raise ValueError(
            f"X: expected finite values or NaN, got {matrix[row, column]} at row {row}, column {column}"
        )
    return matrix


def _standardised(matrix: Matrix, mean: NDArray[np.float64], scale: NDArray[np.float64]) -> Matrix:
    if sparse.issparse(matrix):
        return matrix
    return np.nan_to_num((matrix - mean) / scale, copy=False, nan=0.0)


def _labels_and_weights(
    matrix: Matrix, y: ArrayLike, weights: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows = matrix.shape[0]
    labels = np.asarray(y, dtype=np.float64)
    sample_weights = np.ones(rows) if weights is None else np.asarray(weights, dtype=np.float64)
    for name, values in (("y", labels), ("weights", sample_weights)):
        if values.shape != (rows,):
            raise ValueError(f"{name}: expected shape ({rows},) like the rows of X, got {values.shape}")
    if not np.isin(labels, (0.0, 1.0)).all():
        raise ValueError(f"y: expected labels 0 and 1, got {np.unique(labels)[:5]}")
    if not np.isfinite(sample_weights).all() or (sample_weights < 0).any():
        raise ValueError("weights: expected finite values that are not negative")
    positive = float(sample_weights @ labels)
    if positive <= 0 or positive >= sample_weights.sum():
        raise ValueError("y: expected both classes with positive weight, got a single class")
    return labels, sample_weights
