"""How For You is judged: what viewers engaged with next, at a moment of the last part of the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.datasets import Action, split_by_time
from components.evaluation import exposure_gini, slate_entropy
from components.rankers.heavy import UnderLoad
from components.rankers.training import UpToRanker
from components.sources.baselines import BestPosts, NewestPosts, RandomPosts
from components.stores.from_dataset import stores_of
from components.stores.impressions import ImpressionStore
from components.stores.stores import Stores
from components.stores.types import Post, Viewer
from mixer import CandidateSource, Component, RecommendationFlow
from mixer.rankers import KeepOrder
from products._cli.data import Loaded
from products._offline.trial import DEPTH, Case, Changes, InOrder, Lists, Offline, Trial, drawn
from products.for_you import params
from products.for_you.flow import ForYou

HOUR_MS = 3_600_000
HORIZON_MS = 24 * HOUR_MS
"""What a viewer engages with within so long after the request is relevant."""


class OneSource(InOrder, ForYou):
    """The flow with one source in its own order."""

    def __init__(
        self,
        stores: Stores,
        source: CandidateSource[Viewer, Post],
        impressions: ImpressionStore | None = None,
    ) -> None:
        self.only = (source,)
        super().__init__(stores, KeepOrder(), impressions)


def trial(loaded: Loaded, users: int, seed: int) -> Trial:
    """The last tenth of all engagements, to be foretold from what came before each request.

    A request is made at a random one of a viewer's engagements in that tenth. Relevant is what the viewer engages
    with for the first time from then on, within a day, among posts that exist at the moment of the request.
    Undated preferences are left out: nobody can say what of them was known.
    """
    data = loaded.data.as_of(loaded.data.now_ms)
    split = split_by_time(data, 0.1, 0.1)
    stores, begin_ms = stores_of(data), split.test.begin_ms
    rng = np.random.default_rng([seed, 7])
    cases = tuple(_cases(stores, begin_ms, users, rng))
    protocol = (
        f"{len(cases)} viewers, each at a moment of the last tenth of the engagements; rankers know the rest"
    )
    past = split.test.known
    now = Loaded(data, stores, loaded.truth)
    return Trial(Loaded(past, stores_of(past)), now, cases, protocol)


def _cases(stores: Stores, begin_ms: int, users: int, rng: np.random.Generator) -> Iterator[Case]:
    engagements, created = stores.engagements, stores.posts.created_ms
    late = np.flatnonzero(
        (engagements.time_ms >= begin_ms) & (created[engagements.ends] < engagements.time_ms)
    )
    moments = late[rng.permutation(len(late))]
    rows, first = np.unique(engagements.sources[moments], return_index=True)
    for at in drawn(np.arange(len(rows)), users, rng).tolist():
        row, now_ms = int(rows[at]), int(engagements.time_ms[moments[first[at]]])
        known = len(engagements.of(row, now_ms))
        then = engagements.of(row, now_ms + HORIZON_MS)[known:]
        relevant = stores.posts.index.ids[then[created[then] < now_ms]]
        yield Case(int(stores.users.ids[row]), now_ms, tuple(relevant.tolist()), known)


def systems(trial: Trial, ours: ForYou) -> Mapping[str, RecommendationFlow[Viewer, Any]]:
    """Our flow, each of its sources alone, and what it has to beat."""
    stores, age = trial.stores, params.MAX_AGE_H
    alone: dict[str, ForYou] = {source.name: OneSource(stores, source) for source in ours.sources.all()}
    baselines: dict[str, CandidateSource[Viewer, Post]] = {
        "newest": NewestPosts(stores, DEPTH * 2, age),
        "random": RandomPosts(stores, DEPTH * 2, age),
    }
    if trial.truth is not None:
        truth = trial.truth
        baselines["ceiling"] = BestPosts(
            stores, lambda viewers, posts: truth.probability(viewers, posts, Action.FAV), DEPTH * 2, age
        )
    # Beside the heavy ranker, the light one that stands in for it under load.
    heavy = next((one for one in parts_of(ours.ranker) if isinstance(one, UnderLoad)), None)
    if heavy is not None:
        alone["light_ranker"] = ForYou(stores, heavy.light, embeddings=ours.embeddings)
    return {
        "for_you": ours,
        **alone,
        **{name: OneSource(stores, source) for name, source in baselines.items()},
    }


def parts_of(component: Component) -> Iterator[Component]:
    """A component and everything that it is made of."""
    yield component
    for child in component.children():
        yield from parts_of(child)


def health(trial: Trial, lists: Lists) -> Mapping[str, NDArray[np.float64] | float]:
    """In-network share and age of what each viewer sees; concentration and breadth of what all see."""
    stores, now_ms = trial.stores, {case.user_id: case.now_ms for case in trial.cases}
    owners, shown = _flat(lists)
    rows = stores.posts.index.rows_of(shown)
    authors = stores.posts.author[rows]
    times = np.array([now_ms[user] for user in owners.tolist()], dtype=np.int64)
    followed = np.zeros(len(shown))
    for user in np.unique(owners).tolist():
        theirs = owners == user
        known = stores.follows.of(stores.users.row_of(user), now_ms[user])
        followed[theirs] = np.isin(authors[theirs], known)
    age_h = (times - stores.posts.created_ms[rows]) / HOUR_MS
    return {
        "in_network": _by_owner(owners, followed),
        "age_h": _by_owner(owners, age_h),
        "author_entropy": slate_entropy(owners, authors),
        "author_gini": exposure_gini(authors, len(stores.users)) if len(authors) else float("nan"),
        "coverage": len(np.unique(rows)) / len(stores.posts),
        "empty": sum(not ids for ids in lists.values()) / len(lists),
    }


def worth(trial: Trial, lists: Lists) -> NDArray[np.float64] | None:
    """Planted probability that a shown post is liked, averaged over ten places, of which empty ones count as 0."""
    if trial.truth is None:
        return None
    owners, shown = _flat(lists)
    likely = trial.truth.probability(owners, shown, Action.FAV)
    users = np.array(sorted(lists))
    return np.bincount(np.searchsorted(users, owners), weights=likely, minlength=len(users)) / 10.0


def _flat(lists: Lists) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    pairs = [(user, item) for user in sorted(lists) for item in lists[user]]
    owners, items = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return owners, items


def _by_owner(owners: NDArray[np.int64], values: NDArray[Any]) -> NDArray[np.float64]:
    _, owner, counts = np.unique(owners, return_inverse=True, return_counts=True)
    return np.bincount(owner, weights=values) / counts


class Ranked(UpToRanker[Viewer, Post], ForYou):
    """The flow with its ranker, and nothing after it."""

    def __init__(self, ours: ForYou) -> None:
        super().__init__(ours.stores, KeepOrder())
        self.sources, self.ranker = ours.sources, ours.ranker


CAPS = {
    "in_network": params.IN_NETWORK_CAP,
    "co_engagement": params.CO_ENGAGEMENT_CAP,
    "liked_by_followed": params.LIKED_CAP,
    "recommended_authors": params.AUTHORS_CAP,
    "trending_topic": params.TRENDING_CAP,
    "popular": params.POPULAR_CAP,
    "new_authors": params.EXPLORE_SLATE,
    "simclusters": params.SIMCLUSTERS_CAP,
    "twhin": params.TWHIN_CAP,
    "two_tower": params.TWO_TOWER_CAP,
    "backfill": params.BACKFILL_CAP,
}
SWITCHED: Changes = {
    **{f"without filter {name}": {switch: False} for name, switch in params.FILTERS.items()},
    "without author diversity": {params.DECAY: 1.0},
    "without discount of strangers": {params.STRANGER_FACTOR: 1.0},
    "without one of each stranger": {params.STRANGER_ONCE: False},
    "without cold start": {params.COLD_START: False},
    "with diverse slates": {params.SLATE: True},
    "with recency decay": {params.RECENCY: True},
    "without quotas": {params.QUOTAS: False},
    "without one of each conversation": {params.CONVERSATIONS: False},
    "with ancestors": {params.WITHOUT_ANCESTORS: False},
    "without one of each story": {params.STORIES: False},
    "without visibility": {params.VISIBILITY: False},
    "with 100 ranked": {params.RANK_CAP: 100},
}


def ablations(ours: ForYou) -> Changes:
    """Every source left out, every switch turned."""
    return {**{f"without {name}": {CAPS[name]: 0} for name in ours.sources.names}, **SWITCHED}


OFFLINE = Offline(trial, systems, Ranked, Post.score, health, worth, ablations)
