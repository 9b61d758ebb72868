"""A small timeline where everything refers to everything, and the same as dictionaries."""

from __future__ import annotations

import attrs
import numpy as np
from hypothesis import strategies as st

from components.datasets import Dataset, Relation, Table
from components.predicates import timeline
from components.sources.answers import posts_at
from components.stores.from_dataset import stores_of
from components.stores.types import Viewer
from mixer import Request
from mixer.params import Params

DAY = timeline.DAY_MS
NOW = 100 * DAY
VIEWER, FRIEND, STRANGER, OTHER = 1, 2, 3, 4
WORDS = ("jazz", "tea", "the long exposure", "spoiler", "Spoiler alert", "#tea", "")


@st.composite
def stores(draw, words=WORDS, seconds=(0,)):
    """Up to 9 posts a day before now, so many seconds later, that say some words."""
    count = draw(st.integers(2, 9))
    ids = list(range(10, 10 + count))

    def references(missing):
        return [draw(st.sampled_from([-1, -1, -1, *missing, *ids[:at]])) for at in range(count)]

    posts = {
        "post_id": ids,
        "author_id": [draw(st.integers(1, 4)) for _ in ids],
        "created_ms": [NOW - DAY + 1_000 * draw(st.sampled_from(seconds)) for _ in ids],
        "text": [draw(st.sampled_from(words)) for _ in ids],
        "topic": [draw(st.integers(-1, 2)) for _ in ids],
        "media": np.array([draw(st.integers(0, 2)) for _ in ids], dtype=np.int8),
        "subscribers_only": np.array([draw(st.integers(0, 1)) for _ in ids], dtype=np.int8),
        "reply_to": references([77]),
        "repost_of": references([]),
        "quote_of": references([]),
    }
    relations = draw(
        st.lists(
            st.tuples(st.integers(1, 4), st.integers(1, 4), st.sampled_from(Relation), st.integers(80, 100)),
            max_size=8,
        )
    )
    tables = {
        "users": Table({"user_id": [1, 2, 3, 4], "created_ms": [NOW - 60_000, 0, 0, 0]}),
        "follows": Table({"follower_id": [VIEWER], "followee_id": [FRIEND]}),
        "posts": Table(posts),
        "relations": Table(
            {
                "user_id": np.array([one for one, _, _, _ in relations], dtype=np.int64),
                "subject_id": np.array([other for _, other, _, _ in relations], dtype=np.int64),
                "kind": np.array([int(kind) for _, _, kind, _ in relations], dtype=np.int8),
                "time_ms": np.array([day * DAY for _, _, _, day in relations], dtype=np.int64),
            }
        ),
    }
    data = Dataset("test", tables, NOW)
    return stores_of(data), Naive(posts, relations)


class Naive:
    """The same posts and decisions as dictionaries."""

    def __init__(self, columns, relations):
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        self.posts = {row["post_id"]: row for row in rows}
        self.relations = [one for one in relations if one[3] < 100]

    def author(self, post):
        return self.posts[post]["author_id"] if post in self.posts else None

    def decided(self, one, other, *kinds, since=0):
        return any(
            (who, whom) == (one, other) and kind in kinds and day > since
            for who, whom, kind, day in self.relations
        )

    def avoided(self, author):
        return self.decided(VIEWER, author, Relation.BLOCK, Relation.MUTE)

    def blocks(self, author):
        return self.decided(author, VIEWER, Relation.BLOCK)

    def with_it(self, post):
        """The post and everything that is displayed with it."""
        row, seen = self.posts[post], [post]
        seen += [row["quote_of"], row["repost_of"]]
        above = row["reply_to"]
        while above in self.posts and len(seen) < 50:
            seen.append(above)
            above = self.posts[above]["reply_to"]
        return [other for other in seen if other in self.posts]


def checked(found, predicate, **viewing):
    built, naive = found
    viewer = Viewer(VIEWER, request=Request(id="r", now_ms=NOW, params=Params.of({})), **viewing)
    viewer = attrs.evolve(viewer, known=built.history(VIEWER, NOW))
    rows = np.arange(len(built.posts))
    verdicts = predicate(built).check(viewer, posts_at(built, rows, np.ones(len(rows))))
    return {post: set(verdicts.reasons_of(row)) for row, post in enumerate(naive.posts)}, verdicts


def reasons(naive, rules):
    return {
        post: {name for name, applies in rules.items() if applies(post, row)}
        for post, row in naive.posts.items()
    }
