"""Stores out of a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from components.datasets import Action, Dataset, Relation
from components.stores.graph import Graph
from components.stores.ids import IdIndex
from components.stores.labels import SafetyLabels
from components.stores.posts import PostStore
from components.stores.stores import DECISIONS, ENGAGEMENT, FOLLOW, INTEREST, MUTED_WORDS, Stores

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEGATIVE = (Action.NEGATIVE_FEEDBACK_V2, Action.REPORT)
"""Actions that speak against a post; every other one is an engagement."""
TRAITS = (
    "topic",
    "entity_id",
    "language",
    "media",
    "video_ms",
    "subscribers_only",
    "reply_to",
    "repost_of",
    "quote_of",
)
"""Columns of the posts that their store keeps."""
_RELATIONS = {kind: Relation[kind.upper()] for kind in DECISIONS}


def stores_of(data: Dataset) -> Stores:
    """The stores that the thin products need.

    Where nobody follows but users act upon each other (Higgs), acting upon somebody takes the place of following.
    Interests are what engaged-with and own posts are about, and undated preferences; without any posts, they are
    the accounts acted upon.
    """
    users = IdIndex.of(data.users["user_id"])
    posts = _posts(data, users)
    follows = _follows(data, users)
    graphs = {FOLLOW: follows, ENGAGEMENT: _engagements(data, users, posts)}
    graphs[INTEREST] = _interests(data, users, posts, graphs[ENGAGEMENT]) if len(posts) else follows
    graphs |= {kind: _relations(data, users, int(code)) for kind, code in _RELATIONS.items()}
    people = data.users.sort_by("user_id")
    traits = {name: people[name] for name in ("created_ms", "language")}
    phrases, graphs[MUTED_WORDS] = _muted_words(data, users)
    labels = SafetyLabels.of(data, posts.index, users)
    return Stores(users, people["name"], posts, graphs, data.now_ms, traits, labels, phrases)


def _posts(data: Dataset, users: IdIndex) -> PostStore:
    table = data.posts
    traits = {name: table[name] for name in TRAITS}
    return PostStore.build(
        users, table["post_id"], table["author_id"], table["created_ms"], table["text"], **traits
    )


def _follows(data: Dataset, users: IdIndex) -> Graph:
    square = (len(users), len(users))
    if len(data.follows):
        source, end, since = (data.follows[name] for name in ("follower_id", "followee_id", "created_ms"))
    else:
        source, end, since = (data.interactions[name] for name in ("actor_id", "subject_id", "time_ms"))
    return Graph.build(users.rows_of(source), users.rows_of(end), since, shape=square).distinct


def _engagements(data: Dataset, users: IdIndex, posts: PostStore) -> Graph:
    table = data.engagements.where(~np.isin(data.engagements["action"], [int(action) for action in NEGATIVE]))
    viewers, rows = users.rows_of(table["viewer_id"]), posts.index.rows_of(table["post_id"])
    return Graph.build(viewers, rows, table["time_ms"], shape=(len(users), len(posts))).distinct


def _interests(data: Dataset, users: IdIndex, posts: PostStore, engagements: Graph) -> Graph:
    about = posts.number("entity_id", -1)
    if (about < 0).all():
        return engagements
    undated = data["undated"]
    things = IdIndex.of(about[about >= 0], undated["entity_id"])
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = [
        (engagements.sources, about[engagements.ends], engagements.time_ms),
        (posts.author.astype(np.int64), about, posts.created_ms),
        (users.rows_of(undated["user_id"]), undated["entity_id"], np.zeros(len(undated), dtype=np.int64)),
    ]
    user, thing, time_ms = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Graph.build(user, things.rows_of(thing), time_ms, shape=(len(users), len(things))).distinct


def _muted_words(data: Dataset, users: IdIndex) -> tuple[tuple[str, ...], Graph]:
    table = data["muted_words"]
    phrases, numbers = np.unique(table["words"].astype(str), return_inverse=True)
    shape = (len(users), len(phrases))
    graph = Graph.build(users.rows_of(table["user_id"]), numbers, table["time_ms"], shape=shape)
    return tuple(phrases.tolist()), graph


def _relations(data: Dataset, users: IdIndex, kind: int) -> Graph:
    table = data.relations.where(data.relations["kind"] == kind)
    source, end = users.rows_of(table["user_id"]), users.rows_of(table["subject_id"])
    return Graph.build(source, end, table["time_ms"], shape=(len(users), len(users)))
