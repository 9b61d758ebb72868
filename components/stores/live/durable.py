"""``DurableEvents``: what happened between viewers and ids, on disk, shared by threads and processes."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from components.datasets import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

_BUSY_S = 30.0
_EXPIRE_EVERY_MS = 3_600_000
_VERSION = 1
_SCHEMA = """
CREATE TABLE events (number INTEGER PRIMARY KEY, viewer INTEGER, id INTEGER, time_ms INTEGER);
CREATE INDEX of_viewer ON events (viewer, time_ms, number, id);
CREATE INDEX by_time ON events (time_ms);
CREATE TABLE viewers (viewer INTEGER PRIMARY KEY, latest INTEGER);
CREATE INDEX by_latest ON viewers (latest);
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER);
INSERT INTO counters VALUES ('viewers', 0), ('touched', 0), ('expired_ms', 0);
"""
_NEWEST_FIRST = "FROM events WHERE viewer = ? ORDER BY time_ms DESC, number DESC"


class DurableEvents:
    """Dated pairs of viewers and ids in a SQLite file in write-ahead mode, expiring and bounded.

    A call is one transaction: it is on the disk when it returns, and readers see all of it or nothing.

    Args:
        path: the file; it need not exist yet.
        ttl_s: how long an event counts.
        per_viewer: how many events of a viewer are kept, the newest.
        viewers: how many viewers are kept; the one that nothing happened to for longest goes first.

    Raises:
        DataError: there is something else under this name.
    """

    def __init__(self, path: str | Path, ttl_s: float, per_viewer: int, viewers: int) -> None:
        if min(per_viewer, viewers) < 1:
            raise ValueError(f"expected room for 1 viewer with 1 event at least, got {viewers}, {per_viewer}")
        self.path = Path(path)
        self.ttl_s = ttl_s
        self.per_viewer = per_viewer
        self.viewers = viewers
        self._lock = threading.Lock()
        self._connection = self._opened()

    def _opened(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            _write_ahead(connection)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")  # of two that open a new file, one makes the tables
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if not version:
                for statement in filter(None, map(str.strip, _SCHEMA.split(";"))):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            connection.close()
            raise DataError(str(self.path), [f"expected a SQLite file, got {error}"]) from error
        if version not in (0, _VERSION):
            connection.close()
            raise DataError(str(self.path), [f"expected a file of version {_VERSION}, got {version}"])
        return connection

    def record(self, viewer_id: int, ids: ArrayLike, now_ms: int) -> None:
        """Remember these ids for the viewer; on the disk when it returns."""
        new, viewer, time_ms = np.asarray(ids, dtype=np.int64).tolist(), int(viewer_id), int(now_ms)
        with self._writing() as connection:
            self._admit(connection, viewer)
            self._insert(connection, viewer, [(id, time_ms) for id in new[-self.per_viewer :]])
            self._expire_sometimes(connection, time_ms)

    def expire(self, now_ms: int) -> None:
        """Delete what no longer counts; ``record`` does it once an hour."""
        with self._writing() as connection:
            self._expire(connection, now_ms)

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._connection.close()

    def add(self, viewers: NDArray[np.int64], ids: NDArray[np.int64], times: NDArray[np.int64]) -> None:
        """Remember ``(n,)`` events of a log, oldest first; those that are here already are left out."""
        if not len(viewers):
            return
        order = np.argsort(viewers, kind="stable")
        with self._writing() as connection:
            for rows in np.split(order, np.flatnonzero(np.diff(viewers[order])) + 1):
                viewer = int(viewers[rows[0]])
                known = self._known(connection, viewer, int(times[rows].min()))
                pairs = zip(ids[rows].tolist(), times[rows].tolist(), strict=True)
                self._admit(connection, viewer)
                self._insert(connection, viewer, [pair for pair in pairs if pair not in known])
            self._expire_sometimes(connection, int(times.max()))

    def remove(self, viewers: NDArray[np.int64], ids: NDArray[np.int64], until_ms: NDArray[np.int64]) -> None:
        """Forget the events of ``(n,)`` pairs that are not newer than a moment."""
        rows = zip(viewers.tolist(), ids.tolist(), until_ms.tolist(), strict=True)
        with self._writing() as connection:
            connection.executemany("DELETE FROM events WHERE viewer = ? AND id = ? AND time_ms <= ?", rows)

    def within(self, viewer_id: int, now_ms: int) -> NDArray[np.int64]:
        """``(s,)`` ids that count at a moment, oldest first."""
        query = (
            "SELECT id FROM events WHERE viewer = ? AND time_ms > ? AND time_ms <= ? ORDER BY time_ms, number"
        )
        with self._lock:
            rows = self._connection.execute(
                query, (int(viewer_id), now_ms - self.ttl_s * 1000.0, int(now_ms))
            ).fetchall()
        return np.fromiter((id for (id,) in rows), np.int64, len(rows))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _admit(self, connection: sqlite3.Connection, viewer: int) -> None:
        """Make the viewer the latest one; the one that was touched longest ago may have to go."""
        touched = self._counted(connection, "touched", 1)
        known = connection.execute(
            "UPDATE viewers SET latest = ? WHERE viewer = ?", (touched, viewer)
        ).rowcount
        if known:
            return
        connection.execute("INSERT INTO viewers VALUES (?, ?)", (viewer, touched))
        if self._counted(connection, "viewers", 1) > self.viewers:
            oldest = "SELECT viewer FROM viewers ORDER BY latest LIMIT 1"
            gone = connection.execute(oldest).fetchone()
            connection.execute("DELETE FROM events WHERE viewer = ?", gone)
            connection.execute("DELETE FROM viewers WHERE viewer = ?", gone)
            self._counted(connection, "viewers", -1)

    def _insert(self, connection: sqlite3.Connection, viewer: int, pairs: list[tuple[int, int]]) -> None:
        insert = "INSERT INTO events (viewer, id, time_ms) VALUES (?, ?, ?)"
        connection.executemany(insert, [(viewer, *pair) for pair in pairs])
        surplus = f"DELETE FROM events WHERE number IN (SELECT number {_NEWEST_FIRST} LIMIT -1 OFFSET ?)"  # noqa: S608
        connection.execute(surplus, (viewer, self.per_viewer))

    def _known(self, connection: sqlite3.Connection, viewer: int, from_ms: int) -> set[tuple[int, int]]:
        query = "SELECT id, time_ms FROM events WHERE viewer = ? AND time_ms >= ?"
        return set(connection.execute(query, (viewer, from_ms)))

    def _expire_sometimes(self, connection: sqlite3.Connection, now_ms: int) -> None:
        last = self._counted(connection, "expired_ms", 0)
        if now_ms - last >= _EXPIRE_EVERY_MS:
            self._expire(connection, now_ms)
            self._counted(connection, "expired_ms", now_ms - last)

    def _expire(self, connection: sqlite3.Connection, now_ms: int) -> None:
        connection.execute("DELETE FROM events WHERE time_ms <= ?", (now_ms - self.ttl_s * 1000.0,))

    def _counted(self, connection: sqlite3.Connection, name: str, more: int) -> int:
        add = "UPDATE counters SET value = value + ? WHERE name = ? RETURNING value"
        return int(connection.execute(add, (more, name)).fetchone()[0])


class OnDisk:
    """What all stores on :class:`DurableEvents` can do."""

    _events: DurableEvents

    def expire(self, now_ms: int) -> None:
        """Delete what no longer counts; ``record`` does it once an hour."""
        self._events.expire(now_ms)

    def close(self) -> None:
        """Give the file back."""
        self._events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch the mode; SQLite does not wait by itself while another connection is switching."""
    give_up = time.monotonic() + _BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.01)
        else:
            return
