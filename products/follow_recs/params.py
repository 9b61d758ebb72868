"""What can be set about follow recommendations, per request, by environment or experiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.rankers.sampling import Shuffle
from mixer.params import Bundle, Param, param

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
MUTUAL_CAP = param(
    "follow_recs.mutual_follows.cap", 200, minimum=0, maximum=5_000, doc="Friends of mutual friends."
)
LANGUAGE_CAP = param(
    "follow_recs.in_language.cap",
    100,
    minimum=0,
    maximum=5_000,
    doc="Popular among speakers of the language.",
)
TWO_HOP_CAP = param("follow_recs.two_hop.cap", 200, minimum=0, maximum=5_000, doc="Ties of ties.")
TIES_CAP = param(
    "follow_recs.out_of_network_ties.cap", 200, minimum=0, maximum=1_000, doc="Likely ties, not followed."
)
TIES_LEAST = param(
    "follow_recs.out_of_network_ties.least",
    0.26,
    minimum=0.0,
    maximum=1.0,
    doc="Probability from which such a tie counts.",
)
TWHIN_CAP = param(
    "follow_recs.twhin.cap", 200, minimum=0, maximum=5_000, doc="Accounts by translation embeddings."
)
SIMCLUSTERS_CAP = param(
    "follow_recs.simclusters.cap", 200, minimum=0, maximum=5_000, doc="Accounts by communities."
)
WINDOW_H = param(
    "follow_recs.window_h", 24.0, minimum=0.0, doc="Hours in which new followers count as recent."
)


WEIGHTS: Mapping[str, Param[float]] = {
    source: param(
        f"follow_recs.{source}.weight",
        1.0,
        minimum=0.0,
        maximum=2_000.0 if source == "out_of_network_ties" else 1_000.0,
        doc=f"Weight of {source} among the sources; 0 leaves it unasked.",
    )
    for source in (
        "friends_of_friends",
        "mutual_interest",
        "similar_to_follows",
        "recently_followed_by_followed",
        "circle_salsa",
        "triangular_loops",
        "mutual_follows",
        "two_hop",
        "out_of_network_ties",
        "twhin_accounts",
        "simclusters_accounts",
        "reciprocation",
        "trending",
        "popular_in_language",
        "popular",
    )
}
"""How often each source gets its turn."""
FAMILY = param(
    "follow_recs.sources.held_back",
    "none",
    choices=("none", "social", "geo_and_interests", "activity_contextual"),
    doc="A family of sources that is not asked.",
)
DRAWN = param("follow_recs.sources.drawn", False, doc="Draw sources by weight; else they take turns.")
SHUFFLE = param("follow_recs.sources.shuffle", Shuffle.EXPONENTIAL, doc="Order within a source, when drawn.")
RANK_CAP = param(
    "follow_recs.ranker.cap", 500, minimum=50, maximum=600, doc="Accounts ranked at full quality."
)
MIN_SCALE = param(
    "follow_recs.ranker.min_scale_down",
    0.3,
    minimum=0.1,
    maximum=1.0,
    doc="Share of them ranked under any load.",
)
ML = param("follow_recs.ranker.ml", True, doc="Order by the trained model.")
ML_FLOOR = param(
    "follow_recs.ranker.ml_quality_floor",
    0.3,
    minimum=0.1,
    maximum=1.0,
    doc="At this quality factor or below, the model is left out.",
)
ENGAGEMENT = param(
    "follow_recs.ranker.engagement_weight",
    0.0,
    minimum=0.0,
    maximum=100.0,
    doc="What engaging with somebody is worth, where following is worth 1.",
)
TRIAL = param(
    "follow_recs.ranker.trial_percent",
    0.0,
    minimum=0.0,
    maximum=100.0,
    doc="Percent of accounts that stand where the ranker on trial puts them.",
)
FATIGUE = param(
    "follow_recs.fatigue", True, doc="Move down what was shown before, five places an impression."
)
SAMPLING = param("follow_recs.sampling", False, doc="Draw the final order (Plackett-Luce), log propensities.")
SAMPLING_FACTOR = param(
    "follow_recs.sampling.factor",
    1.0,
    minimum=-1_000.0,
    maximum=1_000.0,
    doc="How decided that draw is; 0: uniform.",
)
SAMPLING_FIXED = param(
    "follow_recs.sampling.fixed", 0, minimum=0, maximum=100, doc="How many on top are not drawn."
)


FILTERS: Mapping[str, Param[bool]] = {
    name: param(f"follow_recs.filters.{name}", on, doc=f"Drop accounts: {why}.")
    for name, on, why in (
        ("excluded", True, "the viewer's own, and what the request excludes"),
        ("followed", True, "that the viewer follows"),
        ("dismissed", True, "that the viewer dismissed within 180 days"),
        ("recommended", True, "that the request names as recommended before"),
        ("relationship", True, "that the viewer blocks or mutes"),
        ("near_zero", False, "that did nothing lately"),
        ("account_state", True, "gone, suspended, protected, not safe for work"),
        ("relationships", True, "that block or mute the viewer"),
        ("inactive", False, "without a post for long"),
    )
}
"""Switches of the filters, in the order in which they are asked."""
NEAR_ZERO_DAYS = param(
    "follow_recs.near_zero.days", 30.0, minimum=1.0, maximum=500.0, doc="Days without any act for near-zero."
)
INACTIVE_DAYS = param(
    "follow_recs.inactive.days", 60.0, minimum=1.0, maximum=500.0, doc="Days without a post for inactive."
)
HOLD_BACK_SOCIAL = param(
    "follow_recs.hold_back.social_percent",
    0.0,
    minimum=0.0,
    maximum=100.0,
    doc="Percent of viewers without social sources.",
)
HOLD_BACK_ACCOUNTS = param(
    "follow_recs.hold_back.accounts_percent",
    0.0,
    minimum=0.0,
    maximum=100.0,
    doc="Percent of accounts shown to nobody.",
)
SOCIAL_PROOF = param("follow_recs.social_proof", True, doc="Say who of the followed follows an account.")
TRACKING = param("follow_recs.tracking", True, doc="Sign each result, where there is a key.")
DARK_READS = param(
    "follow_recs.dark_reads.percent",
    0.0,
    minimum=0.0,
    maximum=100.0,
    doc="Percent of requests that another flow answers too.",
)

PUBLISHED: Mapping[Param[Any], object] = {
    RESULTS: 3,
    DRAWN: True,
    RANK_CAP: 100,
    ML: False,
    FILTERS["relationship"]: False,
}
AS_PUBLISHED = Bundle(
    param("follow_recs.as_published", False, doc="Settings of the original where ours differ."), PUBLISHED
)

PRESETS: Mapping[str, Mapping[Param[Any], object]] = {"higgs": {WINDOW_H: 6.0}, "published": PUBLISHED}
"""Values that fit a data set better than the defaults: Higgs is one week, and one piece of news."""
