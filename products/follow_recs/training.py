"""Train the ranker of follow recommendations on whom viewers followed next.

Where follows are dated, what came after a cut-off is to be predicted from what came before. Where they are not, or
nobody followed anybody after it, a random share of them is hidden and to be found again.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import numpy as np
from numpy.typing import NDArray

from components.models.logistic import LogisticModel
from components.rankers.light import feature_matrix
from components.rankers.training import Examples, UpToRanker, examples_of, fit
from components.stores.graph import Graph
from components.stores.stores import FOLLOW, INTEREST, Stores
from components.stores.types import Account, Viewer
from mixer import Request
from mixer.params import Params
from mixer.rankers import KeepOrder
from products._cli.data import Track
from products.follow_recs.embeddings import NOTHING_LEARNED, Learned
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
    Account.two_hop_score,
    Account.out_of_network_score,
    Account.twhin_score,
    Account.simclusters_score,
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
        until_ms: the moment after which nothing is looked at.
    """

    stores: Stores
    now_ms: int
    next: Graph
    until_ms: int


class Collector(UpToRanker[Viewer, Account], FollowRecs):
    """The flow up to the ranker."""


async def train(
    stores: Stores,
    params: Params,
    training: Training = Training(),
    track: Track = iter,
    learned: Learned = NOTHING_LEARNED,
) -> LogisticModel:
    """Learn the probability that a viewer follows an account.

    Args:
        stores: everything; what is after the cut-off is not looked at.
        params: caps of the flow.
        training: how much, and the seed.
        track: shows progress over an iterable.
        learned: from :func:`learning_past` of the same stores, so that it knows nothing of what is to be learned.

    Raises:
        ValueError: too little happened to learn from.
    """
    past, rng = learning_past(stores, training)
    requests = _requests(past, params, training, track, rng)
    flow = Collector(past.stores, KeepOrder(), learned=learned)
    return fit(await examples_of(flow, requests, Account.row, INPUTS, training.negatives, rng), INPUTS)


async def train_engagement(
    stores: Stores,
    params: Params,
    training: Training = Training(),
    track: Track = iter,
    learned: Learned = NOTHING_LEARNED,
) -> LogisticModel | None:
    """Learn the probability that a viewer engages with the posts of somebody, once followed.

    Args and past as for :func:`train`; examples are those whom viewers followed next.

    Returns:
        None where nobody engages with those whom they follow, or everybody does.
    """
    if not stores.engagements.edges:
        return None
    past, rng = learning_past(stores, training)
    authors = _authors_engaged_with(stores, past)
    flow, parts = Collector(past.stores, KeepOrder(), learned=learned), list[Examples]()
    for viewer, followed in _requests(past, params, training, track, rng):
        found = (await flow.process(viewer)).candidates
        found = found.where(np.isin(found[Account.row], followed))
        if len(found):
            engaged = np.isin(found[Account.row], authors.of(stores.users.row_of(viewer.user_id)))
            weights = np.ones(len(found))
            parts.append(Examples(feature_matrix(found, INPUTS), engaged.astype(np.float64), weights))
    both = {label for part in parts for label in part.labels.tolist()}
    return fit(parts, INPUTS) if len(both) == 2 else None


def learning_past(stores: Stores, training: Training) -> tuple[Past, np.random.Generator]:
    """What the ranker learns from as known, and the generator that goes on from there."""
    rng = np.random.default_rng([training.seed, 2])
    return past_of(stores, training.known, training.cut_off, rng), rng


def _requests(
    past: Past,
    params: Params,
    training: Training,
    track: Track,
    rng: np.random.Generator,
) -> Iterator[tuple[Viewer, NDArray[np.int32]]]:
    """Viewers at the moment of the past, with the rows of those whom they followed next."""
    users = past.stores.users
    everybody = np.arange(len(users))
    knew = past.stores.follows.degrees(everybody, past.now_ms) > 0
    able = np.flatnonzero(knew & (past.next.degrees(everybody) > 0))
    viewers = rng.choice(able, min(training.requests, len(able)), replace=False)
    request = Request(id="training", now_ms=past.now_ms, params=params)
    for row in track(viewers.tolist()):
        yield Viewer(int(users.ids[row]), request=request), past.next.of(row)


def _authors_engaged_with(stores: Stores, past: Past) -> Graph:
    """Users to the authors of what they engaged with between the past and its end; undated follows: at any time."""
    engagements, posts = stores.engagements, stores.posts
    begin_ms = past.now_ms if past.stores is stores else 0
    then = (engagements.time_ms >= begin_ms) & (engagements.time_ms < past.until_ms)
    size = len(stores.users)
    authors = posts.author[engagements.ends[then]]
    return Graph.build(engagements.sources[then], authors, shape=(size, size))


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
        return Past(stores, now_ms, _part(follows, then), until_ms)
    # A friendship is one fact, whichever way round it is written: both directions are hidden together.
    low, high = np.minimum(follows.sources, follows.ends), np.maximum(follows.sources, follows.ends)
    _, pair = np.unique(low * len(follows) + high, return_inverse=True)
    hidden = (rng.random(int(pair.max()) + 1) >= known)[pair]
    graphs = {**stores.graphs, FOLLOW: _part(follows, ~hidden)}
    if stores.interests is follows:
        graphs[INTEREST] = graphs[FOLLOW]
    return Past(attrs.evolve(stores, graphs=graphs), stores.now_ms, _part(follows, hidden), until_ms)


def _part(graph: Graph, edges: NDArray[np.bool_]) -> Graph:
    shape = (len(graph), graph.columns)
    return Graph.build(graph.sources[edges], graph.ends[edges], graph.time_ms[edges], shape=shape)
