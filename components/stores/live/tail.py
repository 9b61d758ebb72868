"""Where in an event log a reader is, and reading on from there."""

from __future__ import annotations

import zlib
from itertools import islice
from typing import IO, TYPE_CHECKING

import attrs

from components.datasets import DataError, EventLog, Table
from components.datasets.dataset import FOREVER_MS
from components.datasets.event_lines import MOMENT, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SEALED = 4_096


@attrs.frozen
class Position:
    """How much of a log has been applied.

    Args:
        time_ms: the latest moment; before all time if nothing dated came.
        lines: how many lines.
        offset: where the next line begins, in bytes.
        seal: checksum of the last bytes before it, by which another log is told apart.
    """

    time_ms: int = -FOREVER_MS
    lines: int = 0
    offset: int = 0
    seal: int = 0


def read_on(log: EventLog, position: Position, batch: int) -> Iterator[tuple[Mapping[str, Table], Position]]:
    """Tables of the whole lines behind a position, some thousand lines at a time, each with the position after it.

    Rows of a stretch are in order of time; a stretch may begin before the end of the one before it, by as much as the
    log allows records to come late. A last line without its end is left for the next time.

    Raises:
        DataError: there is no log, another one than the position is of, or a line is damaged or too late.
    """
    try:
        file = log.path.open("rb")
    except FileNotFoundError:
        raise DataError(str(log.path), ["expected an event log, found nothing there"]) from None
    with file:
        seal = _seal(file, position.offset)
        if seal != position.seal:
            expected = f"expected the log of which {position.offset} bytes were applied (checksum {position.seal:08x})"
            raise DataError(str(log.path), [f"{expected}, got another (checksum {seal:08x})"])
        while lines := [line for line in islice(file, batch) if line.endswith(b"\n")]:
            block = b"".join(lines)
            where = f"{log.path}: line"
            events = parse(block, where, position.lines + 1, position.time_ms, log.lateness_ms)
            moments = [int(rows[MOMENT].max()) for rows in events.values()]
            offset = position.offset + len(block)
            position = Position(
                max(position.time_ms, *moments), position.lines + len(lines), offset, _seal(file, offset)
            )
            yield {name: _in_order(rows) for name, rows in events.items()}, position


def _seal(file: IO[bytes], offset: int) -> int:
    """Checksum of the last bytes before an offset, where the file stands afterwards."""
    begin = max(0, offset - _SEALED)
    file.seek(begin)
    return zlib.crc32(file.read(offset - begin))


def _in_order(rows: Table) -> Table:
    moments = rows[MOMENT]
    if (moments[1:] < moments[:-1]).any():
        rows = rows.sort_by(MOMENT)
    return Table({column: rows[column] for column in rows if column != MOMENT})
