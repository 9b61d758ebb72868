"""Percentile intervals from resampling users, the unit that is independent; rows of one user are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.evaluation import _checks

__all__ = ["Bootstrap", "Interval"]

_DRAWS_AT_ONCE = 1 << 20


@attrs.frozen
class Interval:
    """A number with its bootstrap limits.

    `units` is how many users were resampled. `undefined` counts resamples in which the statistic was NaN
    (say, no positive was drawn): they are left out, so with many of them the limits describe the lucky draws
    only. Limits and standard error are NaN when there are none.
    """

    estimate: float
    low: float = float("nan")
    high: float = float("nan")
    standard_error: float = float("nan")
    units: int = 0
    undefined: int = 0


@attrs.frozen
class Bootstrap:
    """Bootstrap by user: the same seed, users and order give the same numbers.

    >>> Bootstrap(resamples=200, seed=1).mean([0.0, 1.0, 1.0, 1.0]).estimate
    0.75
    """

    resamples: int = attrs.field(default=1000, converter=lambda n: _checks.at_least(n, 2, "resamples"))
    level: float = attrs.field(default=0.95, converter=lambda share: _checks.inside(share, "level"))
    seed: int = attrs.field(default=0, converter=lambda n: _checks.at_least(n, 0, "seed"))

    def mean(self, values: ArrayLike) -> Interval:
        """Interval of the mean of one value a user, shape (U,); NaN users are left out."""
        values = _checks.values_or_nan(values, "values")
        values = values[~np.isnan(values)]
        if len(values) == 0:
            return Interval(float("nan"))
        means = np.concatenate([values[drawn].mean(axis=1) for drawn in self._draws(len(values))])
        return self._interval(float(values.mean()), means, len(values))

    def difference(self, ours: ArrayLike, theirs: ArrayLike) -> Interval:
        """Interval of mean(ours - theirs), paired by user, shapes (U,) and (U,).

        Users for whom either is NaN are left out. Pairing removes what makes a user easy or hard for both.
        """
        ours, theirs = _checks.values_or_nan(ours, "ours"), _checks.values_or_nan(theirs, "theirs")
        _checks.same_length(ours=ours, theirs=theirs)
        return self.mean(ours - theirs)

    def statistic(self, statistic: Callable[[NDArray[np.float64]], float], user: ArrayLike) -> Interval:
        """Interval of any statistic that takes row weights, resampling whole users.

        Args:
            statistic: weights (n,) -> number, such as `lambda w: auc(label, score, w)`. For a paired
                difference return the difference of two statistics under the same weights.
            user: the user of each row, shape (n,).
        """
        users, owner = np.unique(_checks.ids(user, "user"), return_inverse=True)
        estimate = float(statistic(np.ones(len(owner))))
        if len(users) == 0:
            return Interval(estimate)
        counts = (
            np.bincount(row, minlength=len(users)) for drawn in self._draws(len(users)) for row in drawn
        )
        values = np.array([statistic(count[owner].astype(np.float64)) for count in counts])
        return self._interval(estimate, values, len(users))

    def _draws(self, users: int) -> Iterator[NDArray[np.int64]]:
        """Which users each resample holds, in blocks (resamples, users) that stay small."""
        rng = np.random.default_rng(self.seed)
        block = max(1, _DRAWS_AT_ONCE // users)
        for start in range(0, self.resamples, block):
            yield rng.integers(0, users, (min(block, self.resamples - start), users))

    def _interval(self, estimate: float, values: NDArray[np.float64], units: int) -> Interval:
        defined = values[~np.isnan(values)]
        undefined = len(values) - len(defined)
        if len(defined) < 2:
            return Interval(estimate, units=units, undefined=undefined)
        tail = (1.0 - self.level) / 2.0
        low, high = np.quantile(defined, [tail, 1.0 - tail])
        return Interval(estimate, float(low), float(high), float(defined.std(ddof=1)), units, undefined)
