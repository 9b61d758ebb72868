"""The planted truth of a world: for any viewer and post, the probability of every action."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from components.datasets.schema import Action

BASE_RATES = {
    Action.FAV: 0.14,
    Action.RETWEET: 0.045,
    Action.REPLY: 0.035,
    Action.GOOD_PROFILE_CLICK: 0.01,
    Action.VIDEO_PLAYBACK_50: 0.08,
    Action.REPLY_ENGAGED_BY_AUTHOR: 0.004,
    Action.GOOD_CLICK: 0.10,
    Action.GOOD_CLICK_V2: 0.02,
    Action.NEGATIVE_FEEDBACK_V2: 0.002,
    Action.REPORT: 1e-5,
}
"""Rate of each action at full interest. Those of like, repost, reply, video and click are published with the August
2026 world; the others keep the order of magnitude of the April 2023 heads, down to one report in 100,000."""

GATE_SLOPE, GATE_CENTRE = 14.0, 0.10
POSITION_DECAY = 0.85
"""Each place further down a slate is looked at 0.85 times as often."""


@attrs.frozen
class Truth:
    """What the generator planted.

    Args:
        preference: ``(users, topics)`` rows sum to one.
        author_quality: ``(users,)`` in [0, 1].
        user_id: ``(users,)`` ascending.
        post_id: ``(posts,)`` ascending.
        post_author: ``(posts,)`` row of the author.
        post_topic: ``(posts,)``.
        post_quality: ``(posts,)`` in [0, 1].
        is_video: ``(posts,)`` whether VIDEO_PLAYBACK_50 is possible.
    """

    preference: NDArray[np.float32]
    author_quality: NDArray[np.float32]
    user_id: NDArray[np.int64]
    post_id: NDArray[np.int64]
    post_author: NDArray[np.int64]
    post_topic: NDArray[np.int64]
    post_quality: NDArray[np.float32]
    is_video: NDArray[np.bool_]

    @property
    def main_topic(self) -> NDArray[np.int64]:
        """``(users,)`` the planted community of each user: the topic they like best, and mostly post about."""
        return self.preference.argmax(axis=1)

    def affinity(self, viewer_ids: NDArray[np.int64], post_ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """``(n,)`` preference for the topic times author quality times post quality."""
        viewer = _rows(self.user_id, viewer_ids, "user")
        post = _rows(self.post_id, post_ids, "post")
        taste = self.preference[viewer, self.post_topic[post]].astype(np.float64)
        return taste * self.author_quality[self.post_author[post]] * self.post_quality[post]

    def probability(
        self, viewer_ids: NDArray[np.int64], post_ids: NDArray[np.int64], head: Action | None = None
    ) -> NDArray[np.float64]:
        """Probability of acting on a post that is looked at: ``(n,)`` for one head, else ``(n, 10)``.

        Raises:
            KeyError: an id is unknown.
        """
        gate = interest(self.affinity(viewer_ids, post_ids))
        video = self.is_video[_rows(self.post_id, post_ids, "post")]
        return rates(gate, video) if head is None else _rate(head, gate, video)


def interest(affinity: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n,)`` the published gate in (0, 1): how far an affinity opens it."""
    return 1.0 / (1.0 + np.exp(-GATE_SLOPE * (affinity - GATE_CENTRE)))


def rates(gate: NDArray[np.float64], video: NDArray[np.bool_]) -> NDArray[np.float64]:
    """``(n, 10)`` probability of every action on a post that is looked at with that interest."""
    return np.stack([_rate(action, gate, video) for action in Action], axis=1)


def dwell_s(gate: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """``(n,)`` seconds spent on a post: exp(N(ln 6 + 2 gate, 0.8)) within [0.5, 300], as published."""
    return np.clip(np.exp(rng.normal(np.log(6) + 2 * gate, 0.8)), 0.5, 300)


def _rate(action: Action, gate: NDArray[np.float64], video: NDArray[np.bool_]) -> NDArray[np.float64]:
    base = BASE_RATES[action]
    if action in (Action.NEGATIVE_FEEDBACK_V2, Action.REPORT):
        return base * (1.0 - gate)  # people complain about what does not interest them
    return base * gate * video if action is Action.VIDEO_PLAYBACK_50 else base * gate


def _rows(known: NDArray[np.int64], ids: NDArray[np.int64], what: str) -> NDArray[np.intp]:
    rows = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    if len(ids) and not np.array_equal(known[rows], ids):
        raise KeyError(f"unknown {what} id {np.asarray(ids)[known[rows] != ids][0]}")
    return rows
