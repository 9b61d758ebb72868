"""``Graph``: dated edges from rows to rows, answering for many rows at once and as of any moment."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import attrs
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

NEVER = np.iinfo(np.int64).max
"""As ``before_ms``: every edge counts."""
_FEW = 200
"""Rows for which one search among all edges is faster than one among the edges of each."""


@attrs.frozen(eq=False, slots=False)
class Graph:
    """A compressed sparse row graph; the edges of a row are in order of time, oldest first.

    Rows and columns may be of different kinds (users to users, users to posts). "Before" is strict: what
    happens at a moment is not known to a request at that moment.

    Args:
        starts: ``(rows + 1,)`` where the edges of each row begin.
        ends: ``(edges,)`` column that each edge points to.
        time_ms: ``(edges,)`` when each edge came to be; 0 for undated edges.
        columns: number of columns.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int32]
    time_ms: NDArray[np.int64]
    columns: int

    @classmethod
    def build(
        cls,
        source: ArrayLike,
        end: ArrayLike,
        time_ms: ArrayLike | None = None,
        *,
        shape: tuple[int, int],
    ) -> Graph:
        """A graph of the given edges, of which those with a negative row or column (unknown) are left out."""
        sources, ends = np.asarray(source, dtype=np.int64), np.asarray(end, dtype=np.int64)
        times = (
            np.zeros(len(sources), dtype=np.int64) if time_ms is None else np.asarray(time_ms, dtype=np.int64)
        )
        known = (sources >= 0) & (ends >= 0)
        sources, ends, times = sources[known], ends[known], times[known]
        order = np.lexsort((times, sources))
        starts = np.concatenate(([0], np.cumsum(np.bincount(sources, minlength=shape[0]))))
        return cls(starts.astype(np.int64), ends[order].astype(np.int32), times[order], shape[1])

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def edges(self) -> int:
        """How many edges there are."""
        return len(self.ends)

    @cached_property
    def sources(self) -> NDArray[np.int64]:
        """``(edges,)`` row that each edge comes from."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    @cached_property
    def reverse(self) -> Graph:
        """The same edges seen from the other end."""
        return Graph.build(self.ends, self.sources, self.time_ms, shape=(self.columns, len(self)))

    @cached_property
    def distinct(self) -> Graph:
        """The earliest edge of every pair."""
        keys = self.sources * self.columns + self.ends
        first = np.sort(np.unique(keys, return_index=True)[1])
        return Graph.build(
            self.sources[first], self.ends[first], self.time_ms[first], shape=(len(self), self.columns)
        )

    @cached_property
    def _clock(self) -> tuple[int, int, NDArray[np.int64]]:
        # Row and time in one ascending key, so that one binary search finds "before" in any row.
        first = int(self.time_ms.min()) if self.edges else 0
        span = int(self.time_ms.max()) - first + 2 if self.edges else 2
        return first, span, self.sources * span + (self.time_ms - first)

    def stops(self, rows: NDArray[np.integer], before_ms: int = NEVER) -> NDArray[np.int64]:
        """``(n,)`` where the edges of each row that came before a moment end."""
        first, span, keys = self._clock
        if before_ms >= first + span - 1:
            return self.starts[1:][rows]
        if len(rows) > _FEW:
            return self._bisected(rows, before_ms)
        return np.searchsorted(keys, rows.astype(np.int64) * span + max(before_ms - first, 0))

    def _bisected(self, rows: NDArray[np.integer], before_ms: int) -> NDArray[np.int64]:
        # All rows at once, each among its own edges alone: steps grow with the edges of a row, not of the graph.
        found = self.starts[:-1][rows]
        left = self.starts[1:][rows] - found
        searched = np.flatnonzero(left)
        start, left = found[searched], left[searched]
        while len(searched):
            half = left >> 1
            earlier = self.time_ms[start + half] < before_ms
            start = np.where(earlier, start + half + 1, start)
            left = np.where(earlier, left - half - 1, half)
            found[searched] = start
            more = left > 0
            searched, start, left = searched[more], start[more], left[more]
        return found

    def degrees(self, rows: NDArray[np.integer], before_ms: int = NEVER) -> NDArray[np.int64]:
        """``(n,)`` number of edges of each row that came before a moment."""
        return self.stops(rows, before_ms) - self.starts[:-1][rows]

    def most(self, count: int, before_ms: int = NEVER) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows in ascending order with their degrees before a moment: at least the ``count`` highest above 0, ties by row.

        Nobody had more edges than there ever were: rows are looked at in order of that, until those that are left
        cannot be among the highest any more.

        Source: the threshold algorithm of Fagin, Lotem and Naor (2001).
        """
        rows, sizes = self._by_size
        looked_at = max(2 * count, 1)
        while True:
            degrees = self.degrees(rows[:looked_at], before_ms)
            bar = np.partition(degrees, -count)[-count] if 0 < count <= len(degrees) else 0
            if looked_at >= len(rows) or not count or sizes[looked_at] < bar:
                order = np.argsort(rows[:looked_at])
                return rows[:looked_at][order], degrees[order]
            looked_at *= 4

    @cached_property
    def _by_size(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows with any edge, those with most first, and how many they have."""
        sizes = np.diff(self.starts)
        rows = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
        return rows, sizes[rows]

    @cached_property
    def _by_time(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        order = np.argsort(self.time_ms, kind="stable")
        return order, self.time_ms[order]

    @cached_property
    def ends_in_time(self) -> NDArray[np.int32]:
        """``(edges,)`` columns that the edges point to, oldest edge first."""
        return self.ends[self._by_time[0]]

    @cached_property
    def before_in_time(self) -> NDArray[np.int32]:
        """``(edges,)`` for each of :attr:`ends_in_time` the position of the edge before it to the same column, or -1."""
        order = np.argsort(self.ends_in_time, kind="stable")
        same = self.ends_in_time[order[1:]] == self.ends_in_time[order[:-1]]
        before = np.full(self.edges, -1, dtype=np.int32)
        before[order[1:][same]] = order[:-1][same]
        return before

    def span_between(self, from_ms: int, before_ms: int) -> slice:
        """Where, oldest edge first, those stand that came to be at or after one moment and before another."""
        start, stop = np.searchsorted(self._by_time[1], [from_ms, before_ms]).tolist()
        return slice(start, max(start, stop))

    def between(self, from_ms: int, before_ms: int) -> NDArray[np.int64]:
        """Positions of the edges that came to be at or after one moment and before another, oldest first."""
        return self._by_time[0][self.span_between(from_ms, before_ms)]

    def of(self, row: int, before_ms: int = NEVER) -> NDArray[np.int32]:
        """The columns that a row points to, oldest edge first; a view."""
        return self.ends[self.span_of(row, before_ms)]

    def times_of(self, row: int, before_ms: int = NEVER) -> NDArray[np.int64]:
        """When the edges of a row came to be, aligned with :meth:`of`."""
        return self.time_ms[self.span_of(row, before_ms)]

    def span_of(self, row: int, before_ms: int = NEVER) -> slice:
        """The positions of a row's edges that came before a moment."""
        if not 0 <= row < len(self):
            return slice(0, 0)
        start, stop = int(self.starts[row]), int(self.starts[row + 1])
        return slice(start, start + int(np.searchsorted(self.time_ms[start:stop], before_ms)))

    def expand(
        self, rows: NDArray[np.integer], *, before_ms: int = NEVER, latest: int | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The edges of many rows at once.

        Args:
            rows: ``(n,)``.
            before_ms: only edges that came before.
            latest: at most so many edges a row, the newest.

        Returns:
            Positions of the edges (into ``ends`` and ``time_ms``), and for each the index into ``rows``; row by
            row, oldest edge first.
        """
        starts, stops = self.starts[:-1][rows], self.stops(rows, before_ms)
        if latest is not None:
            starts = np.maximum(starts, stops - latest)
        return flattened(starts, stops)

    def spans(
        self, rows: NDArray[np.integer], from_ms: int, before_ms: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """As :meth:`expand`, the edges that came at or after one moment and before another."""
        return flattened(self.stops(rows, from_ms), self.stops(rows, before_ms))


def flattened(
    starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All positions in many half-open spans, span after span, and the span that each belongs to.

    >>> flattened(np.array([5, 0]), np.array([7, 1]))
    (array([5, 6, 0]), array([0, 0, 1]))
    """
    lengths = np.maximum(stops - starts, 0)
    span = np.repeat(np.arange(len(starts)), lengths)
    within = np.arange(len(span)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return starts[span] + within, span
