"""Does a set of tables fit the schema? Everything that does not is listed at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from components.datasets.schema import MANDATORY, SCHEMA, Action, Interaction, Relation
from components.datasets.table import Table

KEYS = (("users", "user_id"), ("posts", "post_id"), ("topics", "topic_id"))
REFERENCES = (
    ("follows", "follower_id", "users", "user_id"),
    ("follows", "followee_id", "users", "user_id"),
    ("posts", "author_id", "users", "user_id"),
    ("engagements", "viewer_id", "users", "user_id"),
    ("engagements", "post_id", "posts", "post_id"),
    ("impressions", "viewer_id", "users", "user_id"),
    ("impressions", "post_id", "posts", "post_id"),
    ("interactions", "actor_id", "users", "user_id"),
    ("interactions", "subject_id", "users", "user_id"),
    ("relations", "user_id", "users", "user_id"),
    ("relations", "subject_id", "users", "user_id"),
    ("labels", "post_id", "posts", "post_id"),
    ("account_labels", "user_id", "users", "user_id"),
    ("muted_words", "user_id", "users", "user_id"),
    ("undated", "user_id", "users", "user_id"),
)
CODES: tuple[tuple[str, str, type[IntEnum]], ...] = (
    ("engagements", "action", Action),
    ("interactions", "kind", Interaction),
    ("relations", "kind", Relation),
)


@attrs.frozen
class Problem:
    """Something that does not fit: table, column, what is wrong, and the first row (from 0) with its value."""

    table: str
    column: str
    what: str
    row: int | None = None
    value: Any = None

    def in_words(self, files: Mapping[str, str] | None = None, first: int = 0) -> str:
        """One line for a person, naming the table or the file it came from; its first row is number ``first``."""
        file = (files or {}).get(self.table)
        place = f"{file}: {self.column}" if file else ".".join(filter(None, [self.table, self.column]))
        row = "" if self.row is None else f", first in row {self.row + first}"
        return f"{place}: {self.what}{row}" + ("" if self.value is None else f": {self.value}")


def problems_of(tables: Mapping[str, Table]) -> list[Problem]:
    """Everything about tables that does not fit the schema."""
    known = ", ".join(SCHEMA)
    unknown = [Problem(name, "", f"unknown table; tables: {known}") for name in tables if name not in SCHEMA]
    problems = unknown + list(_shapes(tables))
    if problems:
        return problems
    problems = [*_duplicates(tables), *_strangers(tables), *_codes(tables)]
    return problems or list(_causes(tables))


def _shapes(tables: Mapping[str, Table]) -> Iterator[Problem]:
    for name, fields in SCHEMA.items():
        for column, field in fields.items():
            if column not in tables[name]:
                if field.default is MANDATORY:
                    yield Problem(name, column, "mandatory column is missing")
            elif not np.can_cast(tables[name].dtype(column), field.dtype, "same_kind"):
                got = tables[name].dtype(column)
                yield Problem(name, column, f"expected {np.dtype(field.dtype)}, got {got}")


def _duplicates(tables: Mapping[str, Table]) -> Iterator[Problem]:
    for table, column in KEYS:
        ids = tables[table][column]
        if (ids[1:] > ids[:-1]).all():
            continue
        distinct, first = np.unique(ids, return_index=True)
        if len(distinct) < len(ids):
            twice = np.setdiff1d(np.arange(len(ids)), first)
            yield Problem(table, column, f"{len(twice)} duplicate ids", int(twice[0]))


def _strangers(tables: Mapping[str, Table]) -> Iterator[Problem]:
    for table, column, other, key in REFERENCES:
        ids = tables[table][column]
        yield from _first(
            table, column, f"ids are not in {other}.{key}", ids, ~np.isin(ids, tables[other][key])
        )


def _codes(tables: Mapping[str, Table]) -> Iterator[Problem]:
    for table, column, codes in CODES:
        values = tables[table][column]
        wrong = (values < min(codes)) | (values > max(codes))
        yield from _first(table, column, f"values are no {codes.__name__}", values, wrong)


def _causes(tables: Mapping[str, Table]) -> Iterator[Problem]:
    ids, created = (tables["posts"][name] for name in ("post_id", "created_ms"))
    if not (ids[1:] > ids[:-1]).all():
        order = np.argsort(ids)
        ids, created = ids[order], created[order]
    for table in ("engagements", "impressions"):
        times = tables[table]["time_ms"]
        early = times < created[np.searchsorted(ids, tables[table]["post_id"])] if len(times) else times > 0
        yield from _first(table, "time_ms", "are before their post", times, early)


def _first(
    table: str, column: str, what: str, values: NDArray[Any], wrong: NDArray[np.bool_]
) -> Iterator[Problem]:
    rows = wrong.nonzero()[0]
    if len(rows):
        yield Problem(table, column, f"{len(rows)} {what}", int(rows[0]), values[rows[0]])
