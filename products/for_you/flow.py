"""The For You flow."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from components.hydrators.posts import Affinity, NetworkStatus, Popularity, PostTraits
from components.predicates.viewer import MaxAge, NotIn, NotSeen, NotSelf, known_user
from components.side_effects.impressions import RecordImpressions
from components.sources.posts import CoEngagement, InNetwork, PopularPosts
from components.stores.impressions import ImpressionStore
from components.stores.stores import Stores
from components.stores.types import Post, Viewer
from components.transforms.diversity import AuthorDiversity, OutOfNetworkDiscount
from components.transforms.ranking_input import FirstToRank, SourceScores
from components.transforms.showing import PostText, post_proof
from mixer import (
    CandidatePredicate,
    CandidateSource,
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

SOURCE_SCORES = {
    "in_network": Post.in_network_score,
    "co_engagement": Post.co_engagement_score,
    "popular": Post.popular_score,
}


class ForYou(RecommendationFlow[Viewer, Post]):
    """Posts for a viewer, best first.

    Args:
        stores: what is known.
        ranker: orders posts whose features are there.
        impressions: what was shown; the flow reads and writes it.
    """

    label = "for_you"

    def __init__(
        self, stores: Stores, ranker: Ranker[Viewer, Post], impressions: ImpressionStore | None = None
    ) -> None:
        self.stores = stores
        self.impressions = impressions or ImpressionStore()
        self.sources = SourceRegistry(
            [
                InNetwork(stores, params.IN_NETWORK_CAP, params.MAX_AGE_H).fail_open(),
                CoEngagement(stores, params.CO_ENGAGEMENT_CAP, params.MAX_AGE_H).fail_open(),
                PopularPosts(stores, params.POPULAR_CAP, params.MAX_AGE_H, params.WINDOW_H).fail_open(),
            ]
        )
        chosen = Deduplicate().then(FirstToRank(params.RANK_CAP)).then(SourceScores(SOURCE_SCORES))
        self.ranker = chain(chosen, ranker)

    def update_target(self, target: Viewer) -> Viewer:
        return attrs.evolve(target, known=self.stores.history(target.user_id, target.request.now_ms))

    def target_eligibility(self) -> Predicate[Viewer]:
        return known_user

    def candidate_sources(self, target: Viewer) -> Sequence[CandidateSource[Viewer, Post]]:
        return self.sources.all()

    def hydrate_candidates(self) -> Sequence[Hydrator[Viewer, Post]]:
        stores = self.stores
        return (
            NetworkStatus(stores),
            Affinity(stores),
            Popularity(stores, params.WINDOW_H),
            PostTraits(stores),
        )

    def pre_ranker_filter(self) -> CandidatePredicate[Viewer, Post]:
        return (
            NotSelf(Post.author_row, "own_post")
            .and_then(NotIn(Post.row, lambda viewer: viewer.engaged_mask, "already_engaged"))
            .and_then(NotIn(Post.author_row, lambda viewer: viewer.avoided_mask, "blocked_or_muted"))
            .and_then(MaxAge(params.MAX_AGE_H))
        )

    def select_ranker(self, target: Viewer) -> Ranker[Viewer, Post]:
        return self.ranker

    def post_ranker_transform(self) -> Transform[Viewer, Post]:
        diversity = AuthorDiversity(Post.author_row, Post.score, params.DECAY, params.FLOOR)
        return diversity.then(OutOfNetworkDiscount(params.STRANGER_FACTOR))

    def validate_candidates(self) -> CandidatePredicate[Viewer, Post]:
        visible = NotIn(Post.author_row, lambda viewer: viewer.blocked_by_mask, "blocked_by_author")
        return visible.on_error(OnError.DROP).and_then(NotSeen(self.impressions))

    def results_config(self, target: Viewer) -> ResultsConfig:
        settings = target.request.params
        wanted = settings[params.RESULTS] if target.limit is None else target.limit
        return ResultsConfig(wanted, settings[params.BATCH], overfetch=True)

    def transform_results(self) -> Transform[Viewer, Post]:
        return post_proof(self.stores).then(PostText(self.stores))

    def side_effects(self) -> Sequence[SideEffect[Viewer, Post]]:
        return (RecordImpressions(self.impressions),)

    def quality_factor(self) -> QualityFactor:
        # Home-mixer's bounds, start and step; the target is what a request may take on one core.
        bounds = QualityFactorBounds(0.1, 1.0, 0.95)
        return LinearLatencyQualityFactor(target_latency_s=0.05, bounds=bounds, delta=0.00125)
