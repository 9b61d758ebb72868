"""The flow of follow recommendations."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from components.hydrators.accounts import Connections, SharedInterests
from components.predicates.viewer import NotIn, NotSelf, known_user
from components.rankers.sampling import PlackettLuce
from components.side_effects.impressions import RecordImpressions
from components.stores.impressions import ImpressionStore
from components.stores.stores import Stores
from components.stores.types import Account, Viewer
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
    Transform,
)
from mixer.predicates import ParamIsOn
from mixer.quality_factor import LinearLatencyQualityFactor, QualityFactor, QualityFactorBounds
from products.follow_recs import params
from products.follow_recs.ranking import combined, weighted
from products.follow_recs.sources import sources_of


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
        self.sources = sources_of(stores)
        self.weighted = weighted(self.sources)
        self.ranker = combined(self.weighted, ranker, self.impressions)

    def update_target(self, target: Viewer) -> Viewer:
        return attrs.evolve(target, known=self.stores.history(target.user_id, target.request.now_ms))

    def target_eligibility(self) -> Predicate[Viewer]:
        return known_user

    def candidate_sources(self, target: Viewer) -> Sequence[CandidateSource[Viewer, Account]]:
        return [one for one in self.sources.all() if self.weighted.weight_of(target, one.name) > 0]

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

    def post_ranker_transform(self) -> Transform[Viewer, Account]:
        sampling = PlackettLuce(
            Account.score, Account.propensity, params.SAMPLING_FACTOR, params.SAMPLING_FIXED
        )
        # Where the ranker ran out of time, its input comes here, with everything that was found twice.
        return Deduplicate().then(sampling.observe("sampling").gated(ParamIsOn(params.SAMPLING)))

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
