"""A seeded synthetic world: people, follows, posts, and what they did with what they were shown.

Everything that people do follows the planted :class:`~components.datasets.truth.Truth`, so the best possible value of
every metric is known.

Source: the world of x-algorithm (August 2026): 16 topics; 2 to 4 topics a user with Gamma(1.5) weights; qualities
Beta(2, 2); popularity rank**-1.05; 80 % of a person's posts on the main topic; delay lognormal around two hours;
dwell exp(N(ln 6 + 2 gate, 0.8)) within [0.5, 300] s. The follow graph, sessions and position bias are ours.
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
from components.datasets.words import TOPICS, texts_of

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_767_225_600_000  # 2026-01-01T00:00Z
HOURLY = 1.0 + 0.8 * np.sin((np.arange(24) - 9) * np.pi / 12)
"""Relative activity by hour of the day: busiest at 15:00 UTC, quietest at 3:00."""


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
    """A data set together with the truth behind it."""

    dataset: Dataset
    truth: Truth
    seed: int
    size: str


def generate(
    size: str | WorldSize = "small", seed: int = 0, progress: Callable[[str], None] | None = None
) -> World:
    """Make a world; the same size and seed give the same world, bit for bit.

    Raises:
        ValueError: no such size.
    """
    if isinstance(size, str) and size not in SIZES:
        raise ValueError(f"expected a size of {', '.join(SIZES)}, got {size!r}")
    name, extent = (size, SIZES[size]) if isinstance(size, str) else ("custom", size)
    maker = _Maker(extent, np.random.default_rng([seed, 2026]))
    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        ("people", maker.make_people),
        ("follows", maker.make_follows),
        ("posts", maker.make_posts),
        ("impressions", maker.make_impressions),
    )
    for name, step in steps:
        if progress is not None:
            progress(name)
        step()
    end_ms = START_MS + extent.days * DAY_MS
    return World(Dataset(f"world-{name}", maker.tables, end_ms), maker.truth(), seed, name)


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
        created = START_MS - (rng.random(len(self.follower)) * 365 * DAY_MS).astype(np.int64)
        self.tables["follows"] = Table(
            {
                "follower_id": self.user_id[self.follower],
                "followee_id": self.user_id[self.followee],
                "created_ms": created,
            }
        )
        self._make_relations()

    def _make_relations(self) -> None:
        rng, users = self.rng, self.size.users
        count = users // 2
        pairs = np.unique(rng.integers(0, users, count) * users + _draw(self.popularity, count, rng))
        actor, subject = np.divmod(pairs, users)
        kind = rng.choice([int(Relation.BLOCK), int(Relation.MUTE), int(Relation.DISMISSED)], len(pairs))
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
        self.tables["posts"] = Table(
            {
                "post_id": self.post_id,
                "author_id": self.user_id[author],
                "created_ms": created,
                "text": texts_of(topic, rng),
                "topic": topic,
                "language": self.tables["users"]["language"][author],
                "media": self.media,
            }
        )

    def _moments(self, count: int, days: int) -> NDArray[np.int64]:
        hour = _draw(np.tile(HOURLY, days), count, self.rng)
        return START_MS + hour * HOUR_MS + self.rng.integers(0, HOUR_MS, count)

    def make_impressions(self) -> None:
        """Seven in ten impressions are on a topic the viewer likes; half of all are by people they follow."""
        rng = self.rng
        count = self.size.users * self.size.impressions
        viewer = _draw(np.sqrt(self.activity), count, rng)
        post = self._shown_posts(viewer)
        delay_s = rng.lognormal(np.log(2 * 3600), 1.0, count)
        time_ms = self.post_created[post] + (delay_s * 1000).astype(np.int64)
        end_ms = START_MS + self.size.days * DAY_MS
        shown = (self.post_author[post] != viewer) & (time_ms < end_ms)
        viewer, post, time_ms = viewer[shown], post[shown], time_ms[shown]
        _, first = np.unique(viewer * len(self.post_id) + post, return_index=True)
        order = first[np.argsort(time_ms[first], kind="stable")]
        viewer, post, time_ms = viewer[order], post[order], time_ms[order]
        position = rng.geometric(0.12, len(viewer)) - 1
        examined = rng.random(len(viewer)) < POSITION_DECAY**position
        self._engage(viewer, post, time_ms, examined)
        self.tables["impressions"] = Table(
            {
                "viewer_id": self.user_id[viewer],
                "post_id": self.post_id[post],
                "time_ms": time_ms,
                "position": position.astype(np.int32),
                "propensity": POSITION_DECAY ** position.astype(np.float32),
            }
        )

    def _shown_posts(self, viewer: NDArray[np.int64]) -> NDArray[np.int64]:
        rng, posts = self.rng, len(self.post_id)
        post = rng.integers(0, posts, len(viewer))
        by_topic = np.argsort(self.post_topic, kind="stable")
        bounds = np.searchsorted(self.post_topic[by_topic], np.arange(len(TOPICS) + 1))
        alike = rng.random(len(viewer)) < 0.7
        topic = _draw_rows(self.preference[viewer], rng)
        spread = bounds[topic + 1] - bounds[topic]
        draw = bounds[topic] + (rng.random(len(viewer)) * spread).astype(np.int64)
        post = np.where(alike & (spread > 0), by_topic[np.minimum(draw, posts - 1)], post)
        followed = _random_of(self.follower, self.followee, viewer, self.size.users, rng)
        by_author = np.argsort(self.post_author, kind="stable")
        theirs = np.searchsorted(self.post_author[by_author], [followed, followed + 1])
        own = by_author[
            np.minimum(
                theirs[0] + (rng.random(len(viewer)) * (theirs[1] - theirs[0])).astype(np.int64), posts - 1
            )
        ]
        in_network = (rng.random(len(viewer)) < 0.5) & (theirs[1] > theirs[0])
        return np.where(in_network, own, post)

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


def _draw_rows(weights: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.int64]:
    """One column a row, with probability in proportion to the row's weights."""
    total = np.cumsum(weights, axis=1)
    return (total < rng.random(len(weights))[:, None] * total[:, -1:]).sum(axis=1)


def _random_of(
    key: NDArray[np.int64],
    value: NDArray[np.int64],
    wanted: NDArray[np.int64],
    size: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """For each wanted key a random one of its values; the key itself if it has none. ``key`` is ascending."""
    bounds = np.searchsorted(key, np.arange(size + 1))
    begin, count = bounds[wanted], bounds[wanted + 1] - bounds[wanted]
    if not len(value):
        return wanted
    found = value[np.minimum(begin + (rng.random(len(wanted)) * count).astype(np.int64), len(value) - 1)]
    return np.where(count > 0, found, wanted)
