"""The flow of follow recommendations."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from components.hydrators.accounts import Connections, SharedInterests
from components.predicates.viewer import NotIn, NotSelf, known_user
from components.rankers.arrival import InArrivalOrder
from components.rankers.fatigue import ImpressionFatigue
from components.side_effects.impressions import RecordImpressions
from components.sources.accounts import FriendsOfFriends, MutualInterest, PopularAccounts
from components.sources.attention import Reciprocation, TrendingAccounts
from components.sources.people.similar import CircleOfTrust, RecentlyFollowedByFollowed, SimilarAccounts
from components.sources.people.strong_ties import TriangularLoops
from components.stores.impressions import ImpressionStore
from components.stores.stores import Stores
from components.stores.types import Account, Viewer
from components.transforms.ranking_input import FirstToRank, SourceScores
from components.transforms.showing import account_proof
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
from products.follow_recs import params

SOURCE_SCORES = {
    "friends_of_friends": Account.friends_of_friends_score,
    "mutual_interest": Account.mutual_interest_score,
    "popular": Account.popular_score,
    "similar_to_follows": Account.similar_score,
    "recently_followed_by_followed": Account.lately_followed_score,
    "circle_salsa": Account.circle_score,
    "triangular_loops": Account.triangle_score,
    "trending": Account.trending_score,
    "reciprocation": Account.reciprocation_score,
}
MINUTE_MS, HOUR_S = 60_000, 3_600.0


class FollowRecs(RecommendationFlow[Viewer, Account]):
    """Accounts for a viewer to follow, best first.

    Args:
        stores: what is known.
        ranker: orders accounts whose features are there.
        impressions: what was shown; the flow reads and writes it.
    """

    label = "follow_recs"

    def __init__(
        self, stores: Stores, ranker: Ranker[Viewer, Account], impressions: ImpressionStore | None = None
    ) -> None:
        self.stores = stores
        self.impressions = impressions or ImpressionStore()
        trending = TrendingAccounts(stores, params.TRENDING_CAP, params.WINDOW_H)
        popular = PopularAccounts(stores, params.POPULAR_CAP)
        self.sources = SourceRegistry(
            [
                FriendsOfFriends(stores, params.FRIENDS_CAP).fail_open(),
                MutualInterest(stores, stores.interests, params.INTEREST_CAP).fail_open(),
                SimilarAccounts(stores, "follows", params.SIMILAR_CAP).fail_open(),
                RecentlyFollowedByFollowed(stores, params.LATELY_CAP, params.WINDOW_H).fail_open(),
                CircleOfTrust(stores, "salsa", params.CIRCLE_CAP).fail_open(),
                TriangularLoops(stores, params.TRIANGLE_CAP).fail_open(),
                Reciprocation(stores, params.RECIPROCATION_CAP).fail_open(),
                trending.cached(_minute_and_cap, ttl_s=HOUR_S).fail_open(),
                popular.cached(_minute_and_cap, ttl_s=HOUR_S).fail_open(),
            ]
        )
        chosen = Deduplicate().then(FirstToRank(params.RANK_CAP)).then(SourceScores(SOURCE_SCORES))
        # Without a ranker, what the sources put first is better than nothing.
        safe = ranker.fallback(InArrivalOrder(Account.score))
        self.ranker = chain(chosen, safe.then(ImpressionFatigue(self.impressions)))

    def update_target(self, target: Viewer) -> Viewer:
        return attrs.evolve(target, known=self.stores.history(target.user_id, target.request.now_ms))

    def target_eligibility(self) -> Predicate[Viewer]:
        return known_user

    def candidate_sources(self, target: Viewer) -> Sequence[CandidateSource[Viewer, Account]]:
        return self.sources.all()

    def hydrate_candidates(self) -> Sequence[Hydrator[Viewer, Account]]:
        connections = Connections(self.stores, window_h=params.WINDOW_H)
        shared = SharedInterests(self.stores, self.stores.interests)
        return connections.fail_open(), shared.fail_open()

    def pre_ranker_filter(self) -> CandidatePredicate[Viewer, Account]:
        return (
            NotSelf(Account.row, "oneself")
            .and_then(NotIn(Account.row, lambda viewer: viewer.follow_mask, "already_followed"))
            .and_then(NotIn(Account.row, lambda viewer: viewer.dismissed_mask, "dismissed"))
            .and_then(NotIn(Account.row, lambda viewer: viewer.avoided_mask, "blocked_or_muted"))
        )

    def select_ranker(self, target: Viewer) -> Ranker[Viewer, Account]:
        return self.ranker

    def validate_candidates(self) -> CandidatePredicate[Viewer, Account]:
        blocked = NotIn(Account.row, lambda viewer: viewer.blocked_by_mask, "blocked_by_account")
        return blocked.on_error(OnError.DROP)

    def results_config(self, target: Viewer) -> ResultsConfig:
        settings = target.request.params
        wanted = settings[params.RESULTS] if target.limit is None else target.limit
        return ResultsConfig(wanted, settings[params.BATCH])

    def transform_results(self) -> Transform[Viewer, Account]:
        return account_proof(self.stores)

    def side_effects(self) -> Sequence[SideEffect[Viewer, Account]]:
        return (RecordImpressions(self.impressions),)

    def quality_factor(self) -> QualityFactor:
        # The bounds and step of the original; the target is what a request may take on one core.
        bounds = QualityFactorBounds(0.1, 1.0, 1.0)
        return LinearLatencyQualityFactor(target_latency_s=0.1, bounds=bounds, delta=0.001)


def _minute_and_cap(viewer: Viewer) -> tuple[object, ...]:
    settings = viewer.request.params
    caps = settings[params.POPULAR_CAP], settings[params.TRENDING_CAP], settings[params.WINDOW_H]
    return viewer.request.now_ms // MINUTE_MS, *caps
