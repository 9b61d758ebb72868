"""Random small stores, and what is in them as plain Python."""

from __future__ import annotations

import attrs
import numpy as np
from hypothesis import strategies as st

from components.models.real_graph.scores import RealGraphScores
from components.stores.graph import Graph
from components.stores.ids import IdIndex
from components.stores.posts import PostStore
from components.stores.stores import ENGAGEMENT, FOLLOW, Stores
from components.stores.types import Viewer
from mixer import Request

HOUR_MS = 3_600_000
LANGUAGES = ("", "en", "pt")
HOURS = 60


@attrs.frozen(eq=False)
class Small:
    """Rows and hours; ``now_h`` is when the request comes."""

    users: int
    now_h: int
    follows: dict  # (who, whom) -> hour
    posts: list  # (author, hour, topic, language, reply to, repost of)
    engagements: dict  # (who, post) -> hour
    ties: dict  # (who, whom) -> probability
    languages: list

    @property
    def now_ms(self):
        return self.now_h * HOUR_MS

    def past(self, edges):
        """``row -> columns`` of the edges before now, oldest first."""
        lists = {}
        for (one, other), hour in sorted(edges.items(), key=lambda item: (item[1], item[0])):
            if hour < self.now_h:
                lists.setdefault(one, []).append(other)
        return lists

    def stores(self):
        users = IdIndex(np.arange(self.users) + 100)
        size = len(self.posts)
        author, hour, topic, language, reply, repost = zip(*self.posts, strict=True) if size else [()] * 6
        posts = PostStore.build(
            users,
            np.arange(size) + 1000,
            np.array(author, dtype=np.int64) + 100,
            np.array(hour, dtype=np.int64) * HOUR_MS,
            topic=np.array(topic, dtype=np.int64),
            language=np.array(language, dtype=object),
            reply_to=np.array(reply, dtype=np.int64),
            repost_of=np.array(repost, dtype=np.int64),
        )
        graphs = {
            FOLLOW: graph_of(self.follows, (self.users, self.users)),
            ENGAGEMENT: graph_of(self.engagements, (self.users, size)),
        }
        names = np.full(self.users, "", dtype=object)
        traits = {"language": np.array(self.languages, dtype=object)}
        return Stores(users, names, posts, graphs, HOURS * HOUR_MS, traits)

    def scores(self, at_h=0):
        pairs = np.array([*self.ties], dtype=np.int64).reshape(-1, 2) + 100
        users = IdIndex(np.arange(self.users) + 100)
        return RealGraphScores.build(users, pairs[:, 0], pairs[:, 1], [*self.ties.values()], at_h * HOUR_MS)

    def viewer(self, stores, row, **request):
        """Somebody's request; row -1 is a stranger."""
        user = 100 + row if row >= 0 else 10**9
        viewer = Viewer(user, request=Request(id="r", now_ms=self.now_ms, **request))
        return attrs.evolve(viewer, known=stores.history(user, self.now_ms))


def graph_of(edges, shape):
    pairs = sorted(edges)
    return Graph.build(
        [one for one, _ in pairs],
        [other for _, other in pairs],
        [edges[pair] * HOUR_MS for pair in pairs],
        shape=shape,
    )


@st.composite
def small_stores(draw):
    """Up to 7 users and 10 posts within 60 hours; may be empty."""
    users = draw(st.integers(0, 7))
    rows, hours = st.integers(0, max(users - 1, 0)), st.integers(0, HOURS)
    pairs = st.tuples(rows, rows)
    some = users > 0
    others = st.sampled_from([-1, -1, -1, 1000])
    post = st.tuples(rows, hours, st.integers(-1, 2), st.sampled_from(LANGUAGES), others, others)
    posts = draw(st.lists(post, max_size=10 if some else 0))
    size, marks = len(posts), st.tuples(rows, st.integers(0, max(len(posts) - 1, 0)))
    return Small(
        users,
        draw(st.integers(0, HOURS + 1)),
        draw(st.dictionaries(pairs, hours, max_size=24 if some else 0)),
        posts,
        draw(st.dictionaries(marks, hours, max_size=24 if size else 0)),
        draw(st.dictionaries(pairs, st.sampled_from([0.125, 0.25, 0.5, 0.75]), max_size=16 if some else 0)),
        draw(st.lists(st.sampled_from(LANGUAGES), min_size=users, max_size=users)),
    )


def ranked(scores, cap):
    """``(key, score)`` above 0, best first, ties by key."""
    return sorted(((key, s) for key, s in scores.items() if s > 0), key=lambda item: (-item[1], item[0]))[
        :cap
    ]


def rows_and_scores(found):
    return list(zip(found[found.kind.row].tolist(), found[found.kind.source_score].tolist(), strict=True))


def same(found, expected):
    """Equal rows in order, and scores up to float32."""
    assert [row for row, _ in rows_and_scores(found)] == [row for row, _ in expected]
    np.testing.assert_allclose(
        [score for _, score in rows_and_scores(found)], [score for _, score in expected], rtol=1e-5
    )
