"""What a viewer was shown within a week, in a few bytes a post: Bloom filters, one a day."""

from __future__ import annotations

import math
from collections import OrderedDict

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.units import DAY_MS

_GOLDEN, _ODD = np.uint64(0x9E3779B97F4A7C15), np.uint64(1)
_ROUNDS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))


class BloomFilter:
    """A set of ids that never forgets one, and now and then knows one that it was not told.

    Args:
        capacity: ids up to which the rate of false positives holds.
        error_rate: of false positives at capacity.

    Source: Bloom 1970: ``-n ln p / ln(2)**2`` bits and ``log2(1 / p)`` hashes, here of splitmix64 (Kirsch and
    Mitzenmacher 2006).
    """

    def __init__(self, capacity: int = 1_000, error_rate: float = 0.005) -> None:
        if capacity < 1 or not 0 < error_rate < 1:
            raise ValueError(
                f"bloom filter: expected a capacity above 0 and a rate between 0 and 1, got {capacity}, {error_rate}"
            )
        self.capacity = capacity
        self.count = 0
        self._hashes = np.arange(max(1, round(-math.log2(error_rate))), dtype=np.uint64)
        self._bits = np.uint64(math.ceil(-capacity * math.log(error_rate) / math.log(2) ** 2))
        self._words = np.zeros(int(self._bits) // 64 + 1, np.uint64)

    @property
    def full(self) -> bool:
        """Were there as many ids as it has room for?"""
        return self.count >= self.capacity

    def add(self, ids: ArrayLike) -> None:
        """Remember ``(n,)`` ids."""
        places = self._places(np.asarray(ids, np.int64))
        np.bitwise_or.at(self._words, places // 64, _ODD << (places % 64))
        self.count += len(places)

    def has(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of ``(n,)`` ids it knows: all that it was told, and of others as many as the rate says."""
        places = self._places(ids)
        bits = (self._words[places // 64] >> (places % 64)) & _ODD
        found: NDArray[np.bool_] = np.logical_and.reduce(bits, axis=1)
        return found

    def _places(self, ids: NDArray[np.int64]) -> NDArray[np.uint64]:
        """``(n, hashes)`` bits of each id."""
        first = _mixed(ids.astype(np.uint64))
        second = _mixed(first) | _ODD
        return (first[:, None] + self._hashes * second[:, None]) % self._bits


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = values + _GOLDEN
    for shift, factor in _ROUNDS:
        mixed = (mixed ^ (mixed >> shift)) * factor
    return mixed ^ (mixed >> np.uint64(31))


@attrs.frozen(eq=False)
class SeenFilters:
    """What each viewer was shown on each of the last days; what is full is followed by another filter.

    Args:
        days: for how long it is known at least; a day is forgotten as a whole.
        capacity, error_rate: of one filter.
        viewers: how many viewers are kept; the one that was shown nothing for longest goes first.

    Source: home-mixer's impression filter: 7 days, false positives 0.005.
    """

    days: int = 7
    capacity: int = 500
    error_rate: float = 0.005
    viewers: int = 100_000
    _kept: OrderedDict[int, list[tuple[int, BloomFilter]]] = attrs.field(
        init=False, factory=OrderedDict, repr=False
    )

    def record(self, viewer_id: int, ids: ArrayLike, now_ms: int) -> None:
        """Remember that these candidates were shown."""
        day, filters = now_ms // DAY_MS, self._lately(viewer_id, now_ms)
        if not filters or filters[-1][0] != day or filters[-1][1].full:
            filters = [*filters, (day, BloomFilter(self.capacity, self.error_rate))]
        filters[-1][1].add(ids)
        self._kept[viewer_id] = filters
        self._kept.move_to_end(viewer_id)
        if len(self._kept) > self.viewers:
            self._kept.popitem(last=False)

    def has(self, viewer_id: int, ids: NDArray[np.int64], now_ms: int) -> NDArray[np.bool_]:
        """``(n,)`` which candidates the viewer was shown within the days, or seems to have been."""
        known = np.zeros(len(ids), np.bool_)
        for _, one in self._lately(viewer_id, now_ms):
            known |= one.has(ids)
        return known

    def _lately(self, viewer_id: int, now_ms: int) -> list[tuple[int, BloomFilter]]:
        first = now_ms // DAY_MS - self.days
        return [(day, one) for day, one in self._kept.get(viewer_id, ()) if first <= day]
