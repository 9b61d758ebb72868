"""``LiveStores``: stores that follow an event log while requests read them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from components.datasets import DataError, Dataset, Table
from components.datasets.dataset import FOREVER_MS, completed, filled
from components.datasets.event_lines import DELETIONS, TABLES
from components.datasets.schema import CLOCKS
from components.stores.from_dataset import stores_of
from components.stores.live.checkpoint import read_checkpoint, write_checkpoint
from components.stores.live.recent_posts import RecentLimits
from components.stores.live.state import LiveLimits, LiveState
from components.stores.live.tail import Position, read_on

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from components.datasets import EventLog
    from components.stores.live.edges import EdgeStore
    from components.stores.live.recent_posts import RecentPosts
    from components.stores.stores import Stores

TRIM_EVERY_MS = 600_000
"""How often what is too old is forgotten, in time of the log. Source: Thunder, a fifth of its users every 2 minutes."""


class LiveStores:
    """Everything the products know, kept up to date from events.

    One thread feeds it; any number of threads read. Every read sees whole batches: :meth:`view` is one state of
    everything, and calls to :attr:`recent`, :attr:`follows` and :attr:`engagements` see one state together inside
    ``with live.lock``.

    Args:
        limits: how much is kept.
    """

    def __init__(self, limits: LiveLimits | None = None) -> None:
        self.lock = threading.RLock()
        self.position = Position()
        self._state = LiveState(limits or LiveLimits(), self.lock)
        self._viewing = threading.Lock()
        self._view: tuple[int, Stores] | None = None
        self._changes = 0

    @property
    def limits(self) -> LiveLimits:
        """How much is kept."""
        return self._state.limits

    @property
    def recent(self) -> RecentPosts:
        """Recent posts by author."""
        return self._state.recent

    @property
    def follows(self) -> EdgeStore:
        """Who follows whom."""
        return self._state.edges["follows"]

    @property
    def engagements(self) -> EdgeStore:
        """Who engaged with which post; negative feedback and reports are no engagements."""
        return self._state.edges["engagements"]

    @property
    def nbytes(self) -> int:
        """Memory of all columns, without texts."""
        return self._state.nbytes

    def apply(self, batch: Mapping[str, Table]) -> None:
        """Take in a stretch of time, as ``EventLog.replay`` yields them; nothing of it if it is refused.

        After a restart go on with ``log.replay(from_ms=live.position.time_ms + 1)``. Feed with this or with
        :meth:`follow`, which also finds its place among records that have no date.

        Raises:
            DataError: the batch is not of the schema, or begins at or before what has been applied.
        """
        times = _times(batch)
        if len(times) and times.min() <= self.position.time_ms:
            expected = f"expected times after {self.position.time_ms}, up to which events have been applied"
            raise DataError("events", [f"{expected}, got {times.min()}"])
        latest = max(self.position.time_ms, int(times.max(initial=-FOREVER_MS)))
        self._take(batch, attrs.evolve(self.position, time_ms=latest))

    def follow(
        self, log: EventLog, *listeners: Callable[[Mapping[str, Table]], object], batch: int = 10_000
    ) -> int:
        """Take in the lines that the log has gained, each exactly once, and return how many.

        Call it again whenever there may be more. Records that come late, by as much as the log allows, count too.

        Args:
            log: always the same one.
            listeners: called with every batch once it is applied.
            batch: how many lines are taken in at once, while readers wait.

        Raises:
            DataError: there is no log, it is another one, or a line is damaged.
        """
        before = self.position.lines
        for events, position in read_on(log, self.position, batch):
            self._take(events, position)
            for listener in listeners:
                listener(events)
        return self.position.lines - before

    def _take(self, batch: Mapping[str, Table], position: Position) -> None:
        tables = {name: _checked(name, rows) for name, rows in batch.items() if len(rows)}
        deletions = tables.pop(DELETIONS, None)
        with self.lock:
            self._state.take(completed(tables), deletions)
            if position.time_ms // TRIM_EVERY_MS > self.position.time_ms // TRIM_EVERY_MS:
                self._state.trim(position.time_ms)
            self.position = position
            self._changes += 1

    def view(self, behind_ms: int = 0) -> Stores:
        """Everything as of now, never to change; the same object until something happens.

        Equal to the stores of the log's data set as long as no limit has made anything forgotten. Events are taken in
        while it is built.

        Args:
            behind_ms: a view is good enough if it lacks no more than this of the log's time. It takes a second or so
                to build one of a million edges, which not every request should wait for.
        """
        asked, latest = self._changes, self.position.time_ms
        with self._viewing:
            if self._view is not None:
                changes, stores = self._view
                if changes >= asked or 0 < behind_ms >= latest + 1 - stores.now_ms:
                    return stores
            with self.lock:
                changes, now_ms = self._changes, max(self.position.time_ms, -1) + 1
                tables = self._state.tables(now_ms)
            stores = stores_of(Dataset("live", tables, now_ms, checked=True))
            self._view = (changes, stores)
            return stores

    def snapshot(self, path: str | Path) -> None:
        """Write everything, with the position in the log, to a file that appears whole or not at all."""
        with self.lock:
            header = {"position": attrs.asdict(self.position), "limits": attrs.asdict(self.limits)}
            arrays = self._state.arrays()
        write_checkpoint(path, header, arrays)

    @classmethod
    def restore(cls, path: str | Path) -> LiveStores:
        """What :meth:`snapshot` wrote; feed it the rest of the log.

        Raises:
            FileNotFoundError: there is no such file.
            DataError: the file is no snapshot, or damaged.
        """
        header, arrays = read_checkpoint(path)
        limits = {**header["limits"], "recent": _recent_limits(header["limits"]["recent"])}
        live = cls(LiveLimits(**limits))
        live.position = Position(**header["position"])
        live._state.load_arrays(arrays)
        return live


def _recent_limits(limits: Mapping[str, Any]) -> RecentLimits:
    return RecentLimits(**{**limits, "served": tuple(limits["served"])})


def _times(batch: Mapping[str, Table]) -> NDArray[np.int64]:
    """When the rows of a batch happened; those of unknown date are left out."""
    clocks = {**CLOCKS, DELETIONS: "time_ms"}
    parts = [rows[clocks[name]] for name, rows in batch.items() if name in clocks]
    times = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    return times[times != 0]


def _checked(name: str, rows: Table) -> Table:
    """The columns of the schema in its dtypes, missing ones at their default."""
    if name not in TABLES:
        raise DataError("events", [f"expected a table of {', '.join(TABLES)}, got {name!r}"])
    complete = filled(rows, TABLES[name])
    for column in TABLES[name]:
        if column not in complete:
            raise DataError("events", [f"{name}.{column}: mandatory column is missing"])
    return Table(
        {column: complete[column].astype(field.dtype, copy=False) for column, field in TABLES[name].items()}
    )
