"""The For You flow."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from components.hydrators.posts import Affinity, NetworkStatus, Popularity, PostTraits
from components.predicates import timeline
from components.predicates.switched import Switched
from components.predicates.viewer import MaxAge, NotIn, known_user
from components.rankers.arrival import InArrivalOrder
from components.side_effects.impressions import RecordImpressions
from components.sources.exploration import NewAuthors
from components.sources.liked_by_followed import LikedByFollowed
from components.sources.posts import CoEngagement, InNetwork, PopularPosts
from components.sources.trending import TrendingPosts
from components.stores.controls import ControlStore
from components.stores.impressions import ImpressionStore
from components.stores.stores import SHOW_LESS, Stores
from components.stores.types import Post, Viewer
from components.transforms.conversations import OneOfEachConversation, OneOfEachOriginal, OneOfEachStory
from components.transforms.diversity import AuthorDiversity
from components.transforms.ranking_input import FirstToRank, SourceScores
from components.transforms.scoring import FeedbackFatigue, NetworkDiscount
from components.transforms.showing import PostText, post_proof
from components.transforms.wishes import Wishes
from components.visibility.engine import Visibility, Visible, Warn
from mixer import (
    CandidatePredicate,
    Candidates,
    CandidateSource,
    CursorCodec,
    Deduplicate,
    Hydrator,
    OnError,
    Predicate,
    Ranker,
    RecommendationFlow,
    ResultsConfig,
    SideEffect,
    SourceRegistry,
    Transform,
    chain,
)
from mixer.quality_factor import LinearLatencyQualityFactor, QualityFactor, QualityFactorBounds
from products.for_you import params
from products.for_you.embeddings import NO_EMBEDDINGS, Embeddings
from products.for_you.pages import after, paging_of

SOURCE_SCORES = {
    "in_network": Post.in_network_score,
    "co_engagement": Post.co_engagement_score,
    "popular": Post.popular_score,
    "liked_by_followed": Post.liked_by_followed_score,
    "trending_topic": Post.trending_score,
    "simclusters": Post.simclusters_score,
    "twhin": Post.twhin_score,
    "two_tower": Post.two_tower_score,
}
SERVED_FOR_S, SERVED_AT_MOST = 600.0, 100
"""Source: home-mixer's served history: ten minutes, 100 ids."""


PROTECTING = ("subscribers", "muted_words", "people")
"""Filters that keep a promise to somebody; when they fail, nothing is shown that they have not judged."""


class ForYou(RecommendationFlow[Viewer, Post]):
    """Posts for a viewer, best first.

    Args:
        stores: what is known.
        ranker: orders posts whose features are there.
        impressions: what was shown; the flow reads and writes it.
        controls: what viewers asked for; without a store, what the request says.
        embeddings: learned spaces to search, over the same stores.
        cursors: sign where pages end; without them there is one page.
    """

    label = "for_you"

    def __init__(
        self,
        stores: Stores,
        ranker: Ranker[Viewer, Post],
        impressions: ImpressionStore | None = None,
        controls: ControlStore | None = None,
        embeddings: Embeddings = NO_EMBEDDINGS,
        cursors: CursorCodec | None = None,
    ) -> None:
        self.stores = stores
        self.impressions = impressions or ImpressionStore()
        self.served = ImpressionStore(ttl_s=SERVED_FOR_S, per_viewer=SERVED_AT_MOST)
        self.controls = controls
        self.embeddings = embeddings
        self.cursors = cursors
        self.visibility = Visibility(stores)
        self.sources = SourceRegistry(
            [
                InNetwork(stores, params.IN_NETWORK_CAP, params.MAX_AGE_H).fail_open(),
                CoEngagement(stores, params.CO_ENGAGEMENT_CAP, params.MAX_AGE_H).fail_open(),
                LikedByFollowed(stores, None, params.LIKED_CAP, params.MAX_AGE_H).fail_open(),
                TrendingPosts(stores, "topic", params.TRENDING_CAP, params.MAX_AGE_H).fail_open(),
                PopularPosts(stores, params.POPULAR_CAP, params.MAX_AGE_H, params.WINDOW_H).fail_open(),
                NewAuthors(stores, slate=params.EXPLORE_SLATE, max_age_h=params.MAX_AGE_H).fail_open(),
                *(source.fail_open() for source in embeddings.sources()),
            ]
        )
        chosen = (
            Deduplicate()
            .then(OneOfEachOriginal(stores))
            .then(FirstToRank(params.RANK_CAP))
            .then(SourceScores(SOURCE_SCORES))
        )
        # Without a ranker, what the sources put first is better than nothing.
        self.ranker = chain(chosen, ranker.fallback(InArrivalOrder(Post.score)))

    def update_target(self, target: Viewer) -> Viewer:
        controls = target.controls if self.controls is None else self.controls.of(target.user_id)
        known = self.stores.history(
            target.user_id,
            target.request.now_ms,
            since_ms=controls.profile_since_ms,
            personalised=controls.personalised,
        )
        paging = paging_of(self.cursors, target.request.cursor)
        return attrs.evolve(target, known=known, controls=controls, paging=paging)

    def target_eligibility(self) -> Predicate[Viewer]:
        return known_user

    def candidate_sources(self, target: Viewer) -> Sequence[CandidateSource[Viewer, Post]]:
        return self.sources.all()

    def hydrate_candidates(self) -> Sequence[Hydrator[Viewer, Post]]:
        stores = self.stores
        hydrators: tuple[Hydrator[Viewer, Post], ...] = (
            NetworkStatus(stores),
            Affinity(stores),
            Popularity(stores, params.WINDOW_H),
            PostTraits(stores),
        )
        return tuple(one.fail_open() for one in hydrators)

    def pre_ranker_filter(self) -> CandidatePredicate[Viewer, Post]:
        stores = self.stores
        switched: dict[str, CandidatePredicate[Viewer, Post]] = {
            "own": timeline.NotOwn(stores),
            "replies": timeline.NoStrangersReplies(stores),
            "subscribers": timeline.ForSubscribers(stores),
            "seen": timeline.NotShownBefore(stores, self._seen),
            "served": timeline.NotShownBefore(stores, self._served, "already_served"),
            "muted_words": timeline.NoMutedWords(stores, muted_phrases),
            "people": timeline.PeopleGetAlong(stores),
            "fatigue": timeline.NotFatigued(stores, params.FATIGUE_DAYS),
            "engaged": NotIn(Post.row, lambda viewer: viewer.engaged_mask, "already_engaged"),
        }
        every: CandidatePredicate[Viewer, Post] = timeline.KnownAuthor().and_then(MaxAge(params.MAX_AGE_H))
        for name, one in switched.items():
            # Where the answer is missing, comfort gives way and protection does not.
            policy = OnError.DROP if name in PROTECTING else OnError.KEEP
            every = every.and_then(Switched(one, params.FILTERS[name]).on_error(policy))
        return (
            every.and_then(timeline.NewerThanPage())
            .and_then(timeline.WantedMedia(stores))
            .and_then(timeline.WantedTopics(stores))
            .and_then(timeline.ProvenToStrangers(stores, params.NEW_VIEWER_LEAST))
            .and_then(timeline.Holdout(stores, params.HOLDOUT))
        )

    def _seen(self, viewer: Viewer) -> NDArray[np.int64]:
        return self.impressions.shown(viewer.user_id, viewer.request.now_ms)

    def _served(self, viewer: Viewer) -> NDArray[np.int64]:
        served = self.served.shown(viewer.user_id, viewer.request.now_ms)
        return np.concatenate([served, np.array(viewer.paging.shown, dtype=np.int64)])

    def select_ranker(self, target: Viewer) -> Ranker[Viewer, Post]:
        return self.ranker

    def post_ranker_transform(self) -> Transform[Viewer, Post]:
        stores = self.stores
        return (
            Wishes(stores, params.BOOST_MORE, params.BOOST_LESS)
            .then(FeedbackFatigue(stores.decisions[SHOW_LESS], stores.engagements.reverse))
            .then(AuthorDiversity(Post.author_row, Post.score, params.DECAY, params.FLOOR))
            .then(NetworkDiscount(stores.posts, params.STRANGER_FACTOR))
            .then(OneOfEachConversation(stores, params.CONVERSATIONS))
            .then(OneOfEachStory(stores, params.STORIES))
        )

    def validate_candidates(self) -> CandidatePredicate[Viewer, Post]:
        # What could not be judged is not shown.
        return Switched(Visible(self.visibility), params.VISIBILITY).on_error(OnError.DROP)

    def results_config(self, target: Viewer) -> ResultsConfig:
        settings = target.request.params
        wanted = settings[params.RESULTS] if target.limit is None else target.limit
        return ResultsConfig(wanted, settings[params.BATCH], overfetch=True)

    def transform_results(self) -> Transform[Viewer, Post]:
        return post_proof(self.stores).then(PostText(self.stores)).then(Warn(self.visibility))

    def side_effects(self) -> Sequence[SideEffect[Viewer, Post]]:
        return (RecordImpressions(self.impressions, self.served),)

    def quality_factor(self) -> QualityFactor:
        # Home-mixer's bounds, start and step; the target is what a request may take on one core.
        bounds = QualityFactorBounds(0.1, 1.0, 0.95)
        return LinearLatencyQualityFactor(target_latency_s=0.05, bounds=bounds, delta=0.00125)

    def next_cursor(self, target: Viewer, results: Candidates[Post]) -> str | None:
        return None if self.cursors is None else after(self.cursors, target, results)


def muted_phrases(viewer: Viewer) -> tuple[str, ...]:
    """What the viewer does not want to read, as stored and as asked for."""
    return (*viewer.history.muted_phrases, *viewer.controls.muted_words)
