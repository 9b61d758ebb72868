"""``EdgeRows``: the newest edges of each row, in one pool of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from components.stores.graph import flattened
from components.stores.live.growing import Growing, Slots

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

_SMALLEST = 4
_NOTHING = np.zeros(0, dtype=np.int64)


class EdgeRows:
    """Dated edges seen from one end: of each id the newest ``cap``, in order of arrival.

    A row has a stretch of the pool, of a power of two places; a full one moves to a stretch of twice the size, until
    it has ``cap`` places and is written round and round. So a row costs what it holds, and an edge is written a
    constant number of times. One thread at a time; :class:`~components.stores.live.edges.EdgeStore` has the lock.

    Args:
        cap: how many edges a row keeps.

    Source: GraphJet's edge pools.
    """

    def __init__(self, cap: int) -> None:
        if cap < 1:
            raise ValueError(f"expected a cap of at least 1 edge a row, got {cap}")
        self.cap = cap
        self._clear()

    def _clear(self) -> None:
        self.slots = Slots()
        self._begin, self._room, self._added = (Growing(np.int64) for _ in range(3))
        self._ends, self._times = Growing(np.int64), Growing(np.int64)

    def add(self, sources: ArrayLike, ends: ArrayLike, times: ArrayLike) -> None:
        """Add edges, the oldest first."""
        rows = self._rows_for(sources)
        order = np.argsort(rows, kind="stable")
        rows, after = rows[order], after_in_group(rows[order])
        kept = after < self.cap
        order, rows, after = order[kept], rows[kept], after[kept]
        touched, first, counts = np.unique(rows, return_index=True, return_counts=True)
        self._make_room(touched, counts)
        nth = np.arange(len(rows)) - np.repeat(first, counts) + self._added.values[rows]
        places = self._places(rows, nth)
        self._ends.values[places] = np.asarray(ends)[order]
        self._times.values[places] = np.asarray(times)[order]
        self._added.values[touched] += counts

    def remove(self, sources: ArrayLike, ends: ArrayLike, until_ms: ArrayLike) -> None:
        """Remove the edges of these pairs that are not newer than the moment given for each."""
        rows, gone = self.slots.rows_of(sources), np.asarray(ends, dtype=np.int64)
        known = rows >= 0
        until = np.broadcast_to(np.asarray(until_ms, dtype=np.int64), rows.shape)[known]
        rows, gone = rows[known], gone[known]
        touched = np.unique(rows)
        held, which = self._held(touched)
        row, end, time = touched[which], self._ends.values[held], self._times.values[held]
        stays = time > _latest(rows, gone, until, row, end)
        self._added.values[touched] = np.bincount(which[stays], minlength=len(touched))
        row = row[stays]
        places = self._places(row, before_in_group(row))
        self._ends.values[places], self._times.values[places] = end[stays], time[stays]

    def drop_before(self, moment_ms: int) -> None:
        """Remove older edges, and give back the memory that rows have outgrown."""
        self._load(*(self._all_edges(moment_ms)))

    def of(self, id: int, latest: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ends and times of a row, oldest arrival first; at most the newest ``latest``."""
        row = self.slots.row_of(id)
        if row < 0:
            return _NOTHING, _NOTHING
        begin, room, added = (int(column.values[row]) for column in (self._begin, self._room, self._added))
        size = min(added, room) if latest is None else min(added, room, latest)
        stop = added % room if added > room else added
        if size <= stop:
            chosen: Any = slice(begin + stop - size, begin + stop)
            return self._ends.values[chosen].copy(), self._times.values[chosen].copy()
        chosen = begin + np.arange(added - size, added) % room
        return self._ends.values[chosen], self._times.values[chosen]

    def expand(
        self, ids: ArrayLike, latest: int | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Edges of many rows: ends, times, and for each the index into ``ids``; row by row, oldest arrival first."""
        rows = self.slots.rows_of(ids)
        known = (rows >= 0).nonzero()[0]
        held, which = self._held(rows[known], latest)
        return self._ends.values[held], self._times.values[held], known[which]

    def edges(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Sources, ends and times of everything that is held; of each source the oldest arrival first."""
        return self._all_edges(None)

    def __len__(self) -> int:
        return int(np.minimum(self._added.values, self._room.values).sum())

    @property
    def nbytes(self) -> int:
        """Memory held."""
        columns = (self.slots, self._begin, self._room, self._added, self._ends, self._times)
        return sum(column.nbytes for column in columns)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What :meth:`of_arrays` takes."""
        sources, ends, times = self.edges()
        return {"cap": np.array(self.cap), "sources": sources, "ends": ends, "times": times}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> EdgeRows:
        """The same edges again."""
        rows = cls(int(arrays["cap"]))
        rows._load(arrays["sources"], arrays["ends"], arrays["times"])
        return rows

    def _load(self, sources: NDArray[Any], ends: NDArray[Any], times: NDArray[Any]) -> None:
        self._clear()
        self.add(sources, ends, times)

    def _all_edges(
        self, from_ms: int | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        held, which = self._held(np.arange(len(self.slots)))
        times = self._times.values[held]
        if from_ms is not None:
            stays = times >= from_ms
            held, which, times = held[stays], which[stays], times[stays]
        return self.slots.ids[which], self._ends.values[held], times

    def _rows_for(self, sources: ArrayLike) -> NDArray[np.int64]:
        rows = self.slots.rows_for(sources)
        for column in (self._begin, self._room, self._added):
            column.extend(len(self.slots) - len(column))
        return rows

    def _places(self, rows: NDArray[np.int64], nth: NDArray[np.int64]) -> NDArray[np.int64]:
        return self._begin.values[rows] + nth % np.maximum(self._room.values[rows], 1)

    def _held(
        self, rows: NDArray[np.int64], latest: int | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places of the edges of rows, and the index into ``rows`` of each."""
        stop = self._added.values[rows]
        most = self._room.values[rows] if latest is None else np.minimum(self._room.values[rows], latest)
        nth, which = flattened(np.maximum(stop - most, 0), stop)
        return self._places(rows[which], nth), which

    def _make_room(self, rows: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        needed = np.minimum(self._added.values[rows] + counts, self.cap)
        small = needed > self._room.values[rows]
        rows, needed = rows[small], needed[small]
        if not len(rows):
            return
        old, which = self._held(rows)
        doubled = 2 ** np.ceil(np.log2(np.maximum(needed, _SMALLEST))).astype(np.int64)
        room = np.minimum(doubled, self.cap)
        begin = self._ends.extend(int(room.sum()))
        self._times.extend(int(room.sum()))
        self._begin.values[rows] = begin + np.cumsum(room) - room
        self._room.values[rows] = room
        # A row that grows has never been written round, so that its edges begin at its first place.
        new = self._begin.values[rows][which] + before_in_group(which)
        self._ends.values[new], self._times.values[new] = self._ends.values[old], self._times.values[old]


def before_in_group(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """``(n,)`` how many of the same group come before each; groups stand together."""
    if not len(groups):
        return groups
    begins = np.concatenate([[True], groups[1:] != groups[:-1]]).nonzero()[0]
    return np.arange(len(groups)) - np.repeat(begins, np.diff(begins, append=len(groups)))


def after_in_group(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """``(n,)`` how many of the same group come after each."""
    return before_in_group(groups[::-1])[::-1]


def _latest(
    rows: NDArray[np.int64],
    ends: NDArray[np.int64],
    moments: NDArray[np.int64],
    asked_rows: NDArray[np.int64],
    asked_ends: NDArray[np.int64],
) -> NDArray[np.int64]:
    """``(n,)`` the latest moment given for each asked pair; before all time for a pair without one."""
    never = np.full(len(asked_rows), np.iinfo(np.int64).min)
    if not len(rows):
        return never
    codes, code = np.unique(ends, return_inverse=True)
    order = np.lexsort((moments, code, rows))
    keys = (rows * len(codes) + code)[order]
    asked_code = np.minimum(codes.searchsorted(asked_ends), len(codes) - 1)
    asked = asked_rows * len(codes) + asked_code
    place = np.maximum(keys.searchsorted(asked, side="right") - 1, 0)
    given = (codes[asked_code] == asked_ends) & (keys[place] == asked)
    return np.where(given, moments[order][place], never)
