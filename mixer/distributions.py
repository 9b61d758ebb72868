"""Distributions of numbers in bounded memory, with percentiles that are right to one percent."""

from __future__ import annotations

import math
from threading import Lock
from typing import TYPE_CHECKING

import attrs
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import ArrayLike, NDArray

RELATIVE_ERROR = 0.01
"""How far a percentile may be from the exact one, as a share of its value."""

_LOG_GAMMA = math.log((1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR))
_SMALLEST, _LARGEST = 1e-9, 1e15  # magnitudes beyond count as these; smaller ones count as zero
_OFFSET = 1 - math.ceil(math.log(_SMALLEST) / _LOG_GAMMA)  # bin numbers of magnitudes start at 1; 0 is zero
_FOLD_AT = 1024


@attrs.frozen(eq=False)
class Summary:
    """What is known about all numbers of a distribution.

    Args:
        count: how many.
        sum: their total.
        min: the smallest; NaN when empty.
        max: the largest; NaN when empty.
        bins: counts by bin, in order of value; the bins of negative numbers are negative.
    """

    count: int = 0
    sum: float = 0.0
    min: float = math.nan
    max: float = math.nan
    bins: Mapping[int, int] = attrs.field(factory=dict[int, int], repr=False)

    @property
    def mean(self) -> float:
        """The average; NaN when empty."""
        return self.sum / self.count if self.count else math.nan

    def percentile(self, percent: float) -> float:
        """The number that ``percent`` % of all numbers do not exceed, right to one percent; NaN when empty.

        Args:
            percent: in [0, 100].
        """
        rank = math.ceil(self.count * percent / 100)
        seen = 0
        for number, count in self.bins.items():
            seen += count
            if seen >= rank:
                return min(self.max, max(self.min, _value_of(number)))
        return math.nan

    def count_at_most(self, bounds: Iterable[float]) -> list[int]:
        """For each bound, how many numbers do not exceed it; a bound may be off by one percent."""
        values = np.array([_value_of(number) for number in self.bins])
        totals = np.concatenate([[0], np.cumsum(list(self.bins.values()), dtype=np.int64)])
        return [int(total) for total in totals[np.searchsorted(values, list(bounds), side="right")]]


class Distribution:
    """Collects numbers: an append each, folded into counts by magnitude with numpy when a thousand are waiting.

    Source: DDSketch (Masson, Rim, Lee 2019), with logarithmic bins of 1 % relative error.
    Cost: about 0.1 µs a number; at most some thousand integers of memory, whatever is added.
    """

    __slots__ = ("_bins", "_count", "_lock", "_max", "_min", "_pending", "_sum")

    def __init__(self) -> None:
        self._pending: list[float] = []
        self._bins: dict[int, int] = {}
        self._count = 0
        self._sum = 0.0
        self._min = self._max = math.nan
        self._lock = Lock()

    def add(self, number: float) -> None:
        """Add one number; NaN is left out."""
        pending = self._pending
        pending.append(number)
        if len(pending) >= _FOLD_AT:
            self._fold()

    def extend(self, numbers: ArrayLike) -> None:
        """Add many numbers; NaNs are left out."""
        self._pending.extend(np.asarray(numbers, dtype=np.float64).ravel().tolist())
        if len(self._pending) >= _FOLD_AT:
            self._fold()

    def summary(self) -> Summary:
        """Everything so far."""
        self._fold()
        with self._lock:
            return Summary(self._count, self._sum, self._min, self._max, dict(sorted(self._bins.items())))

    def _fold(self) -> None:
        with self._lock:
            waiting = len(self._pending)
            numbers = np.array(self._pending[:waiting], dtype=np.float64)
            del self._pending[:waiting]
            numbers = numbers[~np.isnan(numbers)]
            if not len(numbers):
                return
            self._count += len(numbers)
            self._sum += float(numbers.sum())
            self._min = float(np.fmin(self._min, numbers.min()))
            self._max = float(np.fmax(self._max, numbers.max()))
            found, counts = np.unique(_bins_of(numbers), return_counts=True)
            for number, count in zip(found.tolist(), counts.tolist(), strict=True):
                self._bins[number] = self._bins.get(number, 0) + count


def _bins_of(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    magnitudes = np.clip(np.abs(numbers), _SMALLEST, _LARGEST)
    bins = np.ceil(np.log(magnitudes) / _LOG_GAMMA).astype(np.int64) + _OFFSET
    return np.where(np.abs(numbers) < _SMALLEST, 0, np.sign(numbers).astype(np.int64) * bins)


def _value_of(number: int) -> float:
    """The value in the middle of a bin: at most one percent from all that the bin holds."""
    if number == 0:
        return 0.0
    magnitude = math.exp((abs(number) - _OFFSET) * _LOG_GAMMA) * (1 - RELATIVE_ERROR)
    return math.copysign(magnitude, number)
