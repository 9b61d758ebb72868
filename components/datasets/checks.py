"""Does a set of tables fit the schema? Everything that does not is listed at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

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


def problems_of(tables: Mapping[str, Table]) -> list[str]:
    """Everything about tables that does not fit the schema."""
    unknown = [
        f"unknown table {name!r}; tables: {', '.join(SCHEMA)}" for name in tables if name not in SCHEMA
    ]
    problems = unknown + list(_shapes(tables))
    if problems:
        return problems
    problems = [*_duplicates(tables), *_strangers(tables), *_codes(tables)]
    return problems or list(_causes(tables))


def _shapes(tables: Mapping[str, Table]) -> Iterator[str]:
    for name, fields in SCHEMA.items():
        for column, field in fields.items():
            if column not in tables[name]:
                if field.default is MANDATORY:
                    yield f"{name}.{column}: mandatory column is missing"
            elif not np.can_cast(tables[name].dtype(column), field.dtype, "same_kind"):
                yield f"{name}.{column}: expected {np.dtype(field.dtype)}, got {tables[name].dtype(column)}"


def _duplicates(tables: Mapping[str, Table]) -> Iterator[str]:
    for table, column in KEYS:
        ids = tables[table][column]
        if (ids[1:] > ids[:-1]).all():
            continue
        distinct, first = np.unique(ids, return_index=True)
        if len(distinct) < len(ids):
            twice = np.setdiff1d(np.arange(len(ids)), first)
            yield f"{table}.{column}: {len(twice)} duplicate ids, first in row {twice[0]}"


def _strangers(tables: Mapping[str, Table]) -> Iterator[str]:
    for table, column, other, key in REFERENCES:
        ids = tables[table][column]
        where = f"{table}.{column}"
        yield from _first(where, f"ids are not in {other}.{key}", ids, ~np.isin(ids, tables[other][key]))


def _codes(tables: Mapping[str, Table]) -> Iterator[str]:
    for table, column, codes in CODES:
        values = tables[table][column]
        wrong = (values < min(codes)) | (values > max(codes))
        yield from _first(f"{table}.{column}", f"values are no {codes.__name__}", values, wrong)


def _causes(tables: Mapping[str, Table]) -> Iterator[str]:
    ids, created = (tables["posts"][name] for name in ("post_id", "created_ms"))
    if not (ids[1:] > ids[:-1]).all():
        order = np.argsort(ids)
        ids, created = ids[order], created[order]
    for table in ("engagements", "impressions"):
        times = tables[table]["time_ms"]
        early = times < created[np.searchsorted(ids, tables[table]["post_id"])] if len(times) else times > 0
        yield from _first(f"{table}.time_ms", "are before their post", times, early)


def _first(where: str, what: str, values: NDArray[Any], wrong: NDArray[np.bool_]) -> Iterator[str]:
    rows = wrong.nonzero()[0]
    if len(rows):
        yield f"{where}: {len(rows)} {what}, first in row {rows[0]}: {values[rows[0]]}"
