"""How follow recommendations are judged: whom viewers followed, or acted upon, next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from components.evaluation import exposure_gini
from components.rankers.training import UpToRanker
from components.sources.baselines import NewestAccounts, RandomAccounts
from components.stores.from_dataset import stores_of
from components.stores.stores import Stores
from components.stores.types import Account, Viewer
from mixer import CandidateSource, RecommendationFlow
from mixer.rankers import KeepOrder
from products._cli.data import Loaded
from products._offline.trial import DEPTH, Case, Changes, InOrder, Lists, Offline, Trial, drawn
from products.follow_recs import params
from products.follow_recs.flow import FollowRecs
from products.follow_recs.training import past_of


class OneSource(InOrder, FollowRecs):
    """The flow with one source in its own order."""

    def __init__(self, stores: Stores, source: CandidateSource[Viewer, Account]) -> None:
        self.only = (source,)
        super().__init__(stores, KeepOrder())


def trial(loaded: Loaded, users: int, seed: int) -> Trial:
    """Whom viewers followed first in the last tenth of the data, to be foretold from what was known when it began.

    Where follows have no dates, a random tenth of the connected pairs is hidden instead, and to be found again.
    Undated preferences are left out: nobody can say what of them was known.
    """
    data = loaded.data.as_of(loaded.data.now_ms)
    stores, rng = stores_of(data), np.random.default_rng([seed, 8])
    then = past_of(stores, 0.9, 1.0, rng)
    dated = then.stores is stores
    past = loaded
    if dated:
        earlier = data.as_of(then.now_ms)
        past = Loaded(earlier, stores_of(earlier))
    everybody = np.arange(len(stores.users))
    rows = drawn(everybody[then.next.degrees(everybody) > 0], users, rng)
    ids = stores.users.ids
    cases = tuple(
        Case(
            int(ids[row]),
            then.now_ms,
            tuple(ids[then.next.of(row)].tolist()),
            len(then.stores.follows.of(row, then.now_ms)),
        )
        for row in rows.tolist()
    )
    how = "whom they followed in the last tenth" if dated else "a hidden tenth of undated follows"
    protocol = f"{len(cases)} viewers, {how}"
    past = attrs.evolve(past, stores=past.stores if dated else then.stores)
    return Trial(past, Loaded(data, then.stores, loaded.truth), cases, protocol)


def systems(trial: Trial, ours: FollowRecs) -> Mapping[str, RecommendationFlow[Viewer, Any]]:
    """Our flow, each of its sources alone, and what it has to beat."""
    stores = trial.stores
    alone = {source.name: OneSource(stores, source) for source in ours.sources.all()}
    baselines: dict[str, CandidateSource[Viewer, Account]] = {
        "newest": NewestAccounts(stores, DEPTH * 2),
        "random": RandomAccounts(stores, DEPTH * 2),
    }
    return {
        "follow_recs": ours,
        **alone,
        **{name: OneSource(stores, source) for name, source in baselines.items()},
    }


def health(trial: Trial, lists: Lists) -> Mapping[str, NDArray[np.float64] | float]:
    """Concentration and breadth of the accounts that all see together."""
    shown = np.array([item for ids in lists.values() for item in ids], dtype=np.int64)
    everybody = len(trial.stores.users)
    return {
        "author_gini": exposure_gini(shown, everybody) if len(shown) else float("nan"),
        "coverage": len(np.unique(shown)) / everybody,
        "empty": sum(not ids for ids in lists.values()) / len(lists),
    }


def worth(trial: Trial, lists: Lists) -> None:
    """No world plants whom a user would like to follow."""


class Ranked(UpToRanker[Viewer, Account], FollowRecs):
    """The flow with its ranker, and nothing after it."""

    def __init__(self, ours: FollowRecs) -> None:
        super().__init__(ours.stores, KeepOrder())
        self.sources, self.weight_of, self.ranker = ours.sources, ours.weight_of, ours.ranker


SWITCHED: Changes = {
    **{f"without filter {name}": {switch: False} for name, switch in params.FILTERS.items()},
    "without model": {params.ML: False},
    "without fatigue": {params.FATIGUE: False},
    "with sources drawn": {params.DRAWN: True},
    "with sampling": {params.SAMPLING: True},
    "with second head": {params.ENGAGEMENT: 1.0},
    "with 100 ranked": {params.RANK_CAP: 100},
}


def ablations(ours: FollowRecs) -> Changes:
    """Every source left out, every switch turned."""
    weights = {f"without {name}": {params.WEIGHTS[name]: 0.0} for name in ours.sources.names}
    return {**weights, **SWITCHED}


OFFLINE = Offline(trial, systems, Ranked, Account.score, health, worth, ablations)
