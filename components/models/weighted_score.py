"""From the probabilities of all heads to one score: weights, the negative-score offset, and every term's share.

Pure functions over arrays; published weights by name. A weight multiplies a probability predicted for this viewer,
never a public count.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

EPSILON = 0.001
"""What separates squeezed negative scores from the rest."""


def _read_only(weights: Mapping[str, float]) -> Mapping[str, float]:
    return MappingProxyType(dict(weights))


@attrs.frozen
class WeightSet:
    """Weights by head.

    Attributes:
        weights: of probabilities in [0, 1]; their sums scale the offset.
        continuous: of predicted amounts (seconds); part of the score, not of the offset's scale.
        mutual_boosts: added to weights, for original posts by authors who follow the viewer back.
        video_gated: heads that count as :func:`video_quality_view_gate` says.
    """

    name: str
    weights: Mapping[str, float] = attrs.field(converter=_read_only)
    continuous: Mapping[str, float] = attrs.field(factory=dict, converter=_read_only)
    mutual_boosts: Mapping[str, float] = attrs.field(factory=dict, converter=_read_only)
    video_gated: frozenset[str] = frozenset()

    @property
    def positive_mass(self) -> float:
        """Sum of the positive weights."""
        return sum(weight for weight in self.weights.values() if weight > 0)

    @property
    def negative_mass(self) -> float:
        """Sum of the negative weights, as a positive number."""
        return -sum(weight for weight in self.weights.values() if weight < 0)


MUTUAL_REPLY_BOOST = 15.0
"""Added to the reply weight for an original post by an author who follows the viewer back (August 2026)."""

APRIL_2023 = WeightSet(
    "april_2023",
    {
        "is_favorited": 0.5,
        "is_retweeted": 1.0,
        "is_replied": 13.5,
        "is_profile_clicked_and_profile_engaged": 12.0,
        "is_video_playback_50": 0.005,
        "is_replied_reply_engaged_by_author": 75.0,
        "is_good_clicked_convo_desc_favorited_or_replied": 11.0,
        "is_good_clicked_convo_desc_v2": 10.0,
        "is_negative_feedback_v2": -74.0,
        "is_report_tweet_clicked": -369.0,
    },
)
"""Published on 5 April 2023 with the heavy ranker."""

AUGUST_2026 = WeightSet(
    "august_2026",
    {
        "favorite": 0.5,
        "reply": 5.0,
        "repost": 1.0,
        "photo_expand": 0.05,
        "video_open": 0.05,
        "click": 0.4,
        "open_link": 0.2,
        "profile_click": 0.0,
        "vqv": 0.05,
        "share": 2.0,
        "share_via_dm": 5.0,
        "share_via_copy_link": 20.0,
        "dwell": 0.0,
        "quote": 5.0,
        "quoted_click": 0.05,
        "quoted_vqv": 0.0,
        "follow_author": 4.0,
        "post_unexplored": 0.02,
        "not_interested": -43.2,
        "block_author": -31.2,
        "mute_author": -58.8,
        "report": -234.0,
        "not_dwelled": -0.02,
    },
    continuous={"dwell_time": 0.004, "click_dwell_time": 0.0},
    mutual_boosts={"reply": MUTUAL_REPLY_BOOST},
    video_gated=frozenset({"vqv"}),
)
"""The August 2026 release of x-algorithm."""

WEIGHT_SETS: Mapping[str, WeightSet] = MappingProxyType({s.name: s for s in (APRIL_2023, AUGUST_2026)})

VIDEO_MIN_DURATION_MS = 10_000
VIDEO_MAX_VIEWER_FOLLOWERS = 10_000


@attrs.frozen(eq=False)
class WeightedScore:
    """Scores of a batch, and what each term added.

    Shapes: ``terms`` name -> (rows,), weight times prediction; ``net`` (rows,) their sum; ``score`` (rows,) after the
    offset, not negative.
    """

    terms: Mapping[str, NDArray[np.float64]]
    net: NDArray[np.float64]
    score: NDArray[np.float64]


def weighted_score(
    predictions: Mapping[str, NDArray[np.floating]],
    weights: WeightSet,
    boosts: Mapping[str, NDArray[np.floating]] | None = None,
) -> WeightedScore:
    """Sums weight times prediction over the heads that are given, then applies the offset.

    Args:
        predictions: head -> (rows,); NaN means the head was not predicted and adds nothing. Heads of the weight set
            may be absent.
        boosts: head -> (rows,), added to the head's weight row by row; not part of the offset's scale.

    Raises:
        ValueError: a prediction or boost has no weight, or no head is given.
    """
    known = {**weights.weights, **weights.continuous}
    unknown = sorted((set(predictions) | set(boosts or {})) - set(known))
    if unknown or not predictions:
        raise ValueError(f"{weights.name}: expected heads of {sorted(known)}, got {unknown or 'none'}")
    terms = {}
    for head, values in predictions.items():
        weight = known[head] + (0.0 if boosts is None else np.asarray(boosts.get(head, 0.0), np.float64))
        terms[head] = np.nan_to_num(np.asarray(values, np.float64), nan=0.0) * weight
    net = np.sum(list(terms.values()), axis=0)
    return WeightedScore(terms, net, offset(net, weights.positive_mass, weights.negative_mass))


def offset(net: NDArray[np.floating], positive_mass: float, negative_mass: float) -> NDArray[np.float64]:
    """Makes every score positive and keeps the order, so that multipliers applied later stay monotone.

    Negative sums are squeezed into [0, epsilon * N / (P + N)): ``(net + N) / (P + N) * epsilon``; others start at
    epsilon.
    Source: home-mixer 2023 and x-algorithm 2026, epsilon 0.001.
    """
    net = np.asarray(net, np.float64)
    total = positive_mass + negative_mass
    if total == 0.0:
        return np.maximum(net, 0.0)
    return np.where(net < 0.0, (net + negative_mass) / total * EPSILON, net + EPSILON)


def good_click(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """The 2023 value of the conversation-click head: the larger of its two versions.

    The second version also counts under its own weight.
    """
    return np.maximum(np.asarray(first, np.float64), np.asarray(second, np.float64))


def mutual_reply_boost(
    is_mutual: NDArray[np.bool_], is_original: NDArray[np.bool_], boost: float = MUTUAL_REPLY_BOOST
) -> NDArray[np.float64]:
    """Extra reply weight, (rows,), for original posts of mutual follows. Source: x-algorithm, August 2026."""
    return np.where(is_mutual & is_original, boost, 0.0)


def video_quality_view_gate(
    probability: NDArray[np.floating], duration_ms: NDArray[np.floating], viewer_followers: float | None
) -> NDArray[np.float64]:
    """The video-view probability where it counts, 0 elsewhere.

    It counts for videos strictly longer than 10 s and viewers with fewer than 10,000 followers; an unknown follower
    count is fewer, an unknown duration (NaN) is shorter. Source: x-algorithm, August 2026.
    """
    small = viewer_followers is None or viewer_followers < VIDEO_MAX_VIEWER_FOLLOWERS
    counts = np.asarray(duration_ms, np.float64) > VIDEO_MIN_DURATION_MS
    return np.where(counts & small, np.asarray(probability, np.float64), 0.0)
