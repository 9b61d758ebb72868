"""How For You's rankers order what viewers were shown: everybody ranks the same posts, whatever the log preferred to show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from components.datasets import Action, DataError, split_by_time
from components.features.labels import HEADS, LABEL_WINDOW_MS, Examples, shown_examples
from components.models.weighted_score import WeightSet
from components.rankers.heavy import HeavyRanker, UnderLoad
from components.rankers.light import LightRanker
from components.rankers.training import UpToRanker
from components.sources.answers import posts_at
from components.stores.from_dataset import NEGATIVE, stores_of
from components.stores.stores import Stores
from components.stores.types import Post, Viewer
from mixer import (
    CandidatePredicate,
    Candidates,
    CandidateSource,
    Ranker,
    RecommendationFlow,
    SourceRegistry,
    Verdicts,
)
from mixer.candidate_predicates import KeepAll
from mixer.rankers import KeepOrder
from products._cli.data import Loaded
from products._offline.trial import Case, InOrder, Offline, Trial, drawn
from products.for_you import params
from products.for_you.evaluation import HOUR_MS, Ranked, parts_of
from products.for_you.flow import ForYou

ANY_ACTION = WeightSet("any_action", {HEADS[action]: 1.0 for action in Action if action not in NEGATIVE})
"""Every action counts the same, as it does where slates are judged; published weights value a reply 27 likes."""

Order = Callable[[Viewer, NDArray[np.int64]], NDArray[Any]]
"""A viewer and rows of posts to a score above 0 for each."""

Slates = Mapping[tuple[int, int], NDArray[np.int64]]
"""Viewer's id and moment to rows of what the viewer was shown then, in that order."""


@attrs.frozen
class Shown(CandidateSource[Viewer, Post]):
    """What a viewer was shown, in some order; by chance where that does not tell, so that places say nothing."""

    stores: Stores = attrs.field(repr=False)
    shown: Slates = attrs.field(repr=False)
    order: Order = attrs.field(repr=False)

    def fetch(self, viewer: Viewer) -> Candidates[Post]:
        rows = slate_of(viewer, self.shown)
        scores = self.order(viewer, rows)
        best = np.lexsort((viewer.request.rng("ties").random(len(rows)), -scores))
        return posts_at(self.stores, rows[best], scores[best])


@attrs.frozen
class WasShown(CandidatePredicate[Viewer, Post]):
    """Leaves out what sources find beside what was shown."""

    shown: Slates = attrs.field(repr=False)

    def check(self, target: Viewer, candidates: Candidates[Post]) -> Verdicts:
        return Verdicts.keep_where(np.isin(candidates[Post.row], slate_of(target, self.shown)), "not_shown")


class RankedShown(UpToRanker[Viewer, Post], ForYou):
    """The flow's sources, hydrators and a ranker, over what was shown: a source's opinion counts, its choice does not."""

    def __init__(self, ours: ForYou, ranker: Ranker[Viewer, Post], trial: Trial) -> None:
        super().__init__(ours.stores, ranker, embeddings=ours.embeddings)
        self.shown = trial.shown
        everything = Shown(ours.stores, trial.shown, by_chance)
        self.sources = SourceRegistry([*self.sources.all(), everything])

    def pre_ranker_filter(self) -> CandidatePredicate[Viewer, Post]:
        return WasShown(self.shown)


class ShownInOrder(InOrder, ForYou):
    """What was shown, in some order."""

    def __init__(self, trial: Trial, order: Order) -> None:
        super().__init__(trial.stores, KeepOrder())
        self.only = (Shown(trial.stores, trial.shown, order),)

    def pre_ranker_filter(self) -> CandidatePredicate[Viewer, Post]:
        return KeepAll()

    def validate_candidates(self) -> CandidatePredicate[Viewer, Post]:
        return KeepAll()


def slate_of(viewer: Viewer, shown: Slates) -> NDArray[np.int64]:
    """What the viewer was shown at the moment of the request."""
    return shown[viewer.user_id, viewer.request.now_ms]


def as_shown(viewer: Viewer, rows: NDArray[np.int64]) -> NDArray[Any]:
    """The order in which the viewer was shown them."""
    return 1.0 / (1.0 + np.arange(len(rows)))


def by_chance(viewer: Viewer, rows: NDArray[np.int64]) -> NDArray[Any]:
    """An order that knows nothing."""
    return 1.0 - viewer.request.rng("random").random(len(rows))


def trial(loaded: Loaded, users: int, seed: int) -> Trial:
    """All slates of the last tenth of the data with at least one post acted upon and one not, of so many viewers.

    Relevant is what the viewer acted upon, other than against it, within three hours of being shown.

    Raises:
        DataError: nobody logged what was shown.
    """
    data = loaded.data.as_of(loaded.data.now_ms)
    if not len(data["impressions"]):
        raise DataError(data.name, ["expected impressions, for --shown ranks what was shown; got none"])
    split = split_by_time(data, 0.1, 0.1)
    past, stores = split.test.known, stores_of(data)
    late = shown_examples(stores, data).during(split.test.begin_ms, data.now_ms - LABEL_WINDOW_MS)
    slates = tuple(_slates(stores, late, users, np.random.default_rng([seed, 11])))
    cases = tuple(case for case, _ in slates)
    viewers = len({case.user_id for case in cases})
    protocol = f"{viewers} viewers, at {len(cases)} slates of the last tenth of the data; what was shown is ranked again"
    shown = {(case.user_id, case.now_ms): rows for case, rows in slates}
    return Trial(Loaded(past, stores_of(past)), Loaded(data, stores, loaded.truth), cases, protocol, shown)


def _slates(
    stores: Stores, late: Examples, users: int, rng: np.random.Generator
) -> Iterator[tuple[Case, NDArray[np.int64]]]:
    asked, favour = late.asked, [int(action) for action in Action if action not in NEGATIVE]
    acted: NDArray[np.bool_] = np.asarray(late.labels[:, favour] > 0).max(axis=1)
    sizes = np.bincount(asked.request)
    positives = np.bincount(asked.request[acted], minlength=len(sizes))
    telling = np.flatnonzero((positives > 0) & (positives < sizes))
    chosen = drawn(np.unique(asked.viewer[telling]), users, rng)
    for request in telling[np.isin(asked.viewer[telling], chosen)].tolist():
        row, now_ms = int(asked.viewer[request]), int(asked.now_ms[request])
        pairs = slice(*np.searchsorted(asked.request, [request, request + 1]))
        posts, liked = asked.post[pairs], acted[pairs]
        relevant = tuple(stores.posts.index.ids[posts[liked]].tolist())
        history = len(stores.engagements.of(row, now_ms))
        yield Case(int(stores.users.ids[row]), now_ms, relevant, history, request), posts


def systems(trial: Trial, ours: ForYou) -> Mapping[str, RecommendationFlow[Viewer, Any]]:
    """Our ranker, if it is heavy the same without weights and the light one, and what they have to beat."""
    return {
        **{name: RankedShown(ours, ranker, trial) for name, ranker in _rankers(ours).items()},
        **{name: ShownInOrder(trial, order) for name, order in _orders(trial).items()},
    }


def _rankers(ours: ForYou) -> dict[str, Ranker[Viewer, Post]]:
    learned = next(one for one in parts_of(ours.ranker) if isinstance(one, (UnderLoad, LightRanker)))
    rankers: dict[str, Ranker[Viewer, Post]] = {"for_you": learned}
    if isinstance(learned, UnderLoad):
        rankers["light_ranker"] = learned.light
        for heavy in parts_of(learned.heavy):
            if isinstance(heavy, HeavyRanker):
                rankers["any_action"] = attrs.evolve(heavy, weights=ANY_ACTION)
    return rankers


def _orders(trial: Trial) -> dict[str, Order]:
    stores, truth = trial.stores, trial.truth

    def most_engaged(viewer: Viewer, rows: NDArray[np.int64]) -> NDArray[Any]:
        since_ms = viewer.history.now_ms - int(params.WINDOW_H.default * HOUR_MS)
        recent = stores.engagements.ends[stores.engagements.between(since_ms, viewer.history.now_ms)]
        return 1.0 + np.bincount(recent, minlength=len(stores.posts))[rows]

    def newest(viewer: Viewer, rows: NDArray[np.int64]) -> NDArray[Any]:
        return stores.posts.created_ms[rows]

    orders = {"as_shown": as_shown, "most_engaged": most_engaged, "newest": newest, "random": by_chance}
    if truth is not None:

        def ceiling(viewer: Viewer, rows: NDArray[np.int64]) -> NDArray[Any]:
            viewers = np.full(len(rows), viewer.user_id)
            return np.asarray(
                truth.probability(viewers, stores.posts.index.ids[rows], Action.FAV), np.float64
            )

        orders["ceiling"] = ceiling
    return orders


SHOWN = Offline(
    trial, systems, Ranked, Post.score, lambda _trial, _lists: {}, lambda _trial, _lists: None, lambda _: {}
)
