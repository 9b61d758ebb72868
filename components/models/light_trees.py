"""Small boosted trees for pre-ranking: fitted by scikit-learn (extra ``trees``), kept and scored as plain arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import attrs
import numpy as np
from scipy.special import expit

from components.archive import read_archive, write_archive

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

FORMAT = "mixer-light-trees/1"
_ARRAYS = ("children", "feature", "threshold", "value")


@attrs.frozen(eq=False)
class LightTrees:
    """``P(y = 1) = sigmoid(intercept + sum over trees of the leaf's value)``.

    Shapes: ``children`` (trees, nodes, 2), the left and right child of every node, a leaf its own; ``feature`` and
    ``threshold`` (trees, nodes), a row goes left where ``x <= threshold``; ``value`` (trees, nodes), in log odds,
    what the tree expects of the rows that pass the node. A missing input (NaN) enters as -1.
    """

    children: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    value: NDArray[np.float64]
    intercept: float
    feature_names: tuple[str, ...]

    @classmethod
    def fit(
        cls,
        X: ArrayLike,
        y: ArrayLike,
        weights: ArrayLike | None = None,
        feature_names: Sequence[str] | None = None,
        *,
        trees: int = 40,
        depth: int = 4,
        learning_rate: float = 0.15,
        seed: int = 0,
    ) -> Self:
        """Gradient-boosted trees of log loss on half of the rows each.

        Args:
            X: ``(rows, features)``, NaN where missing.
            y: ``(rows,)`` of 0 and 1.
            weights: ``(rows,)``.

        Raises:
            ValueError: a single class, or shapes that do not agree.
            ImportError: scikit-learn is not installed.
        """
        from sklearn.ensemble import GradientBoostingClassifier

        matrix = _filled(X)
        labels = np.asarray(y, np.int64)
        names = tuple(feature_names or (f"x{at}" for at in range(matrix.shape[1])))
        if len(names) != matrix.shape[1]:
            raise ValueError(f"feature_names: expected {matrix.shape[1]} names, got {len(names)}")
        model = GradientBoostingClassifier(
            n_estimators=trees,
            max_depth=depth,
            learning_rate=learning_rate,
            subsample=0.5,
            min_samples_leaf=min(50, max(1, len(labels) // 20)),
            random_state=seed,
        ).fit(matrix, labels, sample_weight=None if weights is None else np.asarray(weights, np.float64))
        fitted = [tree.tree_ for tree in model.estimators_[:, 0]]
        prior = float(np.average(labels, weights=None if weights is None else np.asarray(weights)))
        intercept = float(np.log(prior / (1.0 - prior)))
        children, feature, threshold, value = _packed(fitted, learning_rate)
        return cls(children, feature, threshold, value, intercept, names)

    def logits(self, X: ArrayLike) -> NDArray[np.float64]:
        """Log odds, ``(rows,)``."""
        return self.contributions(X).sum(axis=1) + self.intercept

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probability of the positive class, ``(rows,)``."""
        return expit(self.logits(X))

    def contributions(self, X: ArrayLike) -> NDArray[np.float64]:
        """``(rows, features)`` what each feature adds; a row's sum plus ``intercept`` is its log odds.

        A split adds the difference of what the tree expects after and before it to its feature; the root's own
        expectation is spread evenly.
        """
        matrix = _filled(X)
        rows, trees = np.arange(len(matrix))[:, None], np.arange(len(self.value))[None, :]
        added = np.zeros((len(matrix), len(self.feature_names)))
        node = np.zeros((len(matrix), len(self.value)), np.int64)
        added += self.value[:, 0].sum() / len(self.feature_names)
        while True:
            feature = self.feature[trees, node]
            inner = feature >= 0
            if not inner.any():
                return added
            right = matrix[rows, np.maximum(feature, 0)] > self.threshold[trees, node]
            below = self.children[trees, node, right.astype(np.int64)]
            gain = np.where(inner, self.value[trees, below] - self.value[trees, node], 0.0)
            flat = np.maximum(feature, 0) + rows * len(self.feature_names)
            added += np.bincount(flat.ravel(), gain.ravel(), minlength=added.size).reshape(added.shape)
            node = np.where(inner, below, node)

    def save(self, path: str | Path) -> None:
        """Writes one ``.npz`` archive; it appears whole or not at all."""
        header = {"intercept": self.intercept, "feature_names": list(self.feature_names)}
        write_archive(path, FORMAT, header, {name: getattr(self, name) for name in _ARRAYS})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads what ``save`` wrote.

        Raises:
            ValueError: the file holds no trees of this format.
        """
        header, arrays = read_archive(path, FORMAT, _ARRAYS)
        return cls(
            intercept=float(header["intercept"]), feature_names=tuple(header["feature_names"]), **arrays
        )


def _filled(X: ArrayLike) -> NDArray[np.float64]:
    matrix = np.asarray(X, np.float64)
    if matrix.ndim != 2:
        raise ValueError(f"X: expected 2 dimensions (rows, features), got shape {matrix.shape}")
    # Trees compare in float32; what is learned must split as what is served.
    return np.nan_to_num(matrix, nan=-1.0).astype(np.float32).astype(np.float64)


def _packed(trees: Sequence[Any], rate: float) -> tuple[NDArray[Any], ...]:
    nodes = max(tree.node_count for tree in trees)
    children = np.tile(np.arange(nodes, dtype=np.int32)[None, :, None], (len(trees), 1, 2))
    feature = np.full((len(trees), nodes), -1, np.int32)
    threshold, value = np.zeros((len(trees), nodes)), np.zeros((len(trees), nodes))
    for at, tree in enumerate(trees):
        used = slice(0, tree.node_count)
        inner = tree.children_left >= 0
        places = np.flatnonzero(inner)
        children[at, places, 0] = tree.children_left[inner]
        children[at, places, 1] = tree.children_right[inner]
        feature[at, places] = tree.feature[inner]
        threshold[at, used] = tree.threshold
        value[at, used] = rate * _expected(tree)
    return children, feature, threshold, value


def _expected(tree: Any) -> NDArray[np.float64]:
    """``(nodes,)`` a leaf's value; above, the mean of what the training rows find below."""
    expected = tree.value[:, 0, 0].astype(np.float64).copy()
    mass = tree.weighted_n_node_samples
    # Children have larger numbers than their parents.
    for node in range(tree.node_count - 1, -1, -1):
        left, right = tree.children_left[node], tree.children_right[node]
        if left >= 0:
            expected[node] = (expected[left] * mass[left] + expected[right] * mass[right]) / (
                mass[left] + mass[right]
            )
    return expected
