"""The combined ranker: sources by weight, the first ones merged, the model, impression fatigue."""

from __future__ import annotations

from components.rankers.arrival import InArrivalOrder
from components.rankers.combined import FirstMerged, FoundBy, UnlessLoaded
from components.rankers.fatigue import ImpressionFatigue
from components.rankers.sampling import WeightedSources
from components.stores.types import Account, Viewer
from components.transforms.ranking_input import SourceScores
from mixer import Ranker, SourceRegistry, chain
from mixer.predicates import ParamIsOn
from mixer.rankers import KeepOrder
from products.follow_recs import params
from products.follow_recs.budgets import PUBLISHED
from products.follow_recs.sources import LEARNED, SOURCE_SCORES


def weighted(sources: SourceRegistry[Viewer, Account]) -> WeightedSources:
    """The sources by weight.

    Raises:
        ConfigurationError: lists every weight without a source and every source without a weight.
    """
    absent = LEARNED - set(sources.names)
    weights = {name: weight for name, weight in params.WEIGHTS.items() if name not in absent}
    ranker = WeightedSources(weights, params.SHUFFLE, params.DRAWN)
    ranker.check_against(sources.names)
    return ranker


def combined(sources: WeightedSources, model: Ranker[Viewer, Account]) -> Ranker[Viewer, Account]:
    """All rankers, in the order in which they run; each can be switched off."""
    arrival = InArrivalOrder(Account.score)
    # Without a model, what the sources put first is better than nothing.
    model_s, fatigue_s = PUBLISHED.of("ranker", "model"), PUBLISHED.of("ranker", "fatigue")
    main = UnlessLoaded(
        model.observe("ranker/ml_ranker"), arrival, params.ML, params.ML_FLOOR, within_s=model_s
    )
    fatigue = ImpressionFatigue().observe("ranker/fatigue").fallback(KeepOrder(), within_s=fatigue_s)
    chosen = (
        FirstMerged(params.RANK_CAP, params.MIN_SCALE)
        .then(FoundBy(Account.found_by, Account.best_place))
        .then(SourceScores(SOURCE_SCORES))
    )
    ranked = chain(chosen, main.then(fatigue.gated(ParamIsOn(params.FATIGUE))))
    return sources.observe("ranker/weighted_sources").then(ranked)
