"""The flow of follow recommendations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from components.hydrators.accounts import Connections, SharedInterests
from components.predicates.viewer import known_user
from components.rankers.sampling import PlackettLuce
from components.side_effects.dark_read import DarkRead
from components.side_effects.impressions import RecordImpressions
from components.stores.impressions import ImpressionStore
from components.stores.requests import PeopleRequest, RequestBuilder, people_lookups
from components.stores.stores import Stores
from components.stores.types import Account, Viewer
from components.transforms.guarded import FailOpen
from components.transforms.showing import account_proof
from components.transforms.tracking import TokenCodec, TrackingToken
from mixer import (
    CandidatePredicate,
    CandidateSource,
    Deduplicate,
    Hydrator,
    Predicate,
    Ranker,
    RecommendationFlow,
    ResultsConfig,
    SideEffect,
    Transform,
)
from mixer.flow import BaseFlow
from mixer.predicates import ParamIsOn
from mixer.quality_factor import LinearLatencyQualityFactor, QualityFactor, QualityFactorBounds
from products.follow_recs import params
from products.follow_recs.budgets import PUBLISHED, Budgets
from products.follow_recs.embeddings import NOTHING_LEARNED, Learned
from products.follow_recs.filters import before_ranking, before_showing
from products.follow_recs.ranking import combined, weighted
from products.follow_recs.sources import FAMILIES, sources_of


class FollowRecs(RecommendationFlow[Viewer, Account]):
    """Accounts for a viewer to follow, best first.

    Args:
        stores: what is known.
        ranker: orders accounts whose features are there.
        impressions: what was shown; the flow reads and writes it.
        tokens: signs results, so that clicks on them can be traced; without it there are no tokens.
        compared: answers a share of requests too, unseen, to be compared with.
        learned: what some sources look up; those for which there is nothing are left out.
    """

    label = "follow_recs"
    budgets: ClassVar[Budgets] = PUBLISHED
    stage_budgets_s = PUBLISHED.by_stage()

    def __init__(
        self,
        stores: Stores,
        ranker: Ranker[Viewer, Account],
        impressions: ImpressionStore | None = None,
        tokens: TokenCodec | None = None,
        compared: BaseFlow[Viewer, Account] | None = None,
        learned: Learned = NOTHING_LEARNED,
    ) -> None:
        self.stores = stores
        self.compared = compared
        self.tokens = tokens
        self.impressions = impressions or ImpressionStore()
        self.sources = sources_of(stores, learned)
        turns = weighted(self.sources)
        self.weight_of = turns.weight_of
        self.ranker = combined(turns, ranker)
        budget_s = PUBLISHED.of("update_target", "look_up")
        self.requests = RequestBuilder(stores, people_lookups(stores, self.impressions), budget_s)

    def build(self) -> None:
        self.budgets.check(self.name)
        super().build()

    async def update_target(self, target: Viewer) -> PeopleRequest:
        return await self.requests.build(target)

    def target_eligibility(self) -> Predicate[Viewer]:
        return known_user

    def candidate_sources(self, target: Viewer) -> Sequence[CandidateSource[Viewer, Account]]:
        held_back = FAMILIES[target.request.params[params.FAMILY]]
        return [
            one
            for one in self.sources.all()
            if one.name not in held_back and self.weight_of(target, one.name) > 0
        ]

    def hydrate_candidates(self) -> Sequence[Hydrator[Viewer, Account]]:
        connections = Connections(self.stores, window_h=params.WINDOW_H)
        shared = SharedInterests(self.stores, self.stores.interests)
        return connections.fail_open(), shared.fail_open()

    def pre_ranker_filter(self) -> CandidatePredicate[Viewer, Account]:
        return before_ranking(self.stores)

    def select_ranker(self, target: Viewer) -> Ranker[Viewer, Account]:
        return self.ranker

    def post_ranker_transform(self) -> Transform[Viewer, Account]:
        sampling = PlackettLuce(
            Account.score, Account.propensity, params.SAMPLING_FACTOR, params.SAMPLING_FIXED
        )
        # Where the ranker ran out of time, its input comes here, with everything that was found twice.
        return Deduplicate().then(sampling.observe("sampling").gated(ParamIsOn(params.SAMPLING)))

    def validate_candidates(self) -> CandidatePredicate[Viewer, Account]:
        return before_showing(self.stores)

    def results_config(self, target: Viewer) -> ResultsConfig:
        settings = target.request.params
        wanted = settings[params.RESULTS] if target.limit is None else target.limit
        return ResultsConfig(wanted, settings[params.BATCH])

    def transform_results(self) -> Transform[Viewer, Account]:
        proof = FailOpen(account_proof(self.stores), PUBLISHED.of("transform_results", "social_proof"))
        shown = proof.observe("social_proof").gated(ParamIsOn(params.SOCIAL_PROOF))
        if self.tokens is None:
            return shown
        token = FailOpen(TrackingToken(self.tokens, Account.tracking_token))
        return shown.then(token.observe("tracking_token").gated(ParamIsOn(params.TRACKING)))

    def side_effects(self) -> Sequence[SideEffect[Viewer, Account]]:
        record = RecordImpressions((self.impressions,))
        if self.compared is None:
            return (record,)
        stats = self.stats.scope(self.name, "dark_read")
        return DarkRead(self.compared, params.DARK_READS, stats, Account.score), record

    def quality_factor(self) -> QualityFactor:
        # The bounds and step of the original; the target is what a request may take on one core.
        bounds = QualityFactorBounds(0.1, 1.0, 1.0)
        return LinearLatencyQualityFactor(target_latency_s=0.1, bounds=bounds, delta=0.001)
