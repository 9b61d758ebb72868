"""Training examples from what was shown: every slate is a request, every head has its label."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs
import numpy as np

from components.datasets import Action, Dataset
from components.features.declared import Asked, FeatureSet
from components.models.heavy_ranker.rows import Rows
from components.stores.stores import Stores
from components.units import HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

HEADS: Mapping[Action, str] = MappingProxyType(
    {
        Action.FAV: "is_favorited",
        Action.RETWEET: "is_retweeted",
        Action.REPLY: "is_replied",
        Action.GOOD_PROFILE_CLICK: "is_profile_clicked_and_profile_engaged",
        Action.VIDEO_PLAYBACK_50: "is_video_playback_50",
        Action.REPLY_ENGAGED_BY_AUTHOR: "is_replied_reply_engaged_by_author",
        Action.GOOD_CLICK: "is_good_clicked_convo_desc_favorited_or_replied",
        Action.GOOD_CLICK_V2: "is_good_clicked_convo_desc_v2",
        Action.NEGATIVE_FEEDBACK_V2: "is_negative_feedback_v2",
        Action.REPORT: "is_report_tweet_clicked",
    }
)
"""The head of the heavy ranker that learns each action, by its published name."""
LABEL_WINDOW_MS = 3 * HOUR_MS
"""An action counts for an impression up to three hours before it. Source: recap's ``rectify_labels``."""


@attrs.frozen(eq=False)
class Examples:
    """What was shown, and what followed.

    Args:
        asked: the slates as requests, in order of time.
        labels: ``(pairs, 10)`` of 0 and 1, in the order of ``Action``.
    """

    asked: Asked
    labels: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.labels)

    def during(self, from_ms: int, before_ms: int) -> Examples:
        """The requests of a stretch of time."""
        kept = (self.asked.now_ms >= from_ms) & (self.asked.now_ms < before_ms)
        pairs = kept[self.asked.request]
        requests = np.cumsum(kept) - 1
        asked = Asked(
            self.asked.viewer[kept],
            self.asked.now_ms[kept],
            requests[self.asked.request[pairs]],
            self.asked.post[pairs],
        )
        return Examples(asked, self.labels[pairs])

    def rows(self, features: FeatureSet) -> Rows:
        """Features as of each request, and a label for every head by its name."""
        labels = {HEADS[action]: self.labels[:, int(action)] for action in Action}
        return attrs.evolve(features.rows(self.asked), labels=labels)

    def parts(self, pairs: int) -> Iterator[Examples]:
        """The same examples in parts of whole requests, of about so many pairs each."""
        bounds = np.searchsorted(self.asked.request, np.arange(len(self.asked.viewer) + 1))
        cuts = np.searchsorted(bounds, np.arange(pairs, len(self) + pairs, pairs))
        times = np.unique(np.minimum(cuts, len(self.asked.viewer)))
        start = 0
        for stop in times.tolist():
            if stop > start:
                yield self._requests(start, stop, slice(int(bounds[start]), int(bounds[stop])))
            start = stop

    def _requests(self, start: int, stop: int, pairs: slice) -> Examples:
        asked = self.asked
        part = Asked(
            asked.viewer[start:stop],
            asked.now_ms[start:stop],
            asked.request[pairs] - start,
            asked.post[pairs],
        )
        return Examples(part, self.labels[pairs])


def shown_examples(stores: Stores, data: Dataset, window_ms: int = LABEL_WINDOW_MS) -> Examples:
    """Every impression with what its viewer did with the post, until it was shown again or the window closed."""
    shown = data["impressions"].sort_by("time_ms", "viewer_id", "position", "post_id")
    viewer = stores.users.rows_of(shown["viewer_id"])
    post = stores.posts.index.rows_of(shown["post_id"])
    time_ms = shown["time_ms"]
    starts = np.ones(len(shown), np.bool_)
    starts[1:] = (np.diff(time_ms) != 0) | (np.diff(viewer) != 0)
    asked = Asked(viewer[starts], time_ms[starts], np.cumsum(starts) - 1, post)
    return Examples(asked, _labels(stores, data, (viewer, post, time_ms), window_ms))


def _labels(
    stores: Stores, data: Dataset, shown: tuple[NDArray[np.int64], ...], window_ms: int
) -> NDArray[np.float32]:
    viewer, post, time_ms = shown
    did = data["engagements"]
    labels = np.zeros((len(viewer), len(Action)), np.float32)
    if not len(viewer) or not len(did):
        return labels
    pair = viewer * len(stores.posts) + post
    acted = stores.users.rows_of(did["viewer_id"]) * len(stores.posts)
    acted = acted + stores.posts.index.rows_of(did["post_id"])
    order = np.lexsort((time_ms, pair))
    moments = np.unique(np.concatenate([time_ms, did["time_ms"]]))
    clock = np.searchsorted(np.unique(pair), pair) * len(moments) + np.searchsorted(moments, time_ms)
    known = np.isin(acted, pair)
    wanted = np.searchsorted(np.unique(pair), acted) * len(moments) + np.searchsorted(moments, did["time_ms"])
    at = np.searchsorted(clock[order], wanted, side="right") - 1
    impression = order[np.maximum(at, 0)]
    late = did["time_ms"] - time_ms[impression]
    counts = known & (pair[impression] == acted) & (late >= 0) & (late < window_ms)
    labels[impression[counts], did["action"][counts].astype(np.int64)] = 1.0
    return labels
