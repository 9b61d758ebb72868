"""What weights of 2026 depend on besides the head: who follows whom, and how long a video is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from components.models.weighted_score import WeightSet, mutual_reply_boost, video_quality_view_gate
from components.stores.types import Post, Viewer
from mixer import Candidates

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen(eq=False)
class Pairs:
    """A viewer and posts.

    Args:
        mutual: ``(n,)`` viewer and author follow each other.
        original: ``(n,)`` neither a reply nor a repost.
        video_ms: ``(n,)`` length of the post's video, or of that which it reposts; 0 without one or if unknown.
        followers: of the viewer.
    """

    mutual: NDArray[np.bool_]
    original: NDArray[np.bool_]
    video_ms: NDArray[np.float64]
    followers: int

    @classmethod
    def of(cls, viewer: Viewer, posts: Candidates[Post]) -> Pairs:
        """As the candidates' columns and the stores behind the viewer's history say."""
        history = viewer.history
        store, rows = history.stores.posts, posts[Post.row]
        threads = store.threads
        played = np.where(threads.repeated[rows] >= 0, threads.repeated[rows], rows)
        followers = history.stores.follows.reverse.degrees(np.array([history.row]), history.now_ms)
        return cls(
            posts[Post.mutual_follow],
            threads.are_original(rows),
            store.number("video_ms", 0)[played].astype(np.float64),
            int(followers[0]),
        )

    def gated(self, predicted: Mapping[str, NDArray[Any]], weights: WeightSet) -> Mapping[str, NDArray[Any]]:
        """The probabilities, with those of video heads where they count."""
        videos = weights.video_gated & predicted.keys()
        return {
            head: video_quality_view_gate(values, self.video_ms, self.followers) if head in videos else values
            for head, values in predicted.items()
        }

    def boosts(
        self, predicted: Mapping[str, NDArray[Any]], weights: WeightSet
    ) -> Mapping[str, NDArray[np.float64]]:
        """What is added to weights, by head."""
        return {
            head: mutual_reply_boost(self.mutual, self.original, boost)
            for head, boost in weights.mutual_boosts.items()
            if head in predicted
        }
