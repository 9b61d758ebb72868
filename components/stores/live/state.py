"""``LiveState``: everything that the events so far add up to, as tables that grow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from components.datasets import Relation, Table
from components.datasets.event_lines import KEYS
from components.datasets.schema import SCHEMA
from components.stores.from_dataset import NEGATIVE
from components.stores.live.checkpoint import joined, parted
from components.stores.live.edges import EdgeStore
from components.stores.live.keyed_table import KeyedTable
from components.stores.live.recent_posts import RecentLimits, RecentPosts
from components.stores.live.tombstones import Tombstones

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from numpy.typing import NDArray

LISTS = ("labels", "account_labels", "muted_words", "undated")
"""Tables that are kept as they come."""
_EDGES = {
    "follows": ("follower_id", "followee_id", "created_ms"),
    "engagements": ("viewer_id", "post_id", "time_ms"),
    "interactions": ("actor_id", "subject_id", "time_ms"),
}
_RELATIONS = {f"relations {kind.name.lower()}": int(kind) for kind in Relation}


@attrs.frozen
class LiveLimits:
    """How much is kept of what happens.

    Args:
        edges: newest follows, interactions and decisions of each kind that a user keeps; as many are kept of those
            about a user.
        engagements: newest engagements that a viewer keeps, and a post. Source: user-tweet-entity graph, whose walks
            read the latest 500.
        keep_ms: older posts and engagements are forgotten; None keeps all.
        recent: of the recent posts by author.
    """

    edges: int = 100_000
    engagements: int = 500
    keep_ms: int | None = None
    recent: RecentLimits = attrs.field(factory=RecentLimits)


class LiveState:
    """State without clocks or files: takes tables of events, gives tables of what is left.

    Whoever calls holds the lock.
    """

    def __init__(self, limits: LiveLimits, lock: threading.RLock) -> None:
        self.limits = limits
        self.recent = RecentPosts(limits.recent, lock)
        kept = {**dict.fromkeys([*_EDGES, *_RELATIONS], limits.edges), "engagements": limits.engagements}
        self.edges = {name: EdgeStore(cap, lock=lock) for name, cap in kept.items()}
        self.users, self.posts = (_keyed(name) for name in ("users", "posts"))
        self.taken_back = {name: Tombstones(len(KEYS[name])) for name in ("follows", "relations")}
        self._lists = {name: _empty(name) for name in LISTS}

    def take(self, tables: Mapping[str, Table], deletions: Table | None) -> None:
        """Add what happened; tables are complete, their rows in order of time."""
        if len(tables["users"]):
            self.users.replace(tables["users"])
        if len(tables["posts"]):
            new = np.sort(self.posts.add(tables["posts"]))
            self.recent.add(tables["posts"].take(new))
        for name in LISTS:
            if len(tables[name]):
                self._lists[name] = _joined(self._lists[name], tables[name])
        if deletions is not None:
            self._delete(deletions)
        self._add_edges(tables)

    def _delete(self, deletions: Table) -> None:
        posts = deletions.where(deletions["of"] == "posts")
        if len(posts):
            ids, times = posts["post_id"], posts["time_ms"]
            self.posts.delete({"post_id": ids, "created_ms": times})
            self.recent.delete(ids, times)
            self.edges["engagements"].remove_ends(ids)
        for name, tombstones in self.taken_back.items():
            rows = deletions.where(deletions["of"] == name)
            if len(rows):
                tombstones.add([rows[key] for key in KEYS[name]], rows["time_ms"])
                for edges, which in self._stores_of(name, rows):
                    source, end = (which[key] for key in KEYS[name][:2])
                    edges.remove(source, end, which["time_ms"])

    def _add_edges(self, tables: Mapping[str, Table]) -> None:
        acts = tables["engagements"]
        dead = np.isin(acts["action"], [int(action) for action in NEGATIVE]) | self.posts.deleted(
            acts["post_id"]
        )
        kept = {"engagements": acts.where(~dead), "interactions": tables["interactions"]}
        for name, tombstones in self.taken_back.items():
            rows, clock = tables[name], "created_ms" if name == "follows" else "time_ms"
            kept[name] = rows.where(tombstones.spare([rows[key] for key in KEYS[name]], rows[clock]))
        for name, rows in kept.items():
            source, end, clock = _EDGES.get(name, ("user_id", "subject_id", "time_ms"))
            for edges, which in self._stores_of(name, rows):
                edges.add(which[source], which[end], which[clock])

    def _stores_of(self, name: str, rows: Table) -> list[tuple[EdgeStore, Table]]:
        if name != "relations":
            return [(self.edges[name], rows)] if len(rows) else []
        kinds = np.unique(rows["kind"]).tolist()
        return [
            (self.edges[store], rows.where(rows["kind"] == kind))
            for store, kind in _RELATIONS.items()
            if kind in kinds
        ]

    def trim(self, now_ms: int) -> None:
        """Forget what is older than the limits say."""
        self.recent.expire(now_ms)
        if self.limits.keep_ms is not None:
            oldest = now_ms - self.limits.keep_ms
            self.posts.keep(self.posts["created_ms"] >= oldest)
            self.edges["engagements"].drop_before(oldest)
            labels = self._lists["labels"]
            self._lists["labels"] = labels.where(self.posts.has(labels["post_id"]))

    def tables(self, now_ms: int) -> dict[str, Table]:
        """The tables of a data set that ends at a moment; posts by nobody known are left out."""
        posts = self.posts.table()
        known = self.users.has(posts["author_id"])
        if self.limits.keep_ms is not None:
            known &= posts["created_ms"] >= now_ms - self.limits.keep_ms
        tables = {"users": self.users.table(), "posts": posts if known.all() else posts.where(known)}
        for name, columns in _EDGES.items():
            tables[name] = Table(dict(zip(columns, self.edges[name].edges(), strict=True)))
        codes = np.zeros(len(tables["engagements"]), np.int8)
        tables["engagements"] = tables["engagements"].with_columns(action=codes)
        parts = [(code, self.edges[name].edges()) for name, code in _RELATIONS.items()]
        columns = [np.concatenate(column) for column in zip(*(edges for _, edges in parts), strict=True)]
        kind = np.repeat([code for code, _ in parts], [len(edges[0]) for _, edges in parts])
        relations = dict(zip(("user_id", "subject_id", "time_ms"), columns, strict=True))
        return {**tables, "relations": Table({**relations, "kind": kind.astype(np.int8)}), **self._lists}

    @property
    def nbytes(self) -> int:
        """Memory of all columns, without what objects point to."""
        return sum(part.nbytes for part in (self.recent, self.users, self.posts, *self.edges.values()))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What :meth:`load_arrays` takes."""
        parts = {name: part.arrays() for name, part in self._parts().items()}
        return joined({**parts, **self._lists}, "/")

    def load_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what :meth:`arrays` told."""
        split = parted(arrays, "/")
        for name, part in self._parts().items():
            part.load_arrays(split[name])
        self._lists = {name: Table(split[name]) for name in LISTS}

    def _parts(self) -> dict[str, RecentPosts | EdgeStore | KeyedTable | Tombstones]:
        taken_back = {f"taken back {name}": part for name, part in self.taken_back.items()}
        return {"recent": self.recent, "users": self.users, "posts": self.posts, **self.edges, **taken_back}


def _keyed(name: str) -> KeyedTable:
    dtypes = {column: field.dtype for column, field in SCHEMA[name].items()}
    return KeyedTable(next(iter(dtypes)), dtypes)


def _empty(name: str) -> Table:
    return Table({column: np.empty(0, field.dtype) for column, field in SCHEMA[name].items()})


def _joined(one: Table, two: Table) -> Table:
    return Table({column: np.concatenate([one[column], two[column]]) for column in one})
