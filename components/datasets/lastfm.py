"""Last.fm (HetRec 2011) read as a timeline.

A post is a user tagging an artist on a day: author = the user, text = artist and tags, topic = the tag that most
people use. Friends are followed both ways.

The only dates in the data are those of tag assignments, and only from them come engagements: when a user tags an
artist, that is an engagement with the latest earlier post about the same artist by somebody else, a friend's post
before a stranger's. Listening counts have no dates, so they go to the table ``undated``: they may help to serve
today's requests, but a label or a feature of the past made from them would know the future. Friendships have no
dates either and are taken as known from the beginning.

Source: Cantador, Brusilovsky, Kuflik, HetRec 2011.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.datasets.dataset import Dataset, LoadReport
from components.datasets.files import find, integers, rows_of
from components.datasets.schema import Action
from components.datasets.table import Table
from components.units import DAY_MS

MEMBER = "user_taggedartists.dat"
FIRST_YEAR = 2002
"""Last.fm opened in 2002; assignments dated before are impossible."""


def is_lastfm(path: Path) -> bool:
    """True when the path holds the tag assignments."""
    return find(path, MEMBER) is not None


def load_lastfm(path: Path) -> Dataset:
    """Users, friendships, posts and dated engagements.

    Raises:
        DataError: a file is missing, damaged or of another shape.
    """
    dropped: dict[str, int] = {}
    assignments = _assignments(path, dropped)
    names, artists = (
        _names(path, "artists.dat", 4, "id\tname\turl\tpictureURL", "utf-8"),
        assignments["artist_id"],
    )
    tags = _names(path, "tags.dat", 2, "tagID\ttagValue", "latin-1")
    posts = _posts(assignments, names, tags)
    friends = _pairs(path, "user_friends.dat", 2, "userID\tfriendID", dropped)
    listens = _pairs(path, "user_artists.dat", 3, "userID\tartistID\tweight", dropped)
    users = np.unique(np.concatenate([posts["author_id"], friends[:, 0], friends[:, 1], listens[:, 0]]))
    engagements = _engagements(posts, friends)
    topics = np.unique(posts["topic"])
    tables = {
        "users": Table({"user_id": users, "name": [f"listener {user}" for user in users.tolist()]}),
        "topics": Table(
            {"topic_id": topics, "name": [tags.get(topic, str(topic)) for topic in topics.tolist()]}
        ),
        "follows": Table({"follower_id": friends[:, 0], "followee_id": friends[:, 1]}),
        "posts": posts,
        "engagements": engagements,
        "undated": Table(
            {"user_id": listens[:, 0], "entity_id": listens[:, 1], "weight": listens[:, 2].astype(np.float32)}
        ),
    }
    counts = {name: len(table) for name, table in tables.items()} | {"tag assignments": len(artists)}
    return Dataset("lastfm", tables, int(posts["created_ms"].max()) + DAY_MS, LoadReport(counts, dropped))


def _assignments(path: Path, dropped: dict[str, int]) -> Table:
    header = "userID\tartistID\ttagID\tday\tmonth\tyear"
    rows, ragged = rows_of(path, MEMBER, 6, header=header)
    numbers, good = integers(rows, 6, f"{path}: {MEMBER}")
    user, artist, tag, day, month, year = numbers.T
    dated = (year >= FIRST_YEAR) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    dropped["malformed tag assignments"] = ragged + int((~good).sum())
    dropped["tag assignments with an impossible date"] = int((good & ~dated).sum())
    keep = good & dated
    months = (year[keep] - 1970) * 12 + month[keep] - 1
    days = months.astype("datetime64[M]").astype("datetime64[D]") + (day[keep] - 1)
    time_ms = days.astype(np.int64) * DAY_MS
    return Table({"user_id": user[keep], "artist_id": artist[keep], "tag_id": tag[keep], "time_ms": time_ms})


def _names(path: Path, member: str, columns: int, header: str, encoding: str) -> dict[int, str]:
    rows, _ = rows_of(path, member, columns, header=header, encoding=encoding)
    return {int(row[0]): row[1] for row in rows if row[0].isdigit()}


def _pairs(path: Path, member: str, columns: int, header: str, dropped: dict[str, int]) -> NDArray[np.int64]:
    rows, ragged = rows_of(path, member, columns, header=header)
    numbers, good = integers(rows, columns, f"{path}: {member}")
    if ragged or not good.all():
        dropped[f"malformed lines of {member}"] = ragged + int((~good).sum())
    return numbers[good]


def _posts(assignments: Table, artists: dict[int, str], tags: dict[int, str]) -> Table:
    ordered = assignments.sort_by("time_ms", "user_id", "artist_id", "tag_id")
    keys = np.stack([ordered["time_ms"], ordered["user_id"], ordered["artist_id"]])
    begins = np.concatenate([[True], (np.diff(keys, axis=1) != 0).any(axis=0)])
    first = begins.nonzero()[0]
    group = np.cumsum(begins) - 1
    used, uses = np.unique(ordered["tag_id"], return_counts=True)
    popularity = uses[np.searchsorted(used, ordered["tag_id"])]
    by_popularity = np.lexsort([-popularity, group])
    topic = ordered["tag_id"][by_popularity][np.concatenate([[True], np.diff(group) != 0])]
    parts = np.split(ordered["tag_id"], first[1:])
    names = [artists.get(artist, f"artist {artist}") for artist in ordered["artist_id"][first].tolist()]
    texts = [
        f"{name}: {', '.join(tags.get(tag, str(tag)) for tag in part.tolist())}"
        for name, part in zip(names, parts, strict=True)
    ]
    return Table(
        {
            "post_id": np.arange(1, len(first) + 1),
            "author_id": ordered["user_id"][first],
            "created_ms": ordered["time_ms"][first],
            "text": np.array(texts, dtype=object),
            "topic": topic,
            "entity_id": ordered["artist_id"][first],
        }
    )


def _engagements(posts: Table, friends: NDArray[np.int64]) -> Table:
    """Each post, seen as its author's answer to the latest earlier post about the same artist."""
    order = np.lexsort([posts["created_ms"], posts["entity_id"]])
    friend_pairs = set(map(tuple, friends.tolist()))
    viewer, answered, when = [], [], []
    entity, author, created = (
        posts[name][order].tolist() for name in ("entity_id", "author_id", "created_ms")
    )
    ids = posts["post_id"][order].tolist()
    begin = 0
    for row, artist in enumerate(entity):
        if artist != entity[begin]:
            begin = row
        found = _answered(begin, row, author, created, friend_pairs)
        if found is not None:
            viewer.append(author[row])
            answered.append(ids[found])
            when.append(created[row])
    return Table(
        {
            "viewer_id": np.array(viewer, dtype=np.int64),
            "post_id": np.array(answered, dtype=np.int64),
            "action": np.full(len(viewer), int(Action.FAV), dtype=np.int8),
            "time_ms": np.array(when, dtype=np.int64),
        }
    ).sort_by("time_ms", "viewer_id", "post_id")


def _answered(
    begin: int, row: int, author: list[int], created: list[int], friends: set[tuple[int, ...]]
) -> int | None:
    stranger = None
    for earlier in range(row - 1, begin - 1, -1):
        if author[earlier] == author[row] or created[earlier] >= created[row]:
            continue
        if (author[row], author[earlier]) in friends:
            return earlier
        stranger = earlier if stranger is None else stranger
    return stranger
