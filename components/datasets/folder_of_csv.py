"""Bring your own data: CSV files named after the tables of the schema, in a folder or an archive.

Any subset will do. A header is mandatory and holds the names of the schema's columns; columns with a default may be
left out, and so may the cells in them. Without ``users.csv``, the users are all that the other files speak of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.datasets.checks import CODES, REFERENCES, problems_of
from components.datasets.csv_files import Column, codes, numbers, read_csv, times, words
from components.datasets.dataset import Dataset, LoadReport, completed
from components.datasets.errors import DataError
from components.datasets.files import members, read
from components.datasets.schema import CLOCKS, MANDATORY, SCHEMA, Field
from components.datasets.table import Table

_CODES: Mapping[tuple[str, str], type[IntEnum]] = {(table, column): kind for table, column, kind in CODES}


def is_folder_of_csv(path: Path) -> bool:
    """True when there is a CSV file named after a table."""
    return any(name in SCHEMA for name, _ in _files(path))


def load_folder_of_csv(path: Path) -> Dataset:
    """The data set in CSV files; it ends right after the last moment that occurs in them.

    Raises:
        DataError: lists every problem of every file, with file, column and row.
    """
    files = dict(_files(path))
    problems = [
        f"{file}: no table of this name; tables: {', '.join(SCHEMA)}"
        for name, file in files.items()
        if name not in SCHEMA
    ]
    tables: dict[str, Table] = {}
    numbered: dict[str, NDArray[np.int64]] = {}
    dropped: dict[str, int] = {}
    for name, file in ((name, file) for name, file in files.items() if name in SCHEMA):
        parsed = read_csv(read(path, file), file, columns_of(name))
        problems += parsed.problems
        tables[name], numbered[name] = parsed.table, parsed.rows
        dropped |= {f"values of {file}: {column}, unknown": len(parsed.rows) for column in parsed.unknown}
    if not problems:
        tables.setdefault("users", _everybody(tables))
        tables = dict(completed(tables))
        problems = [problem.in_words(files, first=1) for problem in problems_of(tables)]
    if problems:
        raise DataError(str(path), problems)
    return _dataset(path, tables, dropped)


def columns_of(table: str) -> dict[str, Column]:
    """How the columns of a table are read."""
    return {name: _column(table, name, field) for name, field in SCHEMA[table].items()}


def _column(table: str, name: str, field: Field) -> Column:
    default = None if field.default is MANDATORY else field.default
    if (table, name) in _CODES:
        kind = _CODES[table, name]
        return Column(codes(kind), f"any of {', '.join(one.name for one in kind)}", default)
    if field.dtype is object:
        return Column(words, "text", default)
    if name.endswith("_ms") and field.dtype is np.int64:
        return Column(times, "milliseconds since 1970 or an ISO 8601 time", default)
    kind = "whole numbers" if np.dtype(field.dtype).kind == "i" else "numbers"
    return Column(numbers(field.dtype), f"{kind} ({np.dtype(field.dtype)})", default)


def _files(path: Path) -> Iterator[tuple[str, str]]:
    for name in members(path):
        file = Path(name).name
        if file.endswith((".csv", ".csv.gz")):
            yield file.removesuffix(".gz").removesuffix(".csv"), file.removesuffix(".gz")


def _everybody(tables: Mapping[str, Table]) -> Table:
    spoken_of = [
        tables[table][column]
        for table, column, other, _ in REFERENCES
        if other == "users" and table in tables
    ]
    return Table({"user_id": np.unique(np.concatenate([np.empty(0, np.int64), *spoken_of]))})


def _dataset(path: Path, tables: dict[str, Table], dropped: dict[str, int]) -> Dataset:
    latest = 0
    for name, clock in CLOCKS.items():
        if len(tables[name]):
            tables[name] = tables[name].sort_by(clock)
            latest = max(latest, int(tables[name][clock][-1]))
    rows = {name: len(table) for name, table in tables.items()}
    name = path.name.split(".")[0] or path.resolve().name
    return Dataset(name, tables, latest + 1, LoadReport(rows, dropped), checked=True)
