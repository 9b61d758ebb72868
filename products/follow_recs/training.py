"""Train the ranker of follow recommendations on whom viewers followed next.

Where follows are dated, what came after a cut-off is to be predicted from what came before. Where they are not, or
nobody followed anybody after it, a random share of them is hidden and to be found again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs
import numpy as np
from numpy.typing import NDArray

from components.models.logistic import LogisticModel
from components.rankers.training import UpToRanker, examples_of, fit
from components.stores.graph import Graph
from components.stores.stores import FOLLOW, INTEREST, Stores
from components.stores.types import Account, Viewer
from mixer import Request
from mixer.params import Params
from mixer.rankers import KeepOrder
from products.follow_recs.flow import FollowRecs

INPUTS = (
    Account.connectors,
    Account.shared_interests,
    Account.followers,
    Account.followings,
    Account.follows_viewer,
    Account.friends_of_friends_score,
    Account.mutual_interest_score,
    Account.popular_score,
    Account.new_followers,
    Account.similar_score,
    Account.lately_followed_score,
    Account.circle_score,
    Account.triangle_score,
    Account.trending_score,
    Account.reciprocation_score,
    Account.mutual_follows_score,
    Account.in_language_score,
    Account.found_by,
    Account.best_place,
)
"""What the ranker looks at."""


@attrs.frozen
class Training:
    """How to train.

    Args:
        requests: how many viewers to learn from.
        negatives: accounts that they did not follow, taken from each.
        known: share of all actions that only serve as history; of undated follows, that are not hidden.
        cut_off: share of all actions before the moment after which nothing is learned.
        seed: of every random choice.
    """

    requests: int = 600
    negatives: int = 40
    known: float = 0.7
    cut_off: float = 0.9
    seed: int = 0


@attrs.frozen
class Past:
    """What was known, and what came next.

    Args:
        stores: as they were.
        now_ms: the moment of the training requests.
        next: whom users followed then.
    """

    stores: Stores
    now_ms: int
    next: Graph


class Collector(UpToRanker[Viewer, Account], FollowRecs):
    """The flow up to the ranker."""


async def train(
    stores: Stores,
    params: Params,
    training: Training = Training(),
    track: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> LogisticModel:
    """Learn the probability that a viewer follows an account.

    Args:
        stores: everything; what is after the cut-off is not looked at.
        params: caps of the flow.
        training: how much, and the seed.
        track: shows progress over an iterable.

    Raises:
        ValueError: too little happened to learn from.
    """
    rng = np.random.default_rng([training.seed, 2])
    past = past_of(stores, training.known, training.cut_off, rng)
    everybody = np.arange(len(stores.users))
    knew = past.stores.follows.degrees(everybody, past.now_ms) > 0
    able = np.flatnonzero(knew & (past.next.degrees(everybody) > 0))
    viewers = rng.choice(able, min(training.requests, len(able)), replace=False)
    request = Request(id="training", now_ms=past.now_ms, params=params)
    requests = (
        (Viewer(int(stores.users.ids[row]), request=request), past.next.of(row))
        for row in track(viewers.tolist())
    )
    flow = Collector(past.stores, KeepOrder())
    return fit(await examples_of(flow, requests, Account.row, INPUTS, training.negatives, rng), INPUTS)


def past_of(stores: Stores, known: float, cut_off: float, rng: np.random.Generator) -> Past:
    """The stores as they were before what is to be learned, or foretold.

    Args:
        stores: everything.
        known: share of all actions before the moment of the past, or of undated follows that stay.
        cut_off: share of all actions before the moment after which nothing is looked at.
        rng: draws what is hidden where follows have no dates.

    Raises:
        ValueError: nobody follows anybody.
    """
    follows = stores.follows
    if not follows.edges:
        raise ValueError("expected follows, or interactions, to learn from, got none")
    times = stores.engagements.time_ms if stores.engagements.edges else follows.time_ms
    now_ms, until_ms = np.quantile(times, [known, cut_off]).astype(np.int64).tolist()
    then = (follows.time_ms >= now_ms) & (follows.time_ms < until_ms)
    if then.any():
        return Past(stores, now_ms, _part(follows, then))
    # A friendship is one fact, whichever way round it is written: both directions are hidden together.
    low, high = np.minimum(follows.sources, follows.ends), np.maximum(follows.sources, follows.ends)
    _, pair = np.unique(low * len(follows) + high, return_inverse=True)
    hidden = (rng.random(int(pair.max()) + 1) >= known)[pair]
    graphs = {**stores.graphs, FOLLOW: _part(follows, ~hidden)}
    if stores.interests is follows:
        graphs[INTEREST] = graphs[FOLLOW]
    return Past(attrs.evolve(stores, graphs=graphs), stores.now_ms, _part(follows, hidden))


def _part(graph: Graph, edges: NDArray[np.bool_]) -> Graph:
    shape = (len(graph), graph.columns)
    return Graph.build(graph.sources[edges], graph.ends[edges], graph.time_ms[edges], shape=shape)
