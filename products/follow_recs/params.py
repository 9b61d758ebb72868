"""What can be set about follow recommendations, per request, by environment or experiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixer.params import Param, param

RESULTS = param("follow_recs.results", 10, minimum=0, maximum=1_000, doc="Accounts in an answer.")
BATCH = param("follow_recs.validation_batch", 12, minimum=1, maximum=1_000, doc="Accounts validated at once.")
FRIENDS_CAP = param(
    "follow_recs.friends_of_friends.cap", 300, minimum=0, maximum=5_000, doc="Friends of friends."
)
INTEREST_CAP = param(
    "follow_recs.mutual_interest.cap", 300, minimum=0, maximum=5_000, doc="People of like interest."
)
POPULAR_CAP = param("follow_recs.popular.cap", 100, minimum=0, maximum=5_000, doc="Popular accounts.")
SIMILAR_CAP = param(
    "follow_recs.similar.cap", 200, minimum=0, maximum=5_000, doc="Accounts like those followed."
)
LATELY_CAP = param(
    "follow_recs.lately.cap", 50, minimum=0, maximum=5_000, doc="Whom the followed follow just now."
)
CIRCLE_CAP = param(
    "follow_recs.circle.cap", 200, minimum=0, maximum=5_000, doc="Accounts by the circle of trust."
)
TRIANGLE_CAP = param(
    "follow_recs.triangle.cap", 100, minimum=0, maximum=5_000, doc="Who follows back by a corner."
)
TRENDING_CAP = param(
    "follow_recs.trending.cap", 100, minimum=0, maximum=5_000, doc="Accounts followed lately."
)
RECIPROCATION_CAP = param(
    "follow_recs.reciprocation.cap", 100, minimum=0, maximum=5_000, doc="The viewer's followers."
)
WINDOW_H = param(
    "follow_recs.window_h", 24.0, minimum=0.0, doc="Hours in which new followers count as recent."
)
RANK_CAP = param(
    "follow_recs.ranker.cap", 500, minimum=1, maximum=5_000, doc="Accounts ranked at full quality."
)

PRESETS: Mapping[str, Mapping[Param[Any], object]] = {"higgs": {WINDOW_H: 6.0}}
"""Values that fit a data set better than the defaults: Higgs is one week, and one piece of news."""
