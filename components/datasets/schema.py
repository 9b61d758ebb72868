"""The schema of a data set: which tables there are, and what their columns hold.

Times are milliseconds since 1970 in UTC (``_ms``), durations seconds (``_s``); ids are 64-bit integers, -1 meaning
none.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import attrs
import numpy as np

from components.datasets.errors import DataError
from components.datasets.table import Table


class Action(IntEnum):
    """What a viewer did with a post: the ten heads of the heavy ranker published in April 2023."""

    FAV = 0
    RETWEET = 1
    REPLY = 2
    GOOD_PROFILE_CLICK = 3
    VIDEO_PLAYBACK_50 = 4
    REPLY_ENGAGED_BY_AUTHOR = 5
    GOOD_CLICK = 6
    GOOD_CLICK_V2 = 7
    NEGATIVE_FEEDBACK_V2 = 8
    REPORT = 9


class Interaction(IntEnum):
    """What a user did towards another user, in data without posts."""

    RETWEET = 0
    MENTION = 1
    REPLY = 2


class Relation(IntEnum):
    """What a user decided about another user."""

    BLOCK = 0
    MUTE = 1
    DISMISSED = 2


MANDATORY = object()


@attrs.frozen
class Field:
    """One column: its dtype and meaning; without a default it is mandatory."""

    dtype: Any
    doc: str
    default: Any = MANDATORY


_ID = np.int64
SCHEMA: Mapping[str, Mapping[str, Field]] = {
    "users": {
        "user_id": Field(_ID, "unique"),
        "created_ms": Field(np.int64, "when the account was made; 0 if unknown", 0),
        "language": Field(object, "two-letter code, empty if unknown", ""),
        "name": Field(object, "what to call the user", ""),
    },
    "topics": {"topic_id": Field(_ID, "unique"), "name": Field(object, "in words")},
    "follows": {
        "follower_id": Field(_ID, "who follows"),
        "followee_id": Field(_ID, "who is followed"),
        "created_ms": Field(np.int64, "since when; 0 if it was never known to be absent", 0),
    },
    "posts": {
        "post_id": Field(_ID, "unique"),
        "author_id": Field(_ID, "a user"),
        "created_ms": Field(np.int64, "when it was posted"),
        "text": Field(object, "what it says", ""),
        "topic": Field(_ID, "main topic, -1 if none", -1),
        "entity_id": Field(_ID, "what it is about (an artist, a link), -1 if nothing", -1),
        "language": Field(object, "two-letter code, empty if unknown", ""),
        "media": Field(np.int8, "0 none, 1 image, 2 video", 0),
        "reply_to": Field(_ID, "the post it answers, -1 if none", -1),
        "repost_of": Field(_ID, "the post it repeats, -1 if none", -1),
    },
    "engagements": {
        "viewer_id": Field(_ID, "a user"),
        "post_id": Field(_ID, "a post"),
        "action": Field(np.int8, "an Action"),
        "time_ms": Field(np.int64, "when; never before the post"),
        "dwell_s": Field(np.float32, "seconds spent on it, NaN if unknown", np.nan),
    },
    "impressions": {
        "viewer_id": Field(_ID, "a user"),
        "post_id": Field(_ID, "a post"),
        "time_ms": Field(np.int64, "when it was shown"),
        "position": Field(np.int32, "0-based place in the slate"),
        "propensity": Field(np.float32, "probability with which it was shown there", np.nan),
    },
    "interactions": {
        "actor_id": Field(_ID, "who acts"),
        "subject_id": Field(_ID, "on whom"),
        "kind": Field(np.int8, "an Interaction"),
        "time_ms": Field(np.int64, "when"),
    },
    "relations": {
        "user_id": Field(_ID, "who decided"),
        "subject_id": Field(_ID, "about whom"),
        "kind": Field(np.int8, "a Relation"),
        "time_ms": Field(np.int64, "when; 0 if unknown", 0),
    },
    "labels": {
        "post_id": Field(_ID, "a post"),
        "label": Field(object, "nsfw, toxicity, ..."),
        "score": Field(np.float32, "strength in [0, 1]"),
    },
    "undated": {
        "user_id": Field(_ID, "a user"),
        "entity_id": Field(_ID, "what the user likes"),
        "weight": Field(np.float32, "how much; nobody knows since when"),
    },
}
"""Tables by name. ``undated`` holds preferences without a date: they may serve today's requests, and may never be
a label nor a feature of the past."""


@attrs.frozen
class LoadReport:
    """What a loader read and what it left out, and why."""

    rows: Mapping[str, int] = attrs.field(factory=dict)
    dropped: Mapping[str, int] = attrs.field(factory=dict)

    def in_words(self) -> str:
        """One line for a person."""
        read = ", ".join(f"{count:,} {name}" for name, count in self.rows.items() if count)
        left = ", ".join(f"{count:,} {why}" for why, count in self.dropped.items() if count)
        return f"read {read}" + (f"; left out {left}" if left else "")


@attrs.frozen(eq=False)
class Dataset:
    """A set of tables that fit each other.

    Args:
        name: where it comes from.
        tables: by name; a missing one is empty. Missing columns with a default are filled in.
        now_ms: the moment at which the data end; requests are answered as of then.
        report: what the loader left out.

    Raises:
        DataError: lists everything that does not fit the schema, with table, column and first row.
    """

    name: str
    tables: Mapping[str, Table] = attrs.field(converter=lambda tables: _completed(tables))  # noqa: PLW0108 - defined below
    now_ms: int
    report: LoadReport = LoadReport()

    def __attrs_post_init__(self) -> None:
        problems = list(problems_of(self.tables))
        if problems:
            raise DataError(f"data set {self.name!r}", problems)

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

    def as_of(self, time_ms: int) -> Dataset:
        """Only what was known strictly before a moment; undated preferences are not known then."""
        tables = {}
        for name, table in self.tables.items():
            clock = next((column for column in ("time_ms", "created_ms") if column in table), None)
            if name == "undated":
                tables[name] = table.where(np.zeros(len(table), dtype=bool))
            elif clock is None or name == "users":
                tables[name] = table
            else:
                tables[name] = table.where(table[clock] < time_ms)
        known = np.isin(tables["labels"]["post_id"], tables["posts"]["post_id"])
        tables["labels"] = tables["labels"].where(known)
        return attrs.evolve(self, tables=tables, now_ms=min(self.now_ms, time_ms))


def _completed(tables: Mapping[str, Table]) -> Mapping[str, Table]:
    complete: dict[str, Table] = {name: tables[name] for name in tables if name not in SCHEMA}
    for name, fields in SCHEMA.items():
        table = tables.get(
            name, Table({column: np.empty(0, field.dtype) for column, field in fields.items()})
        )
        missing = {
            column: np.full(len(table), field.default, dtype=field.dtype)
            for column, field in fields.items()
            if column not in table and field.default is not MANDATORY
        }
        complete[name] = table.with_columns(**missing) if missing else table
    return complete


def problems_of(tables: Mapping[str, Table]) -> list[str]:
    """Everything about tables that does not fit the schema."""
    problems = [
        f"unknown table {name!r}; tables: {', '.join(SCHEMA)}" for name in tables if name not in SCHEMA
    ]
    for name, fields in SCHEMA.items():
        for column, field in fields.items():
            if column not in tables[name]:
                problems.append(f"{name}.{column}: mandatory column is missing")
            elif not np.can_cast(tables[name][column].dtype, field.dtype, "same_kind"):
                problems.append(
                    f"{name}.{column}: expected {np.dtype(field.dtype)}, got {tables[name][column].dtype}"
                )
    return problems or _references(tables)


_REFERENCES = (
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
    ("undated", "user_id", "users", "user_id"),
)


def _references(tables: Mapping[str, Table]) -> list[str]:
    problems: list[str] = []
    for table, column in (("users", "user_id"), ("posts", "post_id"), ("topics", "topic_id")):
        ids, first = np.unique(tables[table][column], return_index=True)
        if len(ids) < len(tables[table]):
            twice = np.setdiff1d(np.arange(len(tables[table])), first)
            problems.append(f"{table}.{column}: {len(twice)} duplicate ids, first in row {twice[0]}")
    for table, column, other, key in _REFERENCES:
        unknown = (~np.isin(tables[table][column], tables[other][key])).nonzero()[0]
        if len(unknown):
            value = tables[table][column][unknown[0]]
            problems.append(
                f"{table}.{column}: {len(unknown)} ids are not in {other}.{key}, first in row {unknown[0]}: {value}"
            )
    for table, column, codes in (
        ("engagements", "action", Action),
        ("interactions", "kind", Interaction),
        ("relations", "kind", Relation),
    ):
        wrong = (~np.isin(tables[table][column], [int(code) for code in codes])).nonzero()[0]
        if len(wrong):
            value = tables[table][column][wrong[0]]
            problems.append(
                f"{table}.{column}: {len(wrong)} values are no {codes.__name__}, first in row {wrong[0]}: {value}"
            )
    return problems
