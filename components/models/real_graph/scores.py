"""``RealGraphScores``: a graph of who is likely to interact with whom, with a probability on every edge."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Self

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.archive import read_archive, write_archive
from components.stores.graph import Graph
from components.stores.ids import IdIndex

FORMAT = "mixer.real-graph-scores/1"

IN_NETWORK = 1000
"""Followed accounts that are handed on, the strongest."""

OUT_OF_NETWORK, OUT_OF_NETWORK_LEAST = 200, 0.26
"""Accounts not followed: at most so many, of at least this probability."""

SEED_SCALE, SEED_OFFSET = 1.97, 1.0
"""What sources use as the weight of a seed: ``probability * 1.97 + 1``."""


@attrs.frozen(eq=False, slots=False)
class RealGraphScores:
    """Probabilities between users as of a moment.

    The edges of a row stand in ascending order of probability, so that ``graph.expand(rows, latest=k)`` gives the
    ``k`` strongest ties. All edges are dated just before ``at_ms``: a request from before the scoring sees none.

    Args:
        users: what rows and columns of the graph stand for.
        graph: users to users.
        weights: ``(edges,)`` probabilities in [0, 1], aligned with ``graph.ends``.
        at_ms: what happened at that moment or later was not seen.
    """

    users: IdIndex
    graph: Graph
    weights: NDArray[np.float32]
    at_ms: int

    @classmethod
    def build(
        cls, users: IdIndex, source: ArrayLike, target: ArrayLike, probability: ArrayLike, at_ms: int
    ) -> Self:
        """Scores of distinct pairs of user ids, of which those with an unknown user are left out."""
        rows, ends = users.rows_of(source), users.rows_of(target)
        weights = np.asarray(probability, dtype=np.float32)
        known = (rows >= 0) & (ends >= 0)
        return cls._of_rows(users, rows[known], ends[known], weights[known], at_ms)

    @classmethod
    def _of_rows(
        cls,
        users: IdIndex,
        rows: NDArray[np.int64],
        ends: NDArray[np.int64],
        weights: NDArray[np.float32],
        at_ms: int,
    ) -> Self:
        order = np.lexsort((-ends, weights, rows))
        since = np.full(len(order), at_ms - 1)
        graph = Graph.build(rows[order], ends[order], since, shape=(len(users), len(users)))
        return cls(users, graph, weights[order], at_ms)

    def of(self, row: int, most: int | None = None) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Users that a user is likely to interact with and how likely, strongest first."""
        span = self.graph.span_of(row)
        return self.graph.ends[span][::-1][:most], self.weights[span][::-1][:most]

    def strong_ties(
        self, user_ids: ArrayLike, most: int = 10
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """``(n, most)`` ids of the strongest ties of each user and their probabilities; -1 and 0 fill up."""
        rows = self.users.rows_of(user_ids)
        ids = np.full((len(rows), most), -1, dtype=np.int64)
        weights = np.zeros((len(rows), most), dtype=np.float32)
        for place, row in enumerate(rows.tolist()):
            ends, probability = self.of(row, most)
            ids[place, : len(ends)], weights[place, : len(ends)] = self.users.ids[ends], probability
        return ids, weights

    def probability(self, row: NDArray[np.integer] | int, ends: NDArray[np.integer]) -> NDArray[np.float32]:
        """``(n,)`` for pairs of rows; 0 for pairs without a score.

        Args:
            row: one source for all, or ``(n,)``.
        """
        keys, order = self._keys
        wanted = np.asarray(row, dtype=np.int64) * len(self.users) + ends
        if not len(keys):
            return np.zeros(wanted.shape, dtype=np.float32)
        found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[found] == wanted, self.weights[order[found]], np.float32(0.0))

    def among(self, users: IdIndex) -> Self:
        """The same, for the rows of other stores; users who are not there are left out."""
        if np.array_equal(users.ids, self.users.ids):
            return self
        ids = self.users.ids
        return self.build(users, ids[self.graph.sources], ids[self.graph.ends], self.weights, self.at_ms)

    def in_network(self, follows: Graph, most: int = IN_NETWORK) -> Self:
        """The strongest of those whom each user follows; 0 for whom no score is known."""
        visible = follows.time_ms < self.at_ms
        rows, ends = follows.sources[visible], follows.ends[visible].astype(np.int64)
        chosen = self._of_rows(self.users, rows, ends, self.probability(rows, ends), self.at_ms)
        return chosen._strongest(most)

    def out_of_network(
        self, follows: Graph, least: float = OUT_OF_NETWORK_LEAST, most: int = OUT_OF_NETWORK
    ) -> Self:
        """The strongest of those whom each user does not follow, from a probability on."""
        visible = follows.time_ms < self.at_ms
        followed = follows.sources[visible] * len(self.users) + follows.ends[visible]
        rows, ends = self.graph.sources, self.graph.ends.astype(np.int64)
        keep = (self.weights >= least) & ~np.isin(rows * len(self.users) + ends, followed)
        chosen = self._of_rows(self.users, rows[keep], ends[keep], self.weights[keep], self.at_ms)
        return chosen._strongest(most)

    def save(self, path: str | Path) -> None:
        """Writes one archive; it appears whole or not at all."""
        arrays = {"users": self.users.ids, "rows": self.graph.sources, "ends": self.graph.ends}
        write_archive(path, FORMAT, {"at_ms": self.at_ms}, {**arrays, "weights": self.weights})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads what ``save`` wrote.

        Raises:
            ValueError: the file is damaged or of another format.
        """
        header, arrays = read_archive(path, FORMAT, ["users", "rows", "ends", "weights"])
        ends = arrays["ends"].astype(np.int64)
        return cls._of_rows(
            IdIndex(arrays["users"]), arrays["rows"], ends, arrays["weights"], int(header["at_ms"])
        )

    def _strongest(self, most: int) -> Self:
        rows, ends = self.graph.sources, self.graph.ends.astype(np.int64)
        keep = self.graph.starts[1:][rows] - np.arange(len(rows)) <= most
        return self._of_rows(self.users, rows[keep], ends[keep], self.weights[keep], self.at_ms)

    @cached_property
    def _keys(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        keys = self.graph.sources * len(self.users) + self.graph.ends
        order = np.argsort(keys)
        return keys[order], order


def seed_weights(probability: ArrayLike) -> NDArray[np.float32]:
    """What sources weigh a seed account with; source: the published For You, see ``SEED_SCALE``."""
    return np.asarray(probability, dtype=np.float32) * np.float32(SEED_SCALE) + np.float32(SEED_OFFSET)
