"""What can be set about For You, per request, by environment (``MIXER_PARAM_FOR_YOU_...``) or experiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixer.params import Param, param

RESULTS = param("for_you.results", 20, minimum=0, maximum=1_000, doc="Posts in an answer.")
BATCH = param("for_you.validation_batch", 50, minimum=1, maximum=1_000, doc="Posts validated at once.")
MAX_AGE_H = param("for_you.max_age_h", 48.0, minimum=0.0, doc="Posts older than so many hours are not shown.")
WINDOW_H = param(
    "for_you.popularity_window_h", 24.0, minimum=0.0, doc="Hours in which engagements count as recent."
)
IN_NETWORK_CAP = param(
    "for_you.in_network.cap", 600, minimum=0, maximum=5_000, doc="Posts from followed authors."
)
CO_ENGAGEMENT_CAP = param(
    "for_you.co_engagement.cap", 300, minimum=0, maximum=5_000, doc="Posts by co-engagement."
)
POPULAR_CAP = param("for_you.popular.cap", 200, minimum=0, maximum=5_000, doc="Popular posts.")
RANK_CAP = param("for_you.ranker.cap", 500, minimum=1, maximum=5_000, doc="Posts ranked at full quality.")
DECAY = param(
    "for_you.diversity.decay", 0.5, minimum=0.0, maximum=1.0, doc="What each further post of an author keeps."
)
FLOOR = param("for_you.diversity.floor", 0.25, minimum=0.0, maximum=1.0, doc="What a post keeps at least.")
STRANGER_FACTOR = param(
    "for_you.out_of_network.factor", 0.75, minimum=0.0, maximum=1.0, doc="What a post out of network keeps."
)

PRESETS: Mapping[str, Mapping[Param[Any], object]] = {
    "lastfm": {MAX_AGE_H: 180 * 24.0, WINDOW_H: 60 * 24.0},
}
"""Values that fit a data set better than the defaults: on Last.fm people post a few times a year."""
