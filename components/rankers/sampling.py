"""Random orders that can be repeated: sources by weight, candidates by score, rankers side by side.

Every random choice comes from the request's seed and the component's name. Source: the combined ranker of FRS.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from components.stores.types import setting
from mixer import Candidates, Column, Ranker, Transform
from mixer.errors import ConfigurationError
from mixer.params import Param
from mixer.transforms import Trait

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Shuffle(Enum):
    """What becomes of the order within a source."""

    NONE = "none"
    UNIFORM = "uniform"
    EXPONENTIAL = "exponential"
    """Weights 1, 1, 1/4, 1/9, ...: upstream weighs rank 0 with infinity, here the first is only as likely as the second."""


@attrs.frozen
class WeightedSources(Ranker[Any, Any]):
    """Takes candidates from sources drawn by weight, each in its own order, until all are taken.

    A source of weight 0 is off: its candidates are dropped. (Upstream fails the request instead.)

    Args:
        weights: by name of the source.
        shuffle: what becomes of the order within a source.
        drawn: False leaves nothing to chance: sources take turns, in proportion to their weights.
    """

    weights: Mapping[str, float | Param[float]]
    shuffle: Shuffle | Param[Shuffle] = Shuffle.NONE
    drawn: bool | Param[bool] = True
    traits = Trait.REORDERS | Trait.DROPS

    def check_against(self, sources: tuple[str, ...]) -> None:
        """Raise unless weights and sources speak of the same names.

        Raises:
            ConfigurationError: lists every weight without a source and every source without a weight.
        """
        problems = [f"weight of {name!r}, which is no source" for name in self.weights if name not in sources]
        problems += [f"source {name!r} without a weight" for name in sources if name not in self.weights]
        if problems:
            raise ConfigurationError(self.name, problems)

    def weight_of(self, target: Any, source: str) -> float:
        """What a source weighs in a request; 0 for one that nobody gave a weight."""
        return setting(target, self.weights.get(source, 0.0))

    def rank(self, target: Any, candidates: Candidates[Any]) -> Candidates[Any]:
        provenance = candidates.provenance
        if provenance is None or not len(candidates):
            return candidates
        weights = np.array([self.weight_of(target, name) for name in provenance.names])
        primary = provenance.primary_of(candidates.handles)
        queues = [
            np.flatnonzero(primary == source) if weight > 0 else np.empty(0, dtype=np.int64)
            for source, weight in enumerate(weights.tolist())
        ]
        if not setting(target, self.drawn):
            return candidates.pick(_in_turn(queues, weights))
        rng = target.request.rng(self.name)
        return candidates.pick(_drawn([self._shuffled(target, rows, rng) for rows in queues], weights, rng))

    def _shuffled(self, target: Any, rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        how = setting(target, self.shuffle)
        if how is Shuffle.NONE:
            return rows
        weights = np.ones(len(rows))
        if how is Shuffle.EXPONENTIAL:
            weights /= np.maximum(np.arange(len(rows)), 1) ** 2
        return rows[_without_replacement(np.log(weights), rng)]


def _in_turn(queues: list[NDArray[np.int64]], weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows in the order in which they are due: the ``k``-th of a source of weight ``w`` at time ``k / w``."""
    due = [
        np.arange(1, len(rows) + 1) / weight
        for rows, weight in zip(queues, weights, strict=True)
        if len(rows)
    ]
    rows = np.concatenate([*queues, np.empty(0, dtype=np.int64)])
    return rows[np.argsort(np.concatenate([*due, np.empty(0)]), kind="stable")]


def _drawn(
    queues: list[NDArray[np.int64]], weights: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Rows in the order in which draws of their sources take them."""
    rows = np.concatenate([*queues, np.empty(0, dtype=np.int64)])
    lengths = np.array([len(queue) for queue in queues])
    begins, taken = np.cumsum(lengths) - lengths, np.zeros(len(queues), dtype=np.int64)
    places: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    while (taken < lengths).any():
        able = np.flatnonzero(taken < lengths)
        draws = rng.choice(able, int((lengths - taken).sum()), p=weights[able] / weights[able].sum())
        # Draws count until the first one that exhausts its source; then the rest is drawn anew without it.
        nth = np.zeros(len(draws), dtype=np.int64)
        for source in able.tolist():
            mine = draws == source
            nth[mine] = taken[source] + np.arange(np.count_nonzero(mine))
        last = np.flatnonzero(nth == lengths[draws] - 1)[0]
        draws, nth = draws[: last + 1], nth[: last + 1]
        places.append(begins[draws] + nth)
        taken += np.bincount(draws, minlength=len(queues))
    return rows[np.concatenate(places)]


def _without_replacement(log_weights: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions drawn one after the other by weight, by way of the largest perturbed logarithm."""
    return np.argsort(-(log_weights + rng.gumbel(size=len(log_weights))), kind="stable")


@attrs.frozen
class PlackettLuce(Transform[Any, Any]):
    """Draws an order in which better candidates tend to come first, and writes how likely each place was.

    The first ``fixed`` stay. Each further place is drawn among those that are left, with weights ``exp(factor *
    (score - best score))``. The scores are dealt out in the order in which candidates arrive, so that whatever moved
    them after scoring (fatigue, say) is not undone.

    Args:
        score: what the order is based on; NaN counts as 0.
        propensity: the column to write: probability of the candidate at its place, given those before it.
        factor: how decided the draw is; 0 is uniform.
        fixed: how many stay on top.

    Source: FRS SamplingTransform: factor 1.0, none fixed; weights below exp(-10) count as never.
    """

    score: Column[Any, Any]
    propensity: Column[Any, Any]
    factor: float | Param[float] = 1.0
    fixed: int | Param[int] = 0
    traits = Trait.REORDERS | Trait.ANNOTATES

    def transform(self, target: Any, candidates: Candidates[Any]) -> Candidates[Any]:
        count, fixed = len(candidates), min(setting(target, self.fixed), len(candidates))
        scores = np.sort(np.nan_to_num(candidates[self.score].astype(np.float64)))[::-1]
        utility = setting(target, self.factor) * (scores - scores.max(initial=-np.inf))[fixed:]
        utility = np.maximum(utility, -10.0)
        drawn = _without_replacement(utility, target.request.rng(self.name))
        weights = np.exp(utility[drawn])
        left = np.cumsum(weights[::-1])[::-1]
        likely = np.concatenate([np.ones(fixed), weights / left])
        order = np.concatenate([np.arange(fixed), fixed + drawn]).astype(np.int64)
        assert len(order) == count  # noqa: S101 - a permutation by construction
        return candidates.pick(order).with_columns({self.propensity: likely.astype(np.float32)})


@attrs.frozen
class Interleave(Ranker[Any, Any]):
    """Lets candidates whose producer is in an experiment stand where their own ranker puts them.

    Experiment candidates go to their position under their own ranker; several at one position share the next ones in
    random order. Production candidates fill the gaps in their order. With a single ranker nothing moves.

    Args:
        assigned: the column that names each candidate's ranker.
        scores: each ranker's scores of all candidates.
        production: the ranker of those who are in no experiment.

    Source: FRS InterleaveRanker.
    """

    assigned: Column[Any, Any]
    scores: Mapping[str, Column[Any, Any]]
    production: str
    traits = Trait.REORDERS

    def rank(self, target: Any, candidates: Candidates[Any]) -> Candidates[Any]:
        names = candidates[self.assigned]
        if len(set(names.tolist())) <= 1:
            return candidates
        count = len(candidates)
        place = np.empty(count, dtype=np.int64)
        wanted = np.empty(count, dtype=np.int64)
        for name in set(names.tolist()):
            order = np.argsort(-np.nan_to_num(candidates[self.scores[name]], nan=-np.inf), kind="stable")
            wanted[order] = np.arange(count)
            place[names == name] = wanted[names == name]
        slots = np.full(count, -1, dtype=np.int64)
        experiment = np.flatnonzero(names != self.production)
        shuffled = target.request.rng(self.name).permutation(experiment)
        for row in shuffled[np.argsort(place[shuffled], kind="stable")].tolist():
            free = np.flatnonzero(slots[place[row] :] < 0)
            slots[place[row] + free[0] if len(free) else np.flatnonzero(slots < 0)[-1]] = row
        others = np.flatnonzero(names == self.production)
        slots[slots < 0] = others[np.argsort(place[others], kind="stable")]
        return candidates.pick(slots)
