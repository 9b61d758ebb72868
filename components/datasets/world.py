"""A seeded synthetic world: people, follows, posts, and what they did with what they were shown.

Everything that people do follows the planted :class:`~components.datasets.truth.Truth`, so the best possible value of
every metric is known.

Source: the world of x-algorithm (August 2026): 16 topics; 2 to 4 topics a user with Gamma(1.5) weights; qualities
Beta(2, 2); popularity rank**-1.05; 80 % of a person's posts on the main topic; delay lognormal around two hours;
dwell exp(N(ln 6 + 2 gate, 0.8)) within [0.5, 300] s. The follow graph, sessions, threads, labels and position bias
are ours.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np
from numpy.typing import NDArray

from components.datasets.dataset import Dataset
from components.datasets.schema import Relation
from components.datasets.table import Table
from components.datasets.truth import POSITION_DECAY, Truth, dwell_s, interest
from components.datasets.words import TOPICS, texts_of, unsafe_texts
from components.datasets.world_slates import FRESH_MS, SLATE, Shelf, Shown, delays_ms

DECIDED = (Relation.BLOCK, Relation.MUTE, Relation.DISMISSED, Relation.MUTE_REPOSTS, Relation.SHOW_LESS)
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_767_225_600_000  # 2026-01-01T00:00Z
HOURLY = 1.0 + 0.8 * np.sin((np.arange(24) - 9) * np.pi / 12)
"""Relative activity by hour of the day: busiest at 15:00 UTC, quietest at 3:00."""
FOLLOWED_BEFORE = 0.8
"""Share of the follows that are older than the world; the others come while it lasts."""
REPLIES, QUOTES, REPOSTS = 0.12, 0.04, 0.04
"""Shares of the posts that answer, quote or repeat an earlier one on their topic."""
UNSAFE = 0.01
"""Share of the posts that say what a safety model should find, for each kind."""
VECTOR_DIMENSIONS = 64


@attrs.frozen
class WorldSize:
    """How large a world is; ``follows`` and ``impressions`` are means a user."""

    users: int
    posts: int
    days: int
    follows: int
    impressions: int


SIZES = {
    "tiny": WorldSize(200, 2_000, 7, 20, 60),
    "small": WorldSize(2_000, 20_000, 14, 40, 100),
    "medium": WorldSize(100_000, 1_000_000, 14, 60, 100),
    "large": WorldSize(1_000_000, 10_000_000, 14, 80, 100),
}
"""Sizes by name. ``large`` needs about 40 GB of memory."""


@attrs.frozen
class World:
    """A data set together with the truth behind it.

    Args:
        vectors: ``(posts, 64)`` what an encoder of text and pictures might say of each post, in order of id.
    """

    dataset: Dataset
    truth: Truth
    seed: int
    size: str
    vectors: NDArray[np.float16] = attrs.field(repr=False)


def generate(
    size: str | WorldSize = "small", seed: int = 0, progress: Callable[[str], None] | None = None
) -> World:
    """Make a world; the same size and seed give the same world, bit for bit.

    Raises:
        ValueError: no such size, or a negative seed.
    """
    if isinstance(size, str) and size not in SIZES:
        raise ValueError(f"world: expected a size of {', '.join(SIZES)}, got {size!r}")
    if seed < 0:
        raise ValueError(f"seed: expected 0 or more, got {seed}")
    name, extent = (size, SIZES[size]) if isinstance(size, str) else ("custom", size)
    maker = _Maker(extent, np.random.default_rng([seed, 2026]))
    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        ("people", maker.make_people),
        ("follows", maker.make_follows),
        ("posts", maker.make_posts),
        ("impressions", maker.make_impressions),
    )
    for stage, step in steps:
        if progress is not None:
            progress(stage)
        step()
    end_ms = START_MS + extent.days * DAY_MS
    data = Dataset(f"world-{name}", maker.tables, end_ms)
    return World(data, maker.truth(), seed, name, maker.vectors())


class _Maker:
    def __init__(self, size: WorldSize, rng: np.random.Generator) -> None:
        self.size = size
        self.rng = rng
        self.tables: dict[str, Table] = {
            "topics": Table({"topic_id": np.arange(len(TOPICS)), "name": list(TOPICS)})
        }

    def make_people(self) -> None:
        rng, users = self.rng, self.size.users
        topics = len(TOPICS)
        weights = rng.gamma(1.5, size=(users, topics))
        rank = np.argsort(rng.random((users, topics)), axis=1).argsort(axis=1)
        weights[rank >= rng.integers(2, 5, users)[:, None]] = 0.0
        self.preference = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
        self.main_topic = self.preference.argmax(axis=1)
        self.author_quality = rng.beta(2, 2, users).astype(np.float32)
        self.popularity = (rng.permutation(users) + 1.0) ** -1.05
        self.activity = rng.lognormal(0.0, 1.0, users)
        self.user_id = np.arange(1, users + 1)
        languages = np.array(["en", "ja", "es", "pt", "de"], dtype=object)
        self.tables["users"] = Table(
            {
                "user_id": self.user_id,
                "created_ms": START_MS - (rng.random(users) * 3 * 365 * DAY_MS).astype(np.int64),
                "language": languages[rng.choice(5, users, p=[0.5, 0.2, 0.15, 0.1, 0.05])],
                "name": [f"user {user}" for user in self.user_id.tolist()],
            }
        )

    def make_follows(self) -> None:
        """Seven in ten follows go to popular people of a topic one likes, the others to popular people."""
        rng, users = self.rng, self.size.users
        degree = np.maximum(1, rng.lognormal(np.log(self.size.follows) - 0.5, 1.0, users)).astype(np.int64)
        degree = np.minimum(degree, max(1, users // 4))
        follower = np.repeat(np.arange(users), degree)
        followee = _draw(self.popularity, len(follower), rng)
        alike = rng.random(len(follower)) < 0.7
        topic = _draw_rows(self.preference[follower], rng)
        for one in range(len(TOPICS)):
            wanted = (alike & (topic == one)).nonzero()[0]
            people = (self.main_topic == one).nonzero()[0]
            if len(people):
                followee[wanted] = people[_draw(self.popularity[people], len(wanted), rng)]
        pairs = np.unique(follower * users + followee)
        self.follower, self.followee = np.divmod(pairs, users)
        keep = self.follower != self.followee
        self.follower, self.followee = self.follower[keep], self.followee[keep]
        edges = len(self.follower)
        earlier, during = -rng.random(edges) * 365 * DAY_MS, rng.random(edges) * self.size.days * DAY_MS
        since = np.where(rng.random(edges) < FOLLOWED_BEFORE, earlier, during)
        self.follow_created = START_MS + since.astype(np.int64)
        self.tables["follows"] = Table(
            {
                "follower_id": self.user_id[self.follower],
                "followee_id": self.user_id[self.followee],
                "created_ms": self.follow_created,
            }
        )
        self._make_relations()

    def _make_relations(self) -> None:
        rng, users = self.rng, self.size.users
        count = users // 2
        pairs = np.unique(rng.integers(0, users, count) * users + _draw(self.popularity, count, rng))
        actor, subject = np.divmod(pairs, users)
        kind = rng.choice([int(kind) for kind in DECIDED], len(pairs))
        strangers = ~np.isin(pairs, self.follower * users + self.followee) & (actor != subject)
        self.tables["relations"] = Table(
            {
                "user_id": self.user_id[actor[strangers]],
                "subject_id": self.user_id[subject[strangers]],
                "kind": kind[strangers].astype(np.int8),
                "time_ms": START_MS + (rng.random(int(strangers.sum())) * DAY_MS).astype(np.int64),
            }
        )

    def make_posts(self) -> None:
        rng, posts = self.rng, self.size.posts
        author = _draw(self.activity * np.sqrt(self.popularity), posts, rng)
        topic = np.where(
            rng.random(posts) < 0.8, self.main_topic[author], _draw_rows(self.preference[author], rng)
        )
        created = np.sort(self._moments(posts, self.size.days))
        self.post_author, self.post_topic, self.post_created = author, topic, created
        self.post_quality = rng.beta(2, 2, posts).astype(np.float32)
        self.media = rng.choice(3, posts, p=[0.6, 0.25, 0.15]).astype(np.int8)
        self.post_id = np.arange(1, posts + 1) * 10
        references = self._references(rng.random(posts))
        texts, labels = unsafe_texts(texts_of(topic, rng), UNSAFE, rng)
        texts[references["repost_of"] >= 0] = ""
        self.tables["posts"] = Table(
            {
                "post_id": self.post_id,
                "author_id": self.user_id[author],
                "created_ms": created,
                "text": texts,
                "topic": topic,
                "language": self.tables["users"]["language"][author],
                "media": self.media,
                "video_ms": np.where(self.media == 2, rng.integers(3_000, 90_000, posts), 0).astype(np.int32),
                **references,
            }
        )
        rows, names = labels
        self.tables["labels"] = Table(
            {
                "post_id": self.post_id[rows],
                "label": names,
                "score": rng.uniform(0.8, 1.0, len(rows)).astype(np.float32),
            }
        )

    def _references(self, kind: NDArray[np.floating]) -> dict[str, NDArray[np.int64]]:
        """Ids of the earlier posts on the same topic that some posts answer, quote or repeat; -1 for none."""
        steps = self.rng.geometric(0.1, len(kind))
        earlier = Shelf.of(self.post_topic, self.post_created - START_MS).before(np.arange(len(kind)), steps)
        ids = np.where(earlier >= 0, self.post_id[earlier], -1)
        bounds = np.cumsum([0.0, REPLIES, QUOTES, REPOSTS])
        spans = zip(("reply_to", "quote_of", "repost_of"), bounds[:-1], bounds[1:], strict=True)
        return {name: np.where((kind >= low) & (kind < high), ids, -1) for name, low, high in spans}

    def vectors(self) -> NDArray[np.float16]:
        """``(posts, 64)`` of length about 1: half what the post is about, a third who wrote it, the rest chance."""
        shape = VECTOR_DIMENSIONS
        topics = _directions(len(TOPICS), shape, self.rng)[self.post_topic]
        authors = _directions(self.size.users, shape, self.rng)[self.post_author]
        noise = _directions(len(self.post_id), shape, self.rng)
        return (0.7 * topics + 0.5 * authors + 0.5 * noise).astype(np.float16)

    def _moments(self, count: int, days: int) -> NDArray[np.int64]:
        hour = _draw(np.tile(HOURLY, days), count, self.rng)
        return START_MS + hour * HOUR_MS + self.rng.integers(0, HOUR_MS, count)

    def make_impressions(self) -> None:
        """Seven in ten impressions are on a topic the viewer likes; half of all are by people they follow."""
        rng = self.rng
        sessions = self.size.users * self.size.impressions // SLATE
        viewer = np.repeat(_draw(np.sqrt(self.activity), sessions, rng), SLATE)
        time_ms = np.repeat(self._moments(sessions, self.size.days), SLATE)
        post = self._shown_posts(viewer, time_ms)
        kept = (post >= 0) & (self.post_author[post] != viewer)
        shown = Shown.of(viewer[kept], post[kept], time_ms[kept], len(self.post_id))
        examined = rng.random(len(shown.viewer)) < POSITION_DECAY**shown.position
        self._engage(shown.viewer, shown.post, shown.time_ms, examined)
        self.tables["impressions"] = Table(
            {
                "viewer_id": self.user_id[shown.viewer],
                "post_id": self.post_id[shown.post],
                "time_ms": shown.time_ms,
                "position": shown.position.astype(np.int32),
                "propensity": POSITION_DECAY ** shown.position.astype(np.float32),
            }
        )

    def _shown_posts(self, viewer: NDArray[np.int64], time_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each place of a slate the latest fitting post of about two hours before, or -1."""
        rng, count = self.rng, len(viewer)
        since = self.post_created - START_MS
        until = time_ms - START_MS - delays_ms(count, rng)
        everything, nobody = Shelf.of(np.zeros(len(since), np.int64), since), np.zeros(count, np.int64)
        post = everything.latest(nobody, until)
        alike = rng.random(count) < 0.7
        liked = Shelf.of(self.post_topic, since).latest(_draw_rows(self.preference[viewer], rng), until)
        post = np.where(alike & (liked >= 0), liked, post)
        follow = _random_of(self.follower, viewer, self.size.users, rng)
        theirs = Shelf.of(self.post_author, since).latest(self.followee[follow], until)
        fresh = (theirs >= 0) & (follow >= 0) & (self.follow_created[follow] <= time_ms)
        fresh &= until - since[theirs] <= FRESH_MS
        return np.where((rng.random(count) < 0.5) & fresh, theirs, post)

    def _engage(
        self,
        viewer: NDArray[np.int64],
        post: NDArray[np.int64],
        time_ms: NDArray[np.int64],
        examined: NDArray[np.bool_],
    ) -> None:
        rng = self.rng
        viewer, post, time_ms = viewer[examined], post[examined], time_ms[examined]
        truth = self.truth()
        probability = truth.probability(self.user_id[viewer], self.post_id[post])
        acted = rng.random(probability.shape) < probability
        row, action = acted.nonzero()
        dwell = dwell_s(interest(truth.affinity(self.user_id[viewer], self.post_id[post])), rng)
        self.tables["engagements"] = Table(
            {
                "viewer_id": self.user_id[viewer[row]],
                "post_id": self.post_id[post[row]],
                "action": action.astype(np.int8),
                "time_ms": time_ms[row] + (dwell[row] * 500).astype(np.int64),
                "dwell_s": dwell[row].astype(np.float32),
            }
        ).sort_by("time_ms", "viewer_id", "post_id", "action")

    def truth(self) -> Truth:
        return Truth(
            self.preference,
            self.author_quality,
            self.user_id,
            self.post_id,
            self.post_author,
            self.post_topic,
            self.post_quality,
            self.media == 2,
        )


def _draw(weights: NDArray[np.floating], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """``count`` indices with probability in proportion to ``weights``."""
    total = np.cumsum(weights)
    return np.minimum(np.searchsorted(total, rng.random(count) * total[-1], side="right"), len(weights) - 1)


def _directions(count: int, dimensions: int, rng: np.random.Generator) -> NDArray[np.float32]:
    drawn = rng.normal(size=(count, dimensions)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def _draw_rows(weights: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.int64]:
    """One column a row, with probability in proportion to the row's weights."""
    total = np.cumsum(weights, axis=1)
    return (total < rng.random(len(weights))[:, None] * total[:, -1:]).sum(axis=1)


def _random_of(
    key: NDArray[np.int64], wanted: NDArray[np.int64], size: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """For each wanted key the position of a random one of its entries; -1 if it has none. ``key`` is ascending."""
    bounds = np.searchsorted(key, np.arange(size + 1))
    begin, count = bounds[wanted], bounds[wanted + 1] - bounds[wanted]
    return np.where(count > 0, begin + (rng.random(len(wanted)) * count).astype(np.int64), -1)
