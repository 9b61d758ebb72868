"""Boosted trees as plain arrays: trained by scikit-learn, evaluated and saved without it."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from attrs.validators import ge, gt, lt
from numpy.typing import NDArray

from components.archive import Arrays

_BLOCK = 16_384


@attrs.frozen
class TreeConfig:
    """How trees are grown: scikit-learn's histogram gradient boosting.

    Args:
        rounds: how many trees.
        learning_rate: of each tree.
        leaves: at most so many a tree.
        leaf_share: of the rows, at least in a leaf; small leaves learn single pairs by heart.
        seed: of the library's own choices.
    """

    rounds: int = attrs.field(default=60, validator=ge(1))
    learning_rate: float = attrs.field(default=0.05, validator=gt(0.0))
    leaves: int = attrs.field(default=16, validator=ge(2))
    leaf_share: float = attrs.field(default=0.005, validator=[gt(0.0), lt(0.5)])
    seed: int = 0


@attrs.frozen(eq=False)
class Trees:
    """A sum of trees; the nodes of all stand one after the other.

    Shapes: ``feature``, ``threshold``, ``left``, ``right``, ``value`` are ``(nodes,)``; a leaf is its own child.
    ``roots`` is ``(trees,)``.
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: NDArray[np.float64]
    roots: NDArray[np.int64]
    offset: float

    def logits(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(rows,)`` log odds of ``(rows, features)`` without missing values."""
        blocks = [self._block(values[start : start + _BLOCK]) for start in range(0, len(values), _BLOCK)]
        return np.concatenate([np.zeros(0), *blocks])

    def _block(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        flat, first = np.ascontiguousarray(values).ravel(), np.arange(len(values)) * values.shape[1]
        total = np.full(len(values), self.offset)
        for root in self.roots:
            node = np.full(len(values), root)
            while True:
                goes_left = flat[first + self.feature[node]] <= self.threshold[node]
                after = np.where(goes_left, self.left[node], self.right[node])
                if np.array_equal(after, node):
                    break
                node = after
            total += self.value[node]
        return total

    def arrays(self) -> Arrays:
        """What ``Trees(**arrays)`` takes."""
        return {name: np.asarray(value) for name, value in attrs.asdict(self, recurse=False).items()}


def grow(values: NDArray[np.float64], happened: NDArray[np.bool_], config: TreeConfig) -> Trees:
    """Fits trees to log loss; needs scikit-learn.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
    except ImportError as error:
        raise ImportError('RealGraph is trained with scikit-learn: pip install "mixer[trees]"') from error
    model = HistGradientBoostingClassifier(
        max_iter=config.rounds,
        learning_rate=config.learning_rate,
        max_leaf_nodes=config.leaves,
        min_samples_leaf=max(1, int(config.leaf_share * len(values))),
        early_stopping=False,  # pyright: ignore[reportArgumentType]  # the stubs know "auto" only
        random_state=config.seed,
    ).fit(values, happened)
    return _plain(model)


def _plain(model: Any) -> Trees:  # the library does not publish its nodes' type
    nodes = [predictor.nodes for (predictor,) in model._predictors]
    sizes = np.array([len(tree) for tree in nodes])
    roots = np.cumsum(sizes) - sizes
    joined, base = np.concatenate(nodes), np.repeat(roots, sizes)
    own, leaf = np.arange(len(joined)), joined["is_leaf"].astype(np.bool_)
    left, right = (np.where(leaf, own, joined[side].astype(np.int64) + base) for side in ("left", "right"))
    feature = np.where(leaf, 0, joined["feature_idx"]).astype(np.int64)
    offset = float(np.ravel(model._baseline_prediction)[0])
    return Trees(feature, joined["num_threshold"].copy(), left, right, joined["value"].copy(), roots, offset)
