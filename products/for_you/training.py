"""Train For You's ranker on what viewers did next, as the flow would have seen it then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from components.models.light_trees import LightTrees
from components.models.logistic import LogisticModel
from components.rankers.training import Examples, UpToRanker, examples_of, fit, fit_trees
from components.stores.stores import Stores
from components.stores.types import Post, Viewer
from mixer import Column, Request
from mixer.params import Params
from mixer.rankers import KeepOrder
from products.for_you.embeddings import NO_EMBEDDINGS, Embeddings
from products.for_you.flow import ForYou
from products.for_you.params import MAX_AGE_H

HOUR_MS = 3_600_000

INPUTS: tuple[Column[Any, Any], ...] = (
    Post.in_network,
    Post.author_affinity,
    Post.topic_affinity,
    Post.recent_engagements,
    Post.followed_engagers,
    Post.author_followers,
    Post.age_h,
    Post.same_language,
    Post.has_media,
    Post.is_reply,
    Post.in_network_score,
    Post.co_engagement_score,
    Post.popular_score,
    Post.liked_by_followed_score,
    Post.trending_score,
    Post.simclusters_score,
    Post.twhin_score,
    Post.two_tower_score,
)
"""What the ranker looks at."""


@attrs.frozen
class Training:
    """How to train.

    Args:
        requests: how many past requests to learn from.
        negatives: candidates without engagement taken from each.
        warm_up: share of all engagements that only serves as history.
        cut_off: share of all engagements before the moment after which nothing is learned.
        seed: of every random choice.
        since_ms: what is before this moment only serves as history, too.
    """

    requests: int = 600
    negatives: int = 40
    warm_up: float = 0.3
    cut_off: float = 0.9
    seed: int = 0
    since_ms: int = 0


class Collector(UpToRanker[Viewer, Post], ForYou):
    """The flow up to the ranker."""


async def train(
    stores: Stores,
    params: Params,
    training: Training = Training(),
    track: Callable[[Iterable[int]], Iterable[int]] = iter,
    embeddings: Embeddings = NO_EMBEDDINGS,
) -> LogisticModel:
    """Learn the probability that a viewer engages with a post within half the age limit, as a logistic regression.

    Args and errors as for :func:`examples`.
    """
    return fit(await examples(stores, params, training, track, embeddings), INPUTS)


async def train_trees(
    stores: Stores,
    params: Params,
    training: Training = Training(),
    track: Callable[[Iterable[int]], Iterable[int]] = iter,
    embeddings: Embeddings = NO_EMBEDDINGS,
) -> LightTrees:
    """The same probability, from small trees.

    Args and errors as for :func:`examples`.
    """
    return fit_trees(await examples(stores, params, training, track, embeddings), INPUTS, training.seed)


async def examples(
    stores: Stores,
    params: Params,
    training: Training,
    track: Callable[[Iterable[int]], Iterable[int]],
    embeddings: Embeddings,
) -> list[Examples]:
    """What the flow would have had to rank in the past, and what viewers did then.

    Args:
        stores: everything; what is after the cut-off is not looked at.
        params: caps and limits of the flow.
        training: how much, and the seed.
        track: shows progress over an iterable.
        embeddings: learned spaces that the flow searches.

    Raises:
        ValueError: too little happened to learn from.
    """
    rng = np.random.default_rng([training.seed, 1])
    moments, until_ms = moments_of(stores, training, rng)
    past = past_requests(stores, params, track(moments.tolist()), until_ms)
    flow = Collector(stores, KeepOrder(), embeddings=embeddings.over(stores))
    return await examples_of(flow, past, Post.row, INPUTS, training.negatives, rng)


def past_requests(
    stores: Stores, params: Params, moments: Iterable[int], until_ms: int
) -> Iterator[tuple[Viewer, NDArray[np.int32]]]:
    """For each moment the viewer, and the posts engaged with within half the age limit and before the cut-off."""
    engagements, horizon_ms = stores.engagements, int(params[MAX_AGE_H] * HOUR_MS / 2)
    for moment in moments:
        row, now_ms = int(engagements.sources[moment]), int(engagements.time_ms[moment])
        known = len(engagements.of(row, now_ms))
        request = Request(id="training", now_ms=now_ms, params=params)
        viewer = Viewer(int(stores.users.ids[row]), request=request)
        yield viewer, engagements.of(row, min(now_ms + horizon_ms, until_ms))[known:]


def moments_of(stores: Stores, training: Training, rng: np.random.Generator) -> tuple[NDArray[np.int64], int]:
    """Engagements just before which a viewer is asked, and the moment after which nothing is learned."""
    in_time = np.argsort(stores.engagements.time_ms, kind="stable")
    start, stop = (int(share * len(in_time)) for share in (training.warm_up, training.cut_off))
    start = max(start, int(np.searchsorted(stores.engagements.time_ms[in_time], training.since_ms)))
    usable = in_time[start:stop]
    if not len(usable):
        raise ValueError(f"expected engagements to learn from, got {len(in_time)} altogether")
    until_ms = int(stores.engagements.time_ms[in_time[stop]])
    return rng.choice(usable, min(training.requests, len(usable)), replace=False), until_ms
