"""Random histories as records of an event log, and what it means for stores to be equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from hypothesis import strategies as st

from components.datasets import Dataset, EventLog, Table
from components.datasets.deletions import without

if TYPE_CHECKING:
    from components.stores.stores import Stores

USERS, POSTS = (1, 2, 3, -7), (10, 11, 12, 2**62)
Record = dict[str, Any]


@st.composite
def histories(draw: st.DrawFn, lateness_ms: int = 0) -> list[Record]:
    """Records with everything that can happen, deletions of things to come included, in order of time."""
    records: list[Record] = [
        {"table": "users", "user_id": user, "language": "en", "name": f"u{user}", "created_ms": 1}
        for user in USERS
    ]
    missing = set(POSTS)
    for time in sorted(draw(st.lists(st.integers(1, 40), min_size=1, max_size=30))):
        late = draw(st.integers(0, min(lateness_ms, time - 1)))
        record = draw(_record(missing, time - late))
        if record["table"] == "posts":
            missing.discard(record["post_id"])
        records.append(record)
    return records


def _record(missing: set[int], time: int) -> st.SearchStrategy[Record]:
    user, post = st.sampled_from(USERS), st.sampled_from(POSTS)
    clock, perhaps, kind = st.just(time), st.sampled_from([time, time, 0]), st.integers(0, 6)
    made = _of("posts", post_id=st.sampled_from(sorted(missing)), author_id=user, created_ms=clock,
               text=st.sampled_from(["", "é🎷", "two words"]), entity_id=st.integers(-1, 2),
               language=st.sampled_from(["", "en"]), reply_to=st.sampled_from([-1, *POSTS]))  # fmt: skip
    some = [
        _of("engagements", viewer_id=user, post_id=post, action=st.integers(0, 9), time_ms=clock),
        _of("follows", follower_id=user, followee_id=user, created_ms=perhaps),
        _of("relations", user_id=user, subject_id=user, kind=kind, time_ms=perhaps),
        _of("interactions", actor_id=user, subject_id=user, kind=st.just(0), time_ms=clock),
        _of("labels", post_id=post, label=st.sampled_from(["spam", "nsfw"]), score=st.sampled_from([0.5, 0.9])),
        _of("account_labels", user_id=user, label=st.just("suspended")),
        _of("muted_words", user_id=user, words=st.sampled_from(["jazz", "two words"]), time_ms=perhaps),
        _of("undated", user_id=user, entity_id=st.integers(0, 3), weight=st.just(1.0)),
        _of("deletions", of=st.just("posts"), post_id=post, time_ms=clock),
        _of("deletions", of=st.just("follows"), follower_id=user, followee_id=user, time_ms=clock),
        _of("deletions", of=st.just("relations"), user_id=user, subject_id=user, kind=kind, time_ms=clock),
    ]  # fmt: skip
    return st.one_of(*([made, made, made] if missing else []), *some)


def _of(table: str, **columns: st.SearchStrategy[Any]) -> st.SearchStrategy[Record]:
    return st.fixed_dictionaries({"table": st.just(table), **columns})


def data_set_of(log: EventLog) -> Dataset:
    """What a log adds up to, even if its records refer to nothing or repeat."""
    parts: dict[str, list[Table]] = {}
    for stretch in log.replay():
        for name, rows in stretch.items():
            parts.setdefault(name, []).append(rows)
    tables = {
        name: Table({column: np.concatenate([part[column] for part in tables]) for column in tables[0]})
        for name, tables in parts.items()
    }
    deletions = tables.pop("deletions", None)
    left = tables if deletions is None else without(tables, deletions)
    return Dataset("made", left, 0, checked=True)


def assert_equal(one: Stores, two: Stores) -> None:
    """The same users, posts, graphs and labels, in the same rows and order."""
    assert one.users.ids.tolist() == two.users.ids.tolist()
    assert one.names.tolist() == two.names.tolist()
    assert {name: column.tolist() for name, column in one.traits.items()} == {
        name: column.tolist() for name, column in two.traits.items()
    }
    assert one.phrases == two.phrases
    assert one.now_ms == two.now_ms
    assert one.graphs.keys() == two.graphs.keys()
    for kind, graph in one.graphs.items():
        same_arrays(graph, two.graphs[kind], kind)
    assert one.posts.index.ids.tolist() == two.posts.index.ids.tolist()
    for name in ("author", "created_ms", "text"):
        assert getattr(one.posts, name).tolist() == getattr(two.posts, name).tolist(), name
    assert one.posts.traits.keys() == two.posts.traits.keys()
    for name, column in one.posts.traits.items():
        assert column.dtype == two.posts.traits[name].dtype, name
        assert column.tolist() == two.posts.traits[name].tolist(), name
    assert one.labels is not None
    assert two.labels is not None
    same_arrays(one.labels, two.labels, "labels")


def same_arrays(one: Any, two: Any, what: str) -> None:
    for field in attrs.fields(type(one)):
        np.testing.assert_array_equal(
            getattr(one, field.name), getattr(two, field.name), f"{what} {field.name}"
        )
