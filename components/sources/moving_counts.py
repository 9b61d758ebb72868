"""``MovingCounts``: what most edges of a stretch of time lead to, while the stretch moves on."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from components.sources.answers import best

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from components.stores.graph import Graph

_SPARE, _TOO_MANY = 2, 64
"""How many times what is asked for is to be at hand, and from when on it is thinned out."""


class MovingCounts:
    """Edges of a graph to each column, counted within one stretch of time, and the columns with most of them.

    Asked about a stretch that overlaps the one before, it counts only what came in between: O(edges that came or
    went). Of the columns it looks only at those at or above a bar, which is lowered when they do not suffice; so
    most of the columns, which have few edges, are not looked at. Answers depend on the stretch alone, whatever was
    asked before, from any thread. Memory: 4 bytes a column.

    Args:
        graph: whose edges are counted.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._lock = Lock()
        self._span = slice(0, 0)
        self._counts = np.zeros(graph.columns, dtype=np.int32)
        self._bar = 1
        self._high = np.empty(0, dtype=np.int64)  # ascending; holds every column at or above the bar

    def most(
        self,
        from_ms: int,
        before_ms: int,
        count: int,
        allowed: Callable[[NDArray[np.int64]], NDArray[np.bool_]],
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """The columns to which most edges lead that came in ``[from_ms, before_ms)``, and how many; ties by column.

        Args:
            from_ms: where the stretch begins.
            before_ms: where it ends.
            count: how many columns.
            allowed: says of columns which may be answered.
        """
        with self._lock:
            self._move(self.graph.span_between(from_ms, before_ms))
            columns = self._reaching(count, allowed)
            counts = self._counts[columns]
        chosen = best(counts, count)
        return columns[chosen], counts[chosen]

    def _move(self, to: slice) -> None:
        ends, now = self.graph.ends_in_time, self._span
        if abs(to.start - now.start) + abs(to.stop - now.stop) > to.stop - to.start:
            self._counts = np.bincount(ends[to], minlength=self.graph.columns).astype(np.int32)
            self._raise(np.iinfo(np.int32).max)
        else:
            for left in (ends[now.start : to.start], ends[to.stop : now.stop]):
                np.subtract.at(self._counts, left, 1)
            for came in (ends[to.start : now.start], ends[now.stop : to.stop]):
                np.add.at(self._counts, came, 1)
                high = came[self._counts[came] >= self._bar]
                if len(high):
                    self._high = np.union1d(self._high, high)
        self._span = to

    def _reaching(
        self, count: int, allowed: Callable[[NDArray[np.int64]], NDArray[np.bool_]]
    ) -> NDArray[np.int64]:
        """Allowed columns in ascending order: all at or above the bar, which lets at least ``count`` through."""
        columns = self._high[self._counts[self._high] >= self._bar]
        columns = columns[allowed(columns)]
        if len(columns) < count and self._bar > 1:
            some = np.flatnonzero(self._counts)
            columns = some[allowed(some)]
            self._bar = self._bar_of(columns, count)
            self._high = some[self._counts[some] >= self._bar]
            columns = columns[self._counts[columns] >= self._bar]
        elif len(columns) > _TOO_MANY * max(count, 1):
            self._raise(self._bar_of(columns, count))
        return columns

    def _bar_of(self, columns: NDArray[np.int64], count: int) -> int:
        """What so many columns reach, and as many to spare."""
        counts, wanted = self._counts[columns], _SPARE * max(count, 1)
        return 1 if wanted >= len(counts) else int(np.partition(counts, -wanted)[-wanted])

    def _raise(self, bar: int) -> None:
        self._bar = bar
        self._high = self._high[self._counts[self._high] >= bar]
