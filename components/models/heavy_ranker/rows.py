"""Examples as columns of numpy arrays: what training reads, and what a request sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import attrs
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from components.models.heavy_ranker.config import FeatureConfig

MISSING_ID = -1


@attrs.frozen(eq=False)
class Rows:
    """Examples of (viewer, post) pairs.

    Shapes: ``continuous`` (rows, C) float32 with NaN for missing; ``binary`` (rows, B) float32; ``embeddings``
    name -> (rows, width) float32, a row that starts with NaN is missing; ``ids`` name -> (rows, length) int64, -1
    for missing; ``labels`` name -> (rows,) of 0 and 1, empty at serving; ``weights`` (rows,) or absent.
    """

    continuous: NDArray[np.float32]
    binary: NDArray[np.float32]
    embeddings: Mapping[str, NDArray[np.float32]] = attrs.field(factory=dict)
    ids: Mapping[str, NDArray[np.int64]] = attrs.field(factory=dict)
    labels: Mapping[str, NDArray[np.float32]] = attrs.field(factory=dict)
    weights: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.continuous)

    def take(self, index: NDArray[np.int64] | slice) -> Self:
        """The rows at these positions."""
        return self._map(lambda array: array[index])

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Rows of the parts in order; all parts hold the same columns."""
        if len(parts) == 1:
            return parts[0]
        first = parts[0]
        return cls(
            np.concatenate([part.continuous for part in parts]),
            np.concatenate([part.binary for part in parts]),
            {name: np.concatenate([part.embeddings[name] for part in parts]) for name in first.embeddings},
            {name: np.concatenate([part.ids[name] for part in parts]) for name in first.ids},
            {name: np.concatenate([part.labels[name] for part in parts]) for name in first.labels},
            None if first.weights is None else np.concatenate([_weights(part) for part in parts]),
        )

    def _map(self, change: Callable[[NDArray], NDArray]) -> Self:
        return attrs.evolve(
            self,
            continuous=change(self.continuous),
            binary=change(self.binary),
            embeddings={name: change(array) for name, array in self.embeddings.items()},
            ids={name: change(array) for name, array in self.ids.items()},
            labels={name: change(array) for name, array in self.labels.items()},
            weights=None if self.weights is None else change(self.weights),
        )


def _weights(part: Rows) -> NDArray[np.float32]:
    return np.ones(len(part), np.float32) if part.weights is None else part.weights


def check_features(rows: Rows, features: FeatureConfig) -> None:
    """Refuses rows whose columns are not those of the configuration.

    Raises:
        ValueError: names every column that is absent or has another shape.
    """
    expected = {"continuous": (features.continuous,), "binary": (features.binary,)}
    expected |= {f"embedding {name}": (width,) for name, width in features.embeddings.items()}
    expected |= {f"id {name}": (table.length,) for name, table in features.ids.items()}
    found: dict[str, NDArray] = {"continuous": rows.continuous, "binary": rows.binary}
    found |= {f"embedding {name}": array for name, array in rows.embeddings.items()}
    found |= {f"id {name}": array for name, array in rows.ids.items()}
    problems = [
        f"{name}: expected shape ({len(rows)}, {shape[0]}), got {found[name].shape if name in found else 'no column'}"
        for name, shape in expected.items()
        if name not in found or found[name].shape != (len(rows), *shape)
    ]
    if problems:
        raise ValueError("rows do not fit the model: " + "; ".join(problems))
