"""What can be set about For You, per request, by environment (``MIXER_PARAM_FOR_YOU_...``) or experiment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.models.weighted_score import APRIL_2023, MUTUAL_REPLY_BOOST, WEIGHT_SETS
from components.stores.replays import LEAST
from mixer.param_domain import Domain
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
LIKED_CAP = param(
    "for_you.liked_by_followed.cap", 300, minimum=0, maximum=5_000, doc="Posts that the followed like."
)
TRENDING_CAP = param(
    "for_you.trending.cap", 100, minimum=0, maximum=5_000, doc="Posts that trend in their topic."
)
AUTHORS_CAP = param(
    "for_you.recommended_authors.cap", 100, minimum=0, maximum=5_000, doc="Posts by whom the followed follow."
)
TOPICS_CAP = param(
    "for_you.topics.cap",
    1_000,
    minimum=0,
    maximum=5_000,
    doc="Posts on one to six topics that a request names.",
)
EXPLORE_SLATE = param(
    "for_you.exploration.slate", 600, minimum=0, maximum=5_000, doc="Posts of which a twentieth explores."
)
SIMCLUSTERS_CAP = param("for_you.simclusters.cap", 300, minimum=0, maximum=5_000, doc="Posts by communities.")
TWHIN_CAP = param("for_you.twhin.cap", 300, minimum=0, maximum=5_000, doc="Posts by translation embeddings.")
TWO_TOWER_CAP = param("for_you.two_tower.cap", 300, minimum=0, maximum=5_000, doc="Posts by two towers.")
BACKFILL_CAP = param(
    "for_you.backfill.cap", 50, minimum=0, maximum=5_000, doc="Older posts that stand behind everything else."
)
BACKFILL_AGE_H = param("for_you.backfill.max_age_h", 30 * 24.0, minimum=0.0, doc="How old those may be.")
HEAVY_CAP = param(
    "for_you.heavy.cap", 500, minimum=1, maximum=5_000, doc="Posts that the light ranker leaves to the heavy."
)
RANK_CAP = param("for_you.ranker.cap", 1_500, minimum=1, maximum=5_000, doc="Posts ranked at full quality.")
REPLAY = param(
    "for_you.replay",
    False,
    doc="Rank what was ranked within three minutes as before, and look for nothing new.",
)
REPLAY_LEAST = param(
    "for_you.replay.least",
    LEAST,
    minimum=1,
    doc="Ranked posts that there must be for that; with fewer, look anew.",
)
DECAY = param(
    "for_you.diversity.decay", 0.5, minimum=0.0, maximum=1.0, doc="What each further post of an author keeps."
)
FLOOR = param("for_you.diversity.floor", 0.25, minimum=0.0, maximum=1.0, doc="What a post keeps at least.")
STRANGER_FACTOR = param(
    "for_you.out_of_network.factor", 0.75, minimum=0.0, maximum=1.0, doc="What a post out of network keeps."
)
STRANGER_ONCE = param(
    "for_you.out_of_network.once", True, doc="One post of an author out of network from each source."
)

QUOTAS = param("for_you.quotas", True, doc="Put what is over the quotas of both networks behind the rest.")
IN_QUOTA = param("for_you.quotas.in_network", 60, minimum=0, doc="Posts by followed people in front.")
OUT_QUOTA = param("for_you.quotas.out_of_network", 60, minimum=0, doc="Posts by strangers in front.")

COLD_START = param("for_you.cold_start", True, doc="Lift one post of a small author that few have seen.")
COLD_START_FOLLOWERS = param(
    "for_you.cold_start.followers", 1_000, minimum=0, doc="A small author has at most so many followers."
)
COLD_START_VIEWS = param(
    "for_you.cold_start.views", 1_000, minimum=0, doc="Few have seen it if it was shown less often."
)
SLATE = param("for_you.slate.diverse", False, doc="Choose the slate by worth and diversity together.")
SLATE_THETA = param(
    "for_you.slate.theta", 0.65, minimum=0.0, maximum=0.99, doc="0: diversity alone, near 1: scores alone."
)
RECENCY = param("for_you.recency", False, doc="Let scores decay with the age of posts.")
RECENCY_RATE = param(
    "for_you.recency.rate_per_h", 0.0289, minimum=0.0, doc="How fast: 0.0289 halves in a day."
)
BOOST_MORE = param(
    "for_you.wishes.more", 2.0, minimum=1.0, maximum=100.0, doc="Factor of what is wanted more of."
)
BOOST_LESS = param(
    "for_you.wishes.less", 0.2, minimum=0.0, maximum=1.0, doc="Factor of what is wanted less of."
)
FATIGUE_DAYS = param(
    "for_you.fatigue.days", 14.0, minimum=0.0, doc="Days for which an author stays away after 'show less'."
)
NEW_VIEWER_LEAST = param(
    "for_you.new_viewer.least_engagements",
    0,
    minimum=0,
    doc="Engagements that a stranger's post needs before a viewer of half an hour sees it.",
)
HOLDOUT = param("for_you.holdout.percent", 0.0, minimum=0.0, maximum=100.0, doc="Percent of posts held back.")

PROMPT_FOLLOWS = param(
    "for_you.prompts.least_follows", 5, minimum=0, doc="Who follows fewer is asked to follow somebody."
)
PAGE = param("for_you.home.page", 35, minimum=1, maximum=200, doc="Posts on a page of the home timeline.")
POOL = param(
    "for_you.home.pool",
    120,
    minimum=0,
    maximum=1_000,
    doc="Posts that a page is blended from, if larger than it.",
)
RUN = param("for_you.home.run", 2, minimum=1, doc="Strangers in a row while there are others.")
PILL = param("for_you.pill", True, doc="Say who posted something new.")
PILL_AFTER_S = param("for_you.pill.after_s", 240.0, minimum=0.0, doc="Seconds before that is shown.")
FOLLOWING = param(
    "for_you.following.results", 100, minimum=0, maximum=1_000, doc="Posts on the following timeline."
)
RANKED_FOLLOWING = param(
    "for_you.following.ranked_results", 38, minimum=0, maximum=1_000, doc="Posts of it where it is ranked."
)
FOLLOWING_REPLIES = param(
    "for_you.following.filters.replies", True, doc="Drop posts on it: replies to people who are not followed."
)
FOLLOWING_CAP = param(
    "for_you.following.cap", 300, minimum=0, maximum=5_000, doc="Posts that it chooses from."
)
FOLLOWING_AGE_H = param("for_you.following.max_age_h", 365 * 24.0, minimum=0.0, doc="How old they may be.")

FILTERS: Mapping[str, Param[bool]] = {
    name: param(f"for_you.filters.{name}", True, doc=f"Drop posts: {why}.")
    for name, why in (
        ("own", "the viewer's own, and reposts of them"),
        ("replies", "replies and reposts by strangers, replies to nothing"),
        ("subscribers", "for subscribers of an author to whom the viewer does not subscribe"),
        ("seen", "shown to the viewer within two days"),
        ("served", "answered to the viewer within ten minutes"),
        ("muted_words", "with words that the viewer muted, quoted and answered posts included"),
        ("people", "that involve people whom the viewer avoids, or who block the viewer"),
        ("elections", "that involve accounts listed for elections whom the viewer does not follow"),
        ("withheld", "withheld in the viewer's country"),
        ("competitors", "by strangers among the competitors, or that link to them"),
        ("support", "answers by support accounts, and those that came within a minute"),
        ("conversations", "answers whose conversation is not here up to its root"),
        ("fatigue", "by authors of whom the viewer lately asked to see less"),
        ("engaged", "that the viewer engaged with"),
    )
}
"""Switches of the filters that can be turned off."""
SEEN_THIS_WEEK = param(
    "for_you.filters.seen_this_week",
    False,
    doc="Drop posts: shown to the viewer within a week, as far as Bloom filters know.",
)
HYDRATORS: Mapping[str, Param[bool]] = {
    name: param(f"for_you.hydration.{name}", True, doc=f"Look up {what}.")
    for name, what in (
        ("mutual_follow", "whether viewer and author follow each other"),
        ("followed_by", "how many whom the viewer follows follow the author"),
        ("tie_strength", "how likely the viewer is to interact with the author"),
        ("simclusters_similarity", "how near the viewer's communities are to those of a post"),
        ("twhin_similarity", "how near a post is to the viewer among translations"),
        ("two_tower_similarity", "how near a post is to the viewer between the two towers"),
    )
}
"""Switches of what is looked up about viewer, author and post beside what rankers learn from."""
AUTHOR_PROOF = param("for_you.author_proof", True, doc="Say who of the followed follows the author.")
COMPETITORS = param("for_you.competitors.authors", (), each=Domain.of(0), doc="Ids of competitors.")
COMPETITOR_HOSTS = param(
    "for_you.competitors.hosts",
    (),
    each=Domain.of(""),
    doc="Where strangers must not link, such as example.com.",
)
SUPPORT_ACCOUNTS = param(
    "for_you.support.accounts", (), each=Domain.of(0), doc="Ids of accounts that answer customers."
)
AUTOMATIC_S = param(
    "for_you.support.automatic_s", 60.0, minimum=0.0, doc="An answer within fewer seconds was not typed."
)
ELECTION_ACCOUNTS = param(
    "for_you.elections.accounts", (), each=Domain.of(0), doc="Ids of accounts for followers alone."
)
WITHHELD_POSTS = param(
    "for_you.withheld.posts", (), each=Domain.of(""), doc="What is withheld where, such as DE:12 for post 12."
)
WITHHELD_AUTHORS = param(
    "for_you.withheld.authors", (), each=Domain.of(""), doc="The same for everything that users wrote."
)
WITHOUT_ANCESTORS = param(
    "for_you.conversations.without_ancestors", True, doc="Leave out what another post is displayed with."
)
CONVERSATIONS = param("for_you.conversations.one", True, doc="One post a conversation.")
STORIES = param("for_you.stories.one", True, doc="One of several posts that say almost the same.")
VISIBILITY = param("for_you.visibility", True, doc="Judge by the visibility rules what may be shown.")

WEIGHT_SET = param(
    "for_you.heavy.weights",
    APRIL_2023.name,
    choices=tuple(WEIGHT_SETS),
    doc="Published weights of the heads.",
)
MUTUAL_REPLY = param(
    "for_you.heavy.mutual_reply_boost",
    MUTUAL_REPLY_BOOST,
    minimum=0.0,
    doc="Added to the reply weight of 2026 among people who follow each other.",
)
VIDEO_GATE = param(
    "for_you.heavy.video_gate", True, doc="Under weights of 2026, count video views of more than 10 s alone."
)
WEIGHT_FACTORS: Mapping[str, Param[float]] = {
    head: param(
        f"for_you.heavy.weight_factor.{head}", 1.0, minimum=0.0, doc=f"Times the published weight of {head}."
    )
    for head in APRIL_2023.weights
}

PRESETS: Mapping[str, Mapping[Param[Any], object]] = {
    "lastfm": {MAX_AGE_H: 180 * 24.0, WINDOW_H: 60 * 24.0},
}
"""Values that fit a data set better than the defaults: on Last.fm people post a few times a year."""
