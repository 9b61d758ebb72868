"""Diversify a slate by what its posts are about: determinantal point process, or maximal marginal relevance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from components.stores.posts import PostStore
from components.stores.types import Post, setting
from mixer import Candidates, Column, Transform, note, tracing
from mixer.params import Param
from mixer.transforms import Trait

Vectors = Callable[[Any, Candidates[Any]], NDArray[np.floating]]
"""``(target, candidates) -> (n, d)``; a row of zeros has no vector."""


@attrs.frozen
class TopicAndAuthor:
    """Unit vectors by which posts on one topic have a cosine of ``topic``, posts by one author one of the rest.

    A post on no known topic is known by its author alone. For where no better vectors of posts are at hand.
    """

    posts: PostStore = attrs.field(repr=False)
    topic: float = 0.7

    def __call__(self, target: Any, candidates: Candidates[Any]) -> NDArray[np.float64]:
        topics = self.posts.code("topic")[candidates[Post.row]]
        vectors = np.concatenate(
            [
                np.sqrt(self.topic) * _one_hot(topics) * (topics > 0)[:, None],
                np.sqrt(1.0 - self.topic) * _one_hot(candidates[Post.author_row]),
            ],
            axis=1,
        )
        return _unit(vectors)


def _one_hot(values: NDArray[np.integer]) -> NDArray[np.float64]:
    distinct, at = np.unique(values, return_inverse=True)
    return np.eye(len(distinct))[at]


@attrs.frozen
class DeterminantalSlate(Transform[Any, Any]):
    """Keeps the score of the slate that is good and diverse together, and sets that of the others to 0.

    Greedy MAP of the kernel ``exp(alpha q_i) exp(alpha q_j) cos(e_i, e_j)`` over the best ``pool`` candidates, with
    ``q`` the score over the largest and ``alpha = theta / (2 (1 - theta))``. It chooses the set; the order stays that
    of the scores. A missing vector is a random direction that depends on the request's seed and the candidate.

    Args:
        vectors: what candidates are about.
        score: not negative.
        theta: 0 looks at diversity alone, near 1 at scores alone.

    Source: x-algorithm, August 2026: pool 150, theta 0.65 (alpha 0.92857), slate 50, stop at a conditional variance
    of 1e-6; its missing vectors differ from request to request.
    """

    vectors: Vectors = attrs.field(repr=False)
    score: Column[Any, Any]
    theta: float | Param[float] = 0.65
    pool: int = 150
    slate: int | Param[int] = 50
    traits = Trait.REORDERS | Trait.ANNOTATES

    def transform(self, target: Any, candidates: Candidates[Any]) -> Candidates[Any]:
        ranked = candidates.sort(self.score)
        pool = ranked.head(self.pool)
        scores = pool[self.score].astype(np.float64)
        if not len(pool) or not scores[0] > 0:
            return ranked
        theta = setting(target, self.theta)
        quality = np.exp(theta / (2.0 * (1.0 - theta)) * scores / scores[0])
        found = self.vectors(target, pool)
        directions = _unit(found, pool.ids, target.request.seed_for(self.name))
        chosen = greedy_map(quality, directions, setting(target, self.slate))
        kept = np.zeros(len(ranked), np.float32)
        kept[chosen] = ranked[self.score][chosen]
        slate = ranked.with_columns({self.score: kept}).sort(self.score)
        if tracing():
            note(self.name, candidates, slate)
        return slate


def greedy_map(
    quality: NDArray[np.float64], directions: NDArray[np.float64], count: int, least: float = 1e-6
) -> NDArray[np.int64]:
    """Positions of a set that greedily maximises ``det(diag(q) V V' diag(q))``, in the order of choice.

    Args:
        quality: ``(n,)`` above 0.
        directions: ``(n, d)`` unit vectors.
        count: at most so many.
        least: stops when no candidate adds more variance than this.

    Source: Chen, Zhang, Zhou 2018 (incremental Cholesky), O(n d + n k) a step.
    """
    features = quality[:, None] * directions
    variance = (features**2).sum(axis=1)
    factors = np.zeros((min(count, len(quality)), len(quality)))
    chosen: list[int] = []
    for step in range(len(factors)):
        best = int(np.argmax(variance))
        if not variance[best] > least:
            break
        chosen.append(best)
        overlap = features @ features[best] - factors[:step].T @ factors[:step, best]
        factors[step] = overlap / np.sqrt(variance[best])
        variance = variance - factors[step] ** 2
        variance[best] = -np.inf
    return np.array(chosen, dtype=np.int64)


@attrs.frozen
class MarginalRelevance(Transform[Any, Any]):
    """Reorders the best ``pool`` candidates by score and by how little they repeat those before them; writes no score.

    Next comes the largest ``trade * q_i - (1 - trade) * max cos(e_i, e_j)`` over those chosen, with ``q`` the score
    over the largest. A candidate without a vector repeats nobody. Candidates behind the pool follow as they are.

    Source: Carbonell and Goldstein 1998; the default trade of 0.7 is ours.
    """

    vectors: Vectors = attrs.field(repr=False)
    score: Column[Any, Any]
    trade: float | Param[float] = 0.7
    pool: int = 150
    traits = Trait.REORDERS

    def transform(self, target: Any, candidates: Candidates[Any]) -> Candidates[Any]:
        ranked = candidates.sort(self.score)
        pool = ranked.head(self.pool)
        if len(pool) < 2:
            return ranked
        scores = pool[self.score].astype(np.float64)
        quality = scores / scores[0] if scores[0] > 0 else scores
        directions = _unit(self.vectors(target, pool))
        order = np.arange(len(ranked))
        order[: len(pool)] = _by_marginal_relevance(quality, directions, setting(target, self.trade))
        return ranked.pick(order)


def _by_marginal_relevance(
    quality: NDArray[np.float64], directions: NDArray[np.float64], trade: float
) -> NDArray[np.int64]:
    repeats = np.zeros(len(quality))
    left = np.ones(len(quality), np.bool_)
    order = np.empty(len(quality), np.int64)
    for place in range(len(quality)):
        worth = np.where(left, trade * quality - (1.0 - trade) * repeats, -np.inf)
        best = order[place] = int(np.argmax(worth))
        left[best] = False
        repeats = np.maximum(repeats, directions @ directions[best])
    return order


def _unit(
    vectors: NDArray[np.floating], ids: NDArray[np.int64] | None = None, seed: int = 0
) -> NDArray[np.float64]:
    """Unit vectors; zeros stay zeros, or become random directions where ids are given."""
    found = np.asarray(vectors, np.float64)
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    units = found / np.where(norms > 0, norms, 1.0)
    if ids is None:
        return units
    for row in np.flatnonzero(norms[:, 0] == 0):
        drawn = np.random.default_rng([seed, int(ids[row])]).normal(size=found.shape[1])
        units[row] = drawn / np.linalg.norm(drawn)
    return units
