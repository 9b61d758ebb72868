"""The event log: the records of a data set as JSON lines, in order of time, to be replayed into stores.

A line is ``{"table": "engagements", "viewer_id": 1, ...}`` with the columns of that table; those at their default may
be left out. ``{"table": "deletions", "of": "posts", "post_id": 10, "time_ms": t}`` takes back a post, a follow or a
relation. Records without a time of their own (users, topics, labels, or a time of 0: unknown) count as of the moment
of the latest record before them.

Order: a record may come late by up to ``lateness_ms`` (a minute by default); replay sorts within that. A later one
is an error that names the line, for what has been replayed cannot be taken back.

The log has one writer at a time. Lines are written whole and flushed to the disk before ``append`` returns; a last
line torn by a crash is reported and skipped by replay, and removed by the next ``append``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO, Any

import attrs
import structlog

from components.datasets.dataset import FOREVER_MS, Dataset, LoadReport
from components.datasets.deletions import without
from components.datasets.errors import DataError
from components.datasets.event_lines import DELETIONS, MOMENT, Events, lines_of, parse, records_of
from components.datasets.schema import CLOCKS
from components.datasets.table import Table
from components.files import atomic_file

logger = structlog.get_logger(__name__)

_WRITTEN_AT_ONCE = 50_000
_TAIL = 1 << 16


@attrs.frozen
class EventLog:
    """An append-only file of events.

    Args:
        path: a ``.jsonl`` file; it need not exist yet.
        lateness_ms: how far a record may be out of order.
    """

    path: Path = attrs.field(converter=Path)
    lateness_ms: int = attrs.field(default=60_000, validator=attrs.validators.ge(0))

    def append(self, records: Iterable[Mapping[str, Any]]) -> int:
        """Add records at the end, and return how many; on the disk when it returns.

        Raises:
            DataError: lists what is wrong with the records; nothing of their block of 50,000 is written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        count, remaining = 0, iter(records)
        with self.path.open("a+b") as file:
            self._repair(file)
            while block := list(islice(remaining, _WRITTEN_AT_ONCE)):
                lines = lines_of(block)
                parse(lines, "record", 1 + count, -FOREVER_MS)
                file.write(lines)
                count += len(block)
            file.flush()
            os.fsync(file.fileno())
        return count

    def write(self, data: Dataset) -> None:
        """Write a whole data set in order of time; the file appears whole or not at all, and replaces an older one.

        Columns that the schema does not know are left out.
        """
        with atomic_file(self.path) as temporary, temporary.open("wb") as file:
            for block in records_of(data, _WRITTEN_AT_ONCE):
                file.write(lines_of(block))

    def replay(self, from_ms: int | None = None, batch: int = 10_000) -> Iterator[Mapping[str, Table]]:
        """Stretches of time one after the other, each as tables of what happened in it, in order of time.

        Records of one moment are in one stretch. ``deletions`` is a table like the others: ``of``, ``time_ms`` and
        the ids, -1 where they do not apply.

        Args:
            from_ms: leaves out what counts before it.
            batch: about how many records a stretch has.

        Raises:
            DataError: a line is damaged or too late; its number is named.
        """
        held: Events = {}
        reached, line = -FOREVER_MS, 1
        for block in self._blocks(batch):
            events = parse(block, f"{self.path}: line", line, reached, self.lateness_ms)
            line += block.count(b"\n")
            reached = max(reached, *(int(rows[MOMENT].max()) for rows in events.values()))
            ready, held = _parted(_joined(held, events), max(-FOREVER_MS, reached - self.lateness_ms))
            yield from _stretch(ready, from_ms)
        yield from _stretch(held, from_ms)

    def to_dataset(self, name: str = "events", now_ms: int | None = None) -> Dataset:
        """What the log adds up to, deletions applied.

        Args:
            name: of the data set.
            now_ms: when it ends; right after the last event unless given.

        Raises:
            DataError: the log is damaged, or its records do not fit each other.
        """
        parts: dict[str, list[Table]] = {}
        for stretch in self.replay(batch=200_000):
            for table, rows in stretch.items():
                parts.setdefault(table, []).append(rows)
        tables = {table: Table.concat(rows) for table, rows in parts.items()}
        deletions = tables.pop(DELETIONS, None)
        clocks = [tables[table][clock] for table, clock in CLOCKS.items() if table in tables]
        latest = max((int(times.max()) for times in clocks), default=0)
        left = tables if deletions is None else without(tables, deletions)
        report = LoadReport({table: len(rows) for table, rows in left.items()})
        return Dataset(name, left, latest + 1 if now_ms is None else now_ms, report)

    def _blocks(self, batch: int) -> Iterator[bytes]:
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            raise DataError(str(self.path), ["expected an event log, found nothing there"]) from None
        with file:
            while lines := list(islice(file, batch)):
                if not lines[-1].endswith(b"\n"):
                    last = lines.pop()
                    if _is_whole(last):
                        lines.append(last + b"\n")
                    else:
                        logger.warning("torn_last_line", path=str(self.path), bytes=len(last))
                if lines:
                    yield b"".join(lines)

    def _repair(self, file: IO[bytes]) -> None:
        """Make the file end with a whole line."""
        end = file.seek(0, os.SEEK_END)
        tail, begin = b"", end
        while begin and b"\n" not in tail:
            begin = max(0, begin - _TAIL)
            file.seek(begin)
            tail = file.read(end - begin)
        last = tail[tail.rfind(b"\n") + 1 :]
        if not last:
            return
        if _is_whole(last):
            file.write(b"\n")
        else:
            logger.warning("torn_last_line_removed", path=str(self.path), bytes=len(last))
            file.truncate(end - len(last))


def _is_whole(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _joined(one: Events, two: Events) -> Events:
    both = {name: [events[name] for events in (one, two) if name in events] for name in {**one, **two}}
    return {name: Table.concat(tables) for name, tables in both.items()}


def _parted(events: Events, before_ms: int) -> tuple[Events, Events]:
    """What counts before a moment (or always did), and what does not."""
    ready: Events = {}
    held: Events = {}
    for name, rows in events.items():
        early = (rows[MOMENT] < before_ms) | (rows[MOMENT] == -FOREVER_MS)
        if early.any():
            ready[name] = rows.where(early)
        if not early.all():
            held[name] = rows.where(~early)
    return ready, held


def _stretch(events: Events, from_ms: int | None) -> Iterator[Mapping[str, Table]]:
    stretch: Events = {}
    for name, rows in events.items():
        moments = rows[MOMENT]
        chosen = rows if from_ms is None else rows.where(moments >= from_ms)
        if (moments[1:] < moments[:-1]).any():
            chosen = chosen.sort_by(MOMENT)
        if len(chosen):
            stretch[name] = Table({column: chosen[column] for column in chosen if column != MOMENT})
    if stretch:
        yield stretch
