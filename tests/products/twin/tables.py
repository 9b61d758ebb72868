"""What was known at a moment, as dictionaries of ids, and what of it concerns one viewer."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import attrs

from components.datasets import Action, Dataset, Relation

if TYPE_CHECKING:
    from components.stores.types import Viewer

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NEGATIVE = {Action.NEGATIVE_FEEDBACK_V2, Action.REPORT}
ALIASES: dict[str, str] = {"nsfw": "nsfw_high_precision", "toxicity": "abuse"}
STRONG = 0.8


@attrs.frozen
class Post:
    id: int
    author: int
    created_ms: int
    text: str
    topic: int
    language: str
    media: int
    reply_to: int
    repost_of: int
    quote_of: int
    subscribers_only: int


def rows(table, *names):
    """Tuples of the values of some columns, row by row."""
    return zip(*(table[name].tolist() for name in names), strict=True)


class Tables:
    """What was known just before a moment; references among posts, labels and muted words have no date."""

    def __init__(self, data: Dataset, now_ms: int) -> None:
        self.now_ms = now_ms
        names = [field.name for field in attrs.fields(Post)]
        columns = ["post_id", "author_id", *names[2:]]
        self.posts = {one[0]: Post(*one) for one in sorted(rows(data.posts, *columns))}
        self.users = set(data.users["user_id"].tolist())
        self.posts_of: dict[int, list[Post]] = defaultdict(list)
        for post in sorted(self.posts.values(), key=lambda post: post.created_ms):
            self.posts_of[post.author].append(post)
        self._people(data)
        self._engagements(data)
        self._labels(data)

    def _people(self, data: Dataset) -> None:
        self.follows: dict[int, list[int]] = defaultdict(list)
        self.followers: dict[int, list[int]] = defaultdict(list)
        follows = rows(data.follows, "created_ms", "follower_id", "followee_id")
        for since, one, other in sorted(follows, key=lambda row: row[0]):
            if since < self.now_ms and other not in self.follows[one]:
                self.follows[one].append(other)
                self.followers[other].append(one)
        self.decided: dict[Relation, dict[int, list[tuple[int, int]]]] = {
            kind: defaultdict(list) for kind in Relation
        }
        self.deciders: dict[Relation, dict[int, set[int]]] = {kind: defaultdict(set) for kind in Relation}
        decisions = rows(data.relations, "time_ms", "kind", "user_id", "subject_id")
        for since, kind, one, other in sorted(decisions, key=lambda row: row[0]):
            if since < self.now_ms:
                self.decided[Relation(kind)][one].append((other, since))
                self.deciders[Relation(kind)][other].add(one)
        self.muted: dict[int, list[str]] = defaultdict(list)
        for one, words in rows(data["muted_words"], "user_id", "words"):
            self.muted[one].append(words)

    def _engagements(self, data: Dataset) -> None:
        """Each pair once, when it first happened; oldest first."""
        self.engaged: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self.engagers: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self.engagements: list[tuple[int, int, int]] = []
        known: set[tuple[int, int]] = set()
        acts = rows(data.engagements, "time_ms", "viewer_id", "post_id", "action")
        for at, one, post, action in sorted(acts, key=lambda row: row[0]):
            if at < self.now_ms and action not in NEGATIVE and (one, post) not in known:
                known.add((one, post))
                self.engaged[one].append((at, post))
                self.engagers[post].append((at, one))
                self.engagements.append((at, one, post))

    def _labels(self, data: Dataset) -> None:
        self.post_labels: dict[int, set[str]] = defaultdict(set)
        for post, label, score in rows(data["labels"], "post_id", "label", "score"):
            if score >= STRONG:
                self.post_labels[post].add(ALIASES.get(str(label), str(label)))
        self.account_labels: dict[int, set[str]] = defaultdict(set)
        for user, label in rows(data["account_labels"], "user_id", "label"):
            self.account_labels[user].add(label)

    def above(self, post: Post) -> list[Post]:
        """What a post answers, what that answers, and so on, as far as it is here; nearest first."""
        found: list[Post] = []
        while post.reply_to in self.posts:
            post = self.posts[post.reply_to]
            found.append(post)
        return found

    def since(self, post: int, hours: float) -> int:
        """How often a post was engaged with in the hours before."""
        return sum(at >= self.now_ms - int(hours * HOUR_MS) for at, _ in self.engagers[post])


class Who:
    """A viewer, at the moment of the tables.

    Args:
        tables: of that moment.
        viewer: who asks for what.
        quality: the share of every cap that the load allows.
        seen: ids that the viewer was shown within two days.
        served: ids that the viewer was answered within ten minutes, or that were on the pages before.
    """

    def __init__(
        self, tables: Tables, viewer: Viewer, quality: float, seen: set[int], served: set[int]
    ) -> None:
        self.tables, self.quality = tables, quality
        self.seen, self.served, self.limit = seen, served, viewer.limit
        self.id, self.controls, self.request = viewer.user_id, viewer.controls, viewer.request
        self.settings = viewer.settings
        self.now_ms = tables.now_ms
        personal = self.controls.personalised
        self.follows = tables.follows[self.id] if personal else []
        self.engaged = [post for _, post in tables.engaged[self.id]] if personal else []

    def cap(self, param, share: float = 1.0) -> int:
        whole = int(self.request.params[param] * share)
        return max(int(whole * self.quality), min(whole, 1))

    def of(self, param):
        return self.request.params[param]

    def age_h(self, post: Post) -> float:
        return (self.now_ms - post.created_ms) / HOUR_MS

    def knows(self, post: Post) -> bool:
        """In network: by somebody followed, or by the viewer."""
        return post.author == self.id or post.author in self.follows

    def about(self, kind: Relation) -> set[int]:
        """About whom the viewer decided this."""
        return {other for other, _ in self.tables.decided[kind][self.id]}

    def decided_by(self, kind: Relation) -> set[int]:
        """Who decided this about the viewer."""
        return self.tables.deciders[kind][self.id]
