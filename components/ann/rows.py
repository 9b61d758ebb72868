"""``Rows``: vectors in order of arrival, some of which are no longer alive."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.archive import Arrays


class Rows:
    """Append-only storage: replacing or removing a vector leaves a dead row until ``compact``."""

    def __init__(self, dimensions: int, dtype: type[np.floating] = np.float32) -> None:
        if dimensions < 1:
            raise ValueError(f"dimensions: expected at least 1, got {dimensions}")
        self.dimensions, self.count = dimensions, 0
        self._ids = np.empty(0, dtype=np.int64)
        self._vectors = np.empty((0, dimensions), dtype=dtype)
        self._alive = np.empty(0, dtype=np.bool_)
        self._row_of: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._row_of)

    @property
    def ids(self) -> NDArray[np.int64]:
        """``(count,)``, of dead rows too."""
        return self._ids[: self.count]

    @property
    def vectors(self) -> NDArray[np.floating]:
        """``(count, dimensions)``, of dead rows too."""
        return self._vectors[: self.count]

    @property
    def alive(self) -> NDArray[np.bool_]:
        """``(count,)``."""
        return self._alive[: self.count]

    def append(self, ids: ArrayLike, vectors: ArrayLike) -> NDArray[np.float32]:
        """Adds rows at the end, and returns the checked vectors; earlier rows of the same ids die."""
        numbers, matrix = self._checked_ids(ids), self.checked(vectors, "vectors")
        if len(numbers) != len(matrix):
            raise ValueError(f"vectors: expected {len(numbers)} rows, one an id, got {len(matrix)}")
        self.kill(numbers)
        start, self.count = self.count, self.count + len(numbers)
        self._reserve(self.count)
        self._ids[start : self.count], self._vectors[start : self.count] = numbers, matrix
        self._alive[start : self.count] = True
        self._row_of.update(zip(numbers.tolist(), range(start, self.count), strict=True))
        return matrix

    def kill(self, ids: ArrayLike) -> int:
        """Marks the rows of ids dead; returns how many were alive."""
        gone = [self._row_of.pop(id, -1) for id in np.atleast_1d(np.asarray(ids, dtype=np.int64)).tolist()]
        rows = np.array([row for row in gone if row >= 0], dtype=np.int64)
        self._alive[rows] = False
        return len(rows)

    def rows_of(self, ids: ArrayLike) -> NDArray[np.int64]:
        """Distinct rows of those ids that are alive, ascending."""
        found = [self._row_of.get(id, -1) for id in np.asarray(ids, dtype=np.int64).ravel().tolist()]
        rows = np.unique(np.array(found, dtype=np.int64))
        return rows[np.searchsorted(rows, 0) :]

    def compact(self) -> None:
        """Drops dead rows; the others keep their order."""
        self.restore(self.arrays())

    def arrays(self) -> Arrays:
        """What ``restore`` needs: living rows only."""
        keep = np.flatnonzero(self.alive)
        return {"ids": self._ids[keep], "vectors": self._vectors[keep]}

    def restore(self, arrays: Arrays) -> None:
        """Takes over the rows of a saved index, all alive."""
        self._ids, self._vectors, self.count = arrays["ids"], arrays["vectors"], len(arrays["ids"])
        self._alive = np.ones(self.count, dtype=np.bool_)
        self._row_of = dict(zip(self._ids.tolist(), range(self.count), strict=True))

    def checked(self, vectors: ArrayLike, name: str) -> NDArray[np.float32]:
        """Vectors as float32.

        Raises:
            ValueError: not two dimensions, another width, or a value that is not finite.
        """
        matrix = np.ascontiguousarray(vectors, dtype=np.float32)
        if matrix.ndim != 2 or matrix.shape[1] != self.dimensions:
            raise ValueError(f"{name}: expected shape (n, {self.dimensions}), got {matrix.shape}")
        if not np.isfinite(matrix).all():
            row = int(np.argmin(np.isfinite(matrix).all(axis=1)))
            raise ValueError(f"{name}: expected finite values, got others in row {row}")
        return matrix

    def _checked_ids(self, ids: ArrayLike) -> NDArray[np.int64]:
        numbers = np.asarray(ids, dtype=np.int64)
        if numbers.ndim != 1 or (numbers < 0).any():
            raise ValueError(f"ids: expected one dimension of non-negative ids, got shape {numbers.shape}")
        if len(np.unique(numbers)) != len(numbers):
            raise ValueError("ids: expected each id once, got repeated ids")
        return numbers

    def _reserve(self, count: int) -> None:
        if count <= len(self._ids):
            return
        capacity = max(count, 2 * len(self._ids))
        more = capacity - len(self._ids)
        self._ids = np.concatenate([self._ids, np.empty(more, np.int64)])
        self._alive = np.concatenate([self._alive, np.empty(more, np.bool_)])
        empty = np.empty((more, self.dimensions), self._vectors.dtype)
        self._vectors = np.concatenate([self._vectors, empty])
