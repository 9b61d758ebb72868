"""What another policy would have earned, from logs of this one: IPS, SNIPS, doubly robust.

Each row is one logged choice: the reward it got, the propensity with which the logging policy chose it, and
the probability with which the other policy would have chosen it. Slates enter as one row a slot. The logging
policy must give every choice the other policy can make a positive chance; nothing in the log can reveal a
breach of that, except that `Estimate.mean_weight` then stays below 1.
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.evaluation import _checks
from components.evaluation.errors import InvalidInputError

__all__ = ["Estimate", "LoggedChoices", "doubly_robust", "ips", "snips"]


@attrs.frozen
class Estimate:
    """Value of a policy per logged choice, with what is needed to judge it.

    `effective_sample_size` is (sum w)^2 / sum w^2: how many unweighted rows the log is worth; a small one
    means a wide error, whatever the row count. `mean_weight` has expectation 1 when propensities are right and
    unclipped.
    `standard_error` is NaN with fewer than two independent units.
    """

    value: float
    standard_error: float
    effective_sample_size: float
    mean_weight: float
    rows: int

    def interval(self, z: float = 1.96) -> tuple[float, float]:
        """Normal interval, 95 % by default."""
        return self.value - z * self.standard_error, self.value + z * self.standard_error


@attrs.frozen(eq=False)
class LoggedChoices:
    """The log with the other policy's probabilities.

    Args:
        reward: what the choice earned, shape (n,).
        logged: chance with which the logging policy made it, in (0, 1], shape (n,).
        target: chance with which the other policy would make it, in [0, 1], shape (n,).
        cluster: ids of what is independent (users, sessions), shape (n,); None when rows are.
        clip: largest importance weight; bounds the error and biases the value towards the logged policy's.

    Raises:
        InvalidInputError: lengths differ, a chance is out of range, or there is no row.
    """

    reward: NDArray[np.float64] = attrs.field(converter=lambda x: _checks.floats(x, "reward"))
    logged: NDArray[np.float64] = attrs.field(converter=lambda x: _checks.shares(x, "logged"))
    target: NDArray[np.float64] = attrs.field(converter=lambda x: _checks.shares(x, "target"))
    cluster: NDArray[np.int64] | None = attrs.field(
        default=None, converter=attrs.converters.optional(lambda x: _checks.ids(x, "cluster"))
    )
    clip: float = float("inf")

    def __attrs_post_init__(self) -> None:
        """Checks the columns against each other."""
        _checks.same_length(reward=self.reward, logged=self.logged, target=self.target)
        if self.cluster is not None:
            _checks.same_length(reward=self.reward, cluster=self.cluster)
        if len(self.reward) == 0:
            raise InvalidInputError("reward: expected at least one logged choice, got none")
        if (self.logged == 0.0).any():
            row = int(np.argmax(self.logged == 0.0))
            raise InvalidInputError(f"logged: expected propensities above 0, row {row} holds 0.0")
        if not self.clip > 0.0:
            raise InvalidInputError(f"clip: expected a number above 0, got {self.clip!r}")

    @property
    def weight(self) -> NDArray[np.float64]:
        """Importance weights target / logged, at most `clip`; shape (n,)."""
        return np.minimum(self.target / self.logged, self.clip)


def ips(log: LoggedChoices) -> Estimate:
    """Inverse propensity scoring: mean of weight * reward. Unbiased without clipping.

    Source: Horvitz and Thompson 1952.
    """
    return _mean(log, log.weight * log.reward)


def snips(log: LoggedChoices) -> Estimate:
    """Self-normalised IPS: sum of weight * reward / sum of weight.

    Slightly biased, steadier than IPS, and always within the range of the rewards.

    NaN: the other policy would have made none of the logged choices.
    Standard error: delta method. Source: Swaminathan and Joachims 2015.
    """
    weight = log.weight
    if not weight.any():
        return Estimate(float("nan"), float("nan"), 0.0, 0.0, len(weight))
    value = float(weight @ log.reward / weight.sum())
    return _estimate(log, value, weight * (log.reward - value) / weight.mean())


def doubly_robust(log: LoggedChoices, predicted: ArrayLike, baseline: ArrayLike) -> Estimate:
    """Reward model corrected by IPS on its errors: mean of baseline + weight * (reward - predicted).

    Unbiased when either the propensities or the reward model are right; the better the model, the smaller
    the error.

    Args:
        log: the logged choices.
        predicted: the reward model's value of the logged choice, shape (n,).
        baseline: the reward model's mean over the other policy's choices in the same context, shape (n,).

    Source: Dudík, Langford and Li 2011.
    """
    predicted, baseline = _checks.floats(predicted, "predicted"), _checks.floats(baseline, "baseline")
    _checks.same_length(reward=log.reward, predicted=predicted, baseline=baseline)
    return _mean(log, baseline + log.weight * (log.reward - predicted))


def _mean(log: LoggedChoices, terms: NDArray[np.float64]) -> Estimate:
    value = float(terms.mean())
    return _estimate(log, value, terms - value)


def _estimate(log: LoggedChoices, value: float, influence: NDArray[np.float64]) -> Estimate:
    """Rows of a cluster move together, so their influence is summed before it is squared."""
    weight, rows = log.weight, len(influence)
    if log.cluster is not None:
        influence = np.bincount(np.unique(log.cluster, return_inverse=True)[1], influence).astype(np.float64)
    units = len(influence)
    error = np.sqrt(influence @ influence * units / (units - 1)) / rows if units > 1 else np.nan
    squares = weight @ weight
    effective = weight.sum() ** 2 / squares if squares > 0.0 else 0.0
    return Estimate(value, float(error), float(effective), float(weight.mean()), rows)
