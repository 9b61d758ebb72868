"""What the stores' components pass around: posts, accounts, and the viewer they are for."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

import attrs
import numpy as np

from components.stores.stores import History
from mixer import Candidate, Direction, Target, column
from mixer.params import Param

if TYPE_CHECKING:
    from numpy.typing import NDArray

V = TypeVar("V")


class Post(Candidate):
    """A post; the first columns come with it from any source, the rest from hydrators and rankers."""

    row = column(np.int64, doc="row in the post store")
    author_row = column(np.int64, doc="row of the author among users")
    author_id = column(np.int64)
    created_ms = column(np.int64)
    in_network = column(np.bool_, default=False, doc="the viewer follows the author")

    author_affinity = column(
        np.float32, default=np.nan, doc="posts of the author that the viewer engaged with"
    )
    topic_affinity = column(np.float32, default=np.nan, doc="share of the viewer's engagements on the topic")
    recent_engagements = column(np.float32, default=np.nan, doc="engagements in the window before now")
    followed_engagers = column(np.int32, default=0, doc="how many whom the viewer follows engaged with it")
    author_followers = column(np.float32, default=np.nan, doc="followers of the author")
    mutual_follow = column(np.bool_, default=False, doc="viewer and author follow each other")
    followed_by = column(np.int32, default=0, doc="how many whom the viewer follows follow the author")
    tie_strength = column(
        np.float32, default=0.0, doc="that the viewer interacts with the author (RealGraph)"
    )
    simclusters_similarity = column(
        np.float32, default=np.nan, doc="cosine with the viewer's interests (SimClusters)"
    )
    twhin_similarity = column(
        np.float32, default=np.nan, doc="inner product with what the viewer is expected to like (TwHIN)"
    )
    two_tower_similarity = column(
        np.float32, default=np.nan, doc="inner product with the viewer (two towers)"
    )
    views = column(np.int64, default=-1, doc="how often it was shown, to whomever; -1 if unknown")
    age_h = column(np.float32, default=np.nan, doc="hours since it was posted")
    same_language = column(np.float32, default=np.nan, doc="1 in a language the viewer engages with, else 0")
    has_media = column(np.float32, default=np.nan, doc="1 with media, else 0")
    is_reply = column(np.float32, default=np.nan, doc="1 for a reply, else 0")

    in_network_score = column(np.float32, default=np.nan, doc="score of the source in_network")
    co_engagement_score = column(np.float32, default=np.nan, doc="score of the source co_engagement")
    popular_score = column(np.float32, default=np.nan, doc="score of the source popular")
    liked_by_followed_score = column(np.float32, default=np.nan, doc="score of the source liked_by_followed")
    recommended_score = column(np.float32, default=np.nan, doc="score of the source recommended_authors")
    trending_score = column(np.float32, default=np.nan, doc="score of the source trending_by_topic")
    simclusters_score = column(np.float32, default=np.nan, doc="score of the source simclusters")
    twhin_score = column(np.float32, default=np.nan, doc="score of the source twhin")
    two_tower_score = column(np.float32, default=np.nan, doc="score of the source two_tower")
    score = column(np.float32, default=np.nan, doc="what the order is based on; NaN sorts last")

    social_proof = column(np.object_, default=None, doc="ids of up to a few engagers whom the viewer follows")
    author_proof = column(
        np.object_, default=None, doc="ids of up to a few followers of the author, likewise"
    )
    text = column(str, default="", doc="only for rows that are shown")
    warning = column(str, default="", doc="the warning in front of it, if any; only for rows that are shown")


class Account(Candidate):
    """An account that might be followed."""

    row = column(np.int64, doc="row among users")
    connectors = column(np.int32, default=0, doc="how many whom the viewer follows follow it")
    shared_interests = column(np.int32, default=0, doc="how many things both engaged with, or both follow")
    followers = column(np.float32, default=np.nan, doc="who follows it")
    followings = column(np.float32, default=np.nan, doc="whom it follows")
    follows_viewer = column(np.float32, default=np.nan, doc="1 when it follows the viewer, else 0")
    new_followers = column(np.float32, default=np.nan, doc="who began to follow it in the window before now")

    friends_of_friends_score = column(
        np.float32, default=np.nan, doc="score of the source friends_of_friends"
    )
    mutual_interest_score = column(np.float32, default=np.nan, doc="score of the source mutual_interest")
    popular_score = column(np.float32, default=np.nan, doc="score of the source popular")
    similar_score = column(np.float32, default=np.nan, doc="score of the source similar_to_follows")
    lately_followed_score = column(
        np.float32, default=np.nan, doc="score of the source recently_followed_by_followed"
    )
    circle_score = column(np.float32, default=np.nan, doc="score of the source circle_of_trust")
    triangle_score = column(np.float32, default=np.nan, doc="score of the source triangular_loops")
    trending_score = column(np.float32, default=np.nan, doc="score of the source trending")
    reciprocation_score = column(np.float32, default=np.nan, doc="score of the source reciprocation")
    twhin_score = column(np.float32, default=np.nan, doc="score of the source twhin_accounts")
    simclusters_score = column(np.float32, default=np.nan, doc="score of the source simclusters_accounts")
    mutual_follows_score = column(np.float32, default=np.nan, doc="score of the source mutual_follows")
    in_language_score = column(np.float32, default=np.nan, doc="score of the source popular_in_language")
    two_hop_score = column(np.float32, default=np.nan, doc="score of the source two_hop")
    out_of_network_score = column(np.float32, default=np.nan, doc="score of the source out_of_network_ties")
    found_by = column(np.int32, default=0, doc="how many sources found it")
    best_place = column(np.float32, default=np.nan, doc="1 / (1 + rank) at the source that put it highest")
    score = column(np.float32, default=np.nan, doc="what the order is based on; NaN sorts last")

    follow_probability = column(np.float32, default=np.nan, doc="that the viewer follows it when shown")
    engagement_probability = column(
        np.float32, default=np.nan, doc="that the viewer engages with it, if followed"
    )
    production_score = column(
        np.float32, default=np.nan, doc="what the production ranker makes of it, in a trial"
    )
    trial_score = column(np.float32, default=np.nan, doc="what the ranker on trial makes of it")
    ranked_by = column(np.object_, default="", doc="whose place it has: production or trial")
    propensity = column(
        np.float32, default=np.nan, doc="how likely it was at its place, where places are drawn"
    )
    social_proof = column(np.object_, default=None, doc="ids of up to a few connectors")
    tracking_token = column(np.object_, default=None, doc="what a client sends back with a click")


ADULT = 18


@attrs.frozen
class Settings:
    """What a viewer has told about themselves, and wants.

    Args:
        logged_in: False for a visitor.
        age: in years; None if not stated.
        age_is_required: where the viewer is, sensitive posts are only for those who stated their age.
        sees_sensitive: wants no warnings.
        country: two letters of where the viewer is; empty if unknown.
    """

    logged_in: bool = True
    age: int | None = None
    age_is_required: bool = False
    sees_sensitive: bool = False
    country: str = ""

    @property
    def under_age(self) -> bool:
        """Stated an age below 18."""
        return self.age is not None and self.age < ADULT

    @property
    def must_state_age(self) -> bool:
        """Did not state an age where one is required."""
        return self.age_is_required and self.age is None


@attrs.frozen
class Controls:
    """What a viewer asks of the timeline; in force from the next request on.

    Args:
        discovery: from 0, only who is followed, over 0.5, as the ranker thinks, to 1, rather strangers.
        half_life_h: hours after which a post counts half; None leaves age to the ranker.
        personalised: False leaves out everything that is known about the viewer's taste.
        videos: False hides them.
        topics: only these; all when empty.
        excluded_topics: never these.
        more_topics: these rather than others.
        less_topics: these less than others.
        more_authors: ids of people of whom to show more.
        less_authors: ids of people of whom to show less.
        muted_words: words, or words in a row, that the viewer does not want to read.
        profile_since_ms: what the viewer did before does not count.
    """

    discovery: float = attrs.field(
        default=0.5, validator=[attrs.validators.ge(0.0), attrs.validators.le(1.0)]
    )
    half_life_h: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.gt(0.0))
    )
    personalised: bool = True
    videos: bool = True
    topics: frozenset[int] = frozenset()
    excluded_topics: frozenset[int] = frozenset()
    more_topics: frozenset[int] = frozenset()
    less_topics: frozenset[int] = frozenset()
    more_authors: frozenset[int] = frozenset()
    less_authors: frozenset[int] = frozenset()
    muted_words: tuple[str, ...] = ()
    profile_since_ms: int = 0


class Refresh(Enum):
    """Why a client asks for a page."""

    OPENED = "opened"
    """The timeline comes to the front, or goes on."""
    PULLED = "pulled"
    """The viewer pulled it down."""
    MANUAL = "manual"
    """The viewer asked for news."""
    OWN_POST = "own_post"
    """The viewer posted something."""
    POLLING = "polling"
    """The client looks for news by itself; nothing is displayed."""


@attrs.frozen
class Paging:
    """Which page is wanted.

    Args:
        shown: ids on the pages before.
        newer_than_ms: only what was posted from then on; 0 for any time.
        direction: which way the cursor leads; None for the first page.
        refresh: why the client asks.
    """

    shown: tuple[int, ...] = ()
    newer_than_ms: int = 0
    direction: Direction | None = None
    refresh: Refresh = Refresh.OPENED


@attrs.frozen(eq=False)
class Replay:
    """Candidates of an earlier request with the ranker's scores, ``(n,)`` each, best first."""

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]


@attrs.frozen
class Viewer(Target):
    """Who a timeline or a list of accounts is for.

    Args:
        user_id: the viewer's id.
        limit: how many results are wanted; None leaves it to the product's parameters.
        known: what is known about the viewer, filled in by the flow.
        settings: what the viewer has told about themselves.
        controls: what the viewer asks of the timeline.
        paging: which page is wanted: why, as the client says; the rest as the request's cursor said, filled in by the
            flow.
        replay: what to show again instead of looking anew; filled in by the flow.
    """

    user_id: int
    limit: int | None = None
    known: History | None = attrs.field(default=None, repr=False)
    settings: Settings = Settings()
    controls: Controls = Controls()
    paging: Paging = Paging()
    replay: Replay | None = attrs.field(default=None, repr=False, eq=False)

    @property
    def history(self) -> History:
        """What is known about the viewer.

        Raises:
            ValueError: no flow has looked the viewer up.
        """
        if self.known is None:
            raise ValueError(
                f"viewer {self.user_id}: expected a history; a flow looks it up in update_target"
            )
        return self.known

    def summary(self) -> Mapping[str, object]:
        return {"user_id": self.user_id}


def setting(target: Target, value: V | Param[V]) -> V:
    """A component's setting: the value itself, or what the request's parameters say."""
    return target.request.params[value] if isinstance(value, Param) else value
