"""``Dataset``: tables that fit each other, and views of what was known at a moment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import attrs
import numpy as np

from components.datasets.checks import problems_of
from components.datasets.errors import DataError
from components.datasets.schema import CLOCKS, EVENTS, MANDATORY, SCHEMA, Field
from components.datasets.table import Table

FOREVER_MS = np.iinfo(np.int64).max


@attrs.frozen
class LoadReport:
    """What a loader read and what it left out, and why."""

    rows: Mapping[str, int] = attrs.field(factory=dict)
    dropped: Mapping[str, int] = attrs.field(factory=dict)

    def in_words(self) -> str:
        """One line for a person; empty where nothing was read from outside."""
        read = ", ".join(f"{count:,} {name}" for name, count in self.rows.items() if count)
        left = ", ".join(f"{count:,} {why}" for why, count in self.dropped.items() if count)
        return "; ".join(filter(None, (read and f"read {read}", left and f"left out {left}")))


def completed(tables: Mapping[str, Table]) -> Mapping[str, Table]:
    """Every table of the schema: missing ones are empty, missing columns hold their default."""
    complete: dict[str, Table] = {name: tables[name] for name in tables if name not in SCHEMA}
    for name, fields in SCHEMA.items():
        empty = {column: np.empty(0, field.dtype) for column, field in fields.items()}
        complete[name] = filled(tables.get(name, Table(empty)), fields)
    return complete


def filled(table: Table, fields: Mapping[str, Field]) -> Table:
    """The table with the columns that it lacks at their default, where they have one."""
    missing = {
        column: np.full(len(table), field.default, dtype=field.dtype)
        for column, field in fields.items()
        if column not in table and field.default is not MANDATORY
    }
    return table.with_columns(**missing) if missing else table


@attrs.frozen(eq=False)
class Dataset:
    """A set of tables that fit each other.

    Args:
        name: where it comes from.
        tables: by name; a missing one is empty. Missing columns with a default are filled in.
        now_ms: the moment at which the data end; requests are answered as of then.
        report: what the loader left out.
        checked: True promises that the tables fit, as rows of a checked data set do.

    Raises:
        DataError: lists everything that does not fit the schema, with table, column and first row.
    """

    name: str
    tables: Mapping[str, Table] = attrs.field(converter=completed)
    now_ms: int
    report: LoadReport = LoadReport()
    checked: bool = attrs.field(default=False, repr=False)

    def __attrs_post_init__(self) -> None:
        problems = [] if self.checked else problems_of(self.tables)
        if problems:
            raise DataError(f"data set {self.name!r}", [problem.in_words() for problem in problems])

    def __getitem__(self, table: str) -> Table:
        return self.tables[table]

    @property
    def users(self) -> Table:
        """Who there is."""
        return self.tables["users"]

    @property
    def follows(self) -> Table:
        """Who follows whom."""
        return self.tables["follows"]

    @property
    def posts(self) -> Table:
        """What was posted."""
        return self.tables["posts"]

    @property
    def engagements(self) -> Table:
        """Who did what with which post."""
        return self.tables["engagements"]

    @property
    def interactions(self) -> Table:
        """Who did what towards whom."""
        return self.tables["interactions"]

    @property
    def relations(self) -> Table:
        """Who blocked, muted or dismissed whom."""
        return self.tables["relations"]

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write a folder that :meth:`open` reads: a Parquet file a table; it appears whole or not at all.

        Raises:
            FileExistsError: the folder holds something else than a data set.
        """
        from components.datasets.saved import save

        save(self, Path(folder))

    @classmethod
    def open(cls, folder: str | os.PathLike[str], *, checked: bool = False) -> Dataset:
        """What :meth:`save` wrote; a column is read when it is first used.

        Args:
            folder: where it is.
            checked: True promises that nobody changed it since, and saves looking at every id.

        Raises:
            DataError: lists everything that is missing, damaged or does not fit, with file, column and first row.
        """
        from components.datasets.saved import open_saved

        return open_saved(Path(folder), checked=checked)

    def as_of(self, time_ms: int) -> Dataset:
        """Only what was known strictly before a moment; undated preferences are not known then."""
        return self._view(-FOREVER_MS, time_ms)

    def during(self, begin_ms: int, end_ms: int) -> Dataset:
        """What happened in ``[begin_ms, end_ms)``, among the users, posts and follows known before its end."""
        return self._view(begin_ms, end_ms)

    def _view(self, begin_ms: int, end_ms: int) -> Dataset:
        tables = dict(self.tables)
        for name, clock in CLOCKS.items():
            tables[name] = tables[name].between(clock, begin_ms if name in EVENTS else -FOREVER_MS, end_ms)
        tables["undated"] = tables["undated"].take(np.empty(0, np.intp))
        known = np.isin(tables["labels"]["post_id"], tables["posts"]["post_id"])
        tables["labels"] = tables["labels"].where(known)
        return attrs.evolve(self, tables=tables, now_ms=min(self.now_ms, end_ms), checked=True)
