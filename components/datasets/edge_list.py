"""Plain lists of edges: ``source target [weight] [time]`` a line, as SNAP, KONECT and spreadsheets write them.

Cells are separated by blanks, tabs or commas; lines that begin with ``#`` or ``%`` are comments; the file may be
gzipped. A first line of names is a header: columns called weight and time (or timestamp) are found by it. Without
one, a third number is a time if all of them are whole and from 1973 or later as seconds, else a weight; of four
numbers the third is the weight. Times are seconds since 1970, or milliseconds from 10**11 on.

Edges with a time that repeat are actions upon a user (``interactions``, as mentions); all others are follows, known
since their time, or always where there is none.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.datasets.dataset import Dataset, LoadReport
from components.datasets.errors import DataError
from components.datasets.files import members, read
from components.datasets.schema import Interaction
from components.datasets.table import Table

ENDINGS = (".txt", ".csv", ".tsv", ".edges", ".el", ".edgelist")
_TIMES = ("time", "timestamp", "unixts", "time_ms")
_SECONDS_FROM, _MILLISECONDS_FROM = 1e8, 1e11
_MOST_LISTED = 20


def is_edge_list(path: Path) -> bool:
    """True for a text file, or a folder or archive with nothing but one."""
    names = members(path)
    return len(names) == 1 and names[0].removesuffix(".gz").endswith(ENDINGS)


def load_edge_list(path: Path) -> Dataset:
    """Users, and who follows (or acts upon) whom.

    Raises:
        DataError: lists the lines that are no edges.
    """
    file = Path(members(path)[0]).name
    text = read(path, file.removesuffix(".gz")).decode("utf-8-sig", errors="replace")
    edges, names = _edges(text, f"{path}: {file}")
    selves = edges["source"] == edges["target"]
    kept = edges.where(~selves)
    if not len(kept):
        raise DataError(f"{path}: {file}", ["expected lines of 'source target [weight] [time]', got none"])
    weight, time_ms = _meaning(kept, names)
    return _dataset(file.split(".")[0], kept, weight, time_ms, int(selves.sum()))


def _edges(text: str, source: str) -> tuple[Table, list[str]]:
    """Columns ``source target third fourth``, as far as there are, and the names of a header."""
    begin, cells = next(_lines(text), (0, []))
    header = [] if any(map(_is_number, cells)) else [cell.strip("\"'").lower() for cell in cells]
    width = len(cells) or 2
    if not 2 <= width <= 4:
        raise DataError(source, [f"line {begin}: expected 2 to 4 numbers, got {width}"])
    names = ("source", "target", "third", "fourth")[:width]
    kinds = [(name, np.int64 if number < 2 else np.float64) for number, name in enumerate(names)]
    body = io.StringIO(text.replace(",", " "))
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "loadtxt: input contained no data", UserWarning)
            warnings.simplefilter("error", DeprecationWarning)  # 1.5 is no id
            values = np.loadtxt(
                body, dtype=kinds, comments=["#", "%"], skiprows=begin if header else 0, ndmin=1
            )
    except (ValueError, TypeError, DeprecationWarning):
        raise DataError(source, _complaints(text, width, begin if header else 0)) from None
    return Table({name: values[name] for name in names}), header


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.splitlines(), 1):
        cells = line.split("#")[0].split("%")[0].replace(",", " ").split()
        if cells:
            yield number, cells


def _complaints(text: str, width: int, begin: int) -> list[str]:
    wrong = [
        f"line {number}: expected {width} numbers, the first two whole, got {' '.join(cells)[:60]!r}"
        for number, cells in _lines(text)
        if number > begin and not (len(cells) == width and _is_edge(cells))
    ]
    more = [f"and {len(wrong) - _MOST_LISTED} lines more"] if len(wrong) > _MOST_LISTED else []
    return wrong[:_MOST_LISTED] + more


def _is_edge(cells: list[str]) -> bool:
    return all(cell.lstrip("+-").isdecimal() for cell in cells[:2]) and all(map(_is_number, cells))


def _is_number(cell: str) -> bool:
    try:
        return np.isfinite(float(cell))
    except ValueError:
        return False


def _meaning(edges: Table, header: list[str]) -> tuple[NDArray[np.float64] | None, NDArray[np.int64] | None]:
    """Weights and times in milliseconds, where there are any."""
    third, fourth = (edges.get(name) for name in ("third", "fourth"))
    if len(header) == len([*edges]):
        timed = [name in _TIMES for name in header[2:]]
    else:
        timed = [False, True] if fourth is not None else [third is not None and _looks_like_time(third)]
    columns = [column for column in (third, fourth) if column is not None]
    weight = next((column for column, is_time in zip(columns, timed, strict=False) if not is_time), None)
    time = next((column for column, is_time in zip(columns, timed, strict=False) if is_time), None)
    if time is None:
        return weight, None
    return weight, (time * (1 if time.max() >= _MILLISECONDS_FROM else 1000)).astype(np.int64)


def _looks_like_time(values: NDArray[np.float64]) -> bool:
    return bool((values >= _SECONDS_FROM).all() and (values == np.floor(values)).all())


def _dataset(
    name: str,
    edges: Table,
    weight: NDArray[np.float64] | None,
    time_ms: NDArray[np.int64] | None,
    selves: int,
) -> Dataset:
    source, target = edges["source"], edges["target"]
    extra = {} if weight is None else {"weight": weight.astype(np.float32)}
    users = np.unique(np.concatenate([source, target]))
    pairs = np.searchsorted(users, source) * len(users) + np.searchsorted(users, target)
    first = np.sort(np.unique(pairs, return_index=True)[1])
    dropped = {"edges from a user to itself": selves}
    if time_ms is not None and len(first) < len(pairs):
        table, clock = "interactions", "time_ms"
        kind = np.full(len(source), int(Interaction.MENTION), np.int8)
        rows = Table({"actor_id": source, "subject_id": target, "kind": kind, "time_ms": time_ms, **extra})
    else:
        table, clock = "follows", "created_ms"
        since = np.zeros(len(source), np.int64) if time_ms is None else time_ms
        rows = Table({"follower_id": source, "followee_id": target, "created_ms": since, **extra}).take(first)
        dropped["repeated edges"] = len(pairs) - len(first)
    tables = {"users": Table({"user_id": users}), table: rows.sort_by(clock)}
    report = LoadReport({name: len(one) for name, one in tables.items()}, dropped)
    return Dataset(name, tables, int(rows[clock].max()) + 1, report)
