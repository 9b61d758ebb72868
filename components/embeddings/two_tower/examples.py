"""What is learnt from: engagements before a moment, each with what its user had done before it."""

from __future__ import annotations

from functools import cached_property

import attrs
import numpy as np
from numpy.typing import NDArray

from components.stores.graph import flattened
from components.stores.stores import Stores


@attrs.frozen(eq=False, slots=False)
class Examples:
    """Engagements in the order of the graph's edges.

    Args:
        stores: where the rows point.
        before_ms: only what came strictly before.
    """

    stores: Stores
    before_ms: int

    @cached_property
    def edges(self) -> NDArray[np.int64]:
        """``(n,)`` positions in the graph of engagements."""
        return np.flatnonzero(self.stores.engagements.time_ms < self.before_ms)

    @cached_property
    def users(self) -> NDArray[np.int64]:
        """``(n,)`` user rows."""
        return self.stores.engagements.sources[self.edges]

    @cached_property
    def posts(self) -> NDArray[np.int64]:
        """``(n,)`` post rows."""
        return self.stores.engagements.ends[self.edges].astype(np.int64)

    def history(self, rows: NDArray[np.int64], latest: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The newest posts that came strictly before each example, and the position in ``rows`` of each."""
        graph = self.stores.engagements
        stops = self._first_of_moment[self.edges[rows]]
        starts = np.maximum(graph.starts[:-1][self.users[rows]], stops - latest)
        positions, which = flattened(starts, stops)
        return graph.ends[positions].astype(np.int64), which

    @cached_property
    def _first_of_moment(self) -> NDArray[np.int64]:
        """``(edges,)`` the first edge of the same user at the same moment: what is before came strictly before."""
        graph = self.stores.engagements
        new = (np.diff(graph.sources, prepend=-1) != 0) | (np.diff(graph.time_ms, prepend=-1) != 0)
        return np.flatnonzero(new)[np.cumsum(new) - 1]
