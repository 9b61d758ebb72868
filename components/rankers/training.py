"""Train a ranker on a flow's own past.

A training request is the flow itself, up to the ranker, at a moment in the past. Stores answer as of that moment, so
what a ranker learns from is computed by the same code from the same facts as what it will rank.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import attrs
import numpy as np
from numpy.typing import NDArray

from components.models.light_trees import LightTrees
from components.models.logistic import LogisticModel, LogisticRegression
from components.rankers.light import feature_matrix
from mixer import Candidate, CandidatePredicate, Candidates, Column, RecommendationFlow, ResultsConfig, Target
from mixer.candidate_predicates import KeepAll
from mixer.side_effects import SideEffect
from mixer.transforms import Identity, Transform

T = TypeVar("T", bound=Target)
C = TypeVar("C", bound=Candidate)

EVERYTHING = 2**31


class UpToRanker(RecommendationFlow[T, C]):
    """Mixed into a flow: its candidates as the ranker would get them, all of them and whatever the load."""

    def post_ranker_transform(self) -> Transform[T, C]:
        return Identity()

    def validate_candidates(self) -> CandidatePredicate[T, C]:
        return KeepAll()

    def results_config(self, target: T) -> ResultsConfig:
        return ResultsConfig(EVERYTHING)

    def transform_results(self) -> Transform[T, C]:
        return Identity()

    def side_effects(self) -> Sequence[SideEffect[T, C]]:
        return ()

    def quality_factor(self) -> None:
        return None


@attrs.frozen
class Examples:
    """Rows to learn from.

    Args:
        features: ``(n, f)``.
        labels: ``(n,)`` 1 where the viewer acted.
        weights: ``(n,)`` how many candidates a row stands for: 1 for positives, more for sampled negatives.
    """

    features: NDArray[np.float64]
    labels: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def sampled(
        cls,
        candidates: Candidates[Any],
        inputs: tuple[Column[Any, Any], ...],
        acted: NDArray[np.bool_],
        negatives: int,
        rng: np.random.Generator,
    ) -> Examples:
        """Of the candidates of one request, those that :func:`sampled` gives."""
        rows, weights = sampled(acted, negatives, rng)
        return cls(feature_matrix(candidates.pick(rows), inputs), acted[rows].astype(np.float64), weights)


def sampled(
    acted: NDArray[np.bool_], negatives: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rows of all positives and of at most so many random negatives, weighted to stand for all of them."""
    others = np.flatnonzero(~acted)
    drawn = rng.choice(others, min(negatives, len(others)), replace=False)
    rows = np.concatenate([np.flatnonzero(acted), np.sort(drawn)])
    weights = np.ones(len(rows))
    weights[len(rows) - len(drawn) :] = len(others) / max(len(drawn), 1)
    return rows, weights


async def examples_of(
    flow: UpToRanker[T, Any],
    past: Iterable[tuple[T, NDArray[np.integer]]],
    row: Column[Any, Any],
    inputs: tuple[Column[Any, Any], ...],
    negatives: int,
    rng: np.random.Generator,
) -> list[Examples]:
    """What the flow would have had to rank, and what happened.

    Args:
        flow: with any ranker.
        past: requests, each with the rows that its viewer acted on afterwards.
        row: the column that holds such rows.
        inputs: feature columns.
        negatives: candidates without action taken from each request.
        rng: draws them.
    """
    parts: list[Examples] = []
    for target, acted_on in past:
        candidates = (await flow.process(target)).candidates
        if len(candidates):
            acted = np.isin(candidates[row], acted_on)
            parts.append(Examples.sampled(candidates, inputs, acted, negatives, rng))
    return parts


def fit(parts: Sequence[Examples], inputs: tuple[Column[Any, Any], ...], l2: float = 1.0) -> LogisticModel:
    """A model of the probability that a viewer acts on a candidate.

    Raises:
        ValueError: nobody acted, or everybody did, so there is nothing to learn.
    """
    every = together(parts)
    names = [key.name for key in inputs]
    return LogisticRegression(l2=l2).fit(every.features, every.labels, every.weights, names)


def fit_trees(parts: Sequence[Examples], inputs: tuple[Column[Any, Any], ...], seed: int = 0) -> LightTrees:
    """Small trees of that probability; needs scikit-learn.

    Raises:
        ValueError: nobody acted, or everybody did, so there is nothing to learn.
        ImportError: scikit-learn is not installed.
    """
    every = together(parts)
    names = [key.name for key in inputs]
    return LightTrees.fit(every.features, every.labels, every.weights, names, seed=seed)


def together(parts: Sequence[Examples]) -> Examples:
    """The rows of all requests.

    Raises:
        ValueError: nobody acted, or everybody did, so there is nothing to learn.
    """
    labels = np.concatenate([part.labels for part in parts]) if parts else np.zeros(0)
    if not 0 < labels.sum() < len(labels):
        raise ValueError(
            f"expected candidates that viewers acted on and others, got {int(labels.sum())} of {len(labels)} acted on"
        )
    features = np.concatenate([part.features for part in parts])
    return Examples(features, labels, np.concatenate([part.weights for part in parts]))
