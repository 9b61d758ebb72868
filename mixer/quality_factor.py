"""Load factors: one number per flow, near 1 at rest, that falls when the flow cannot keep up.

Components read it from the request and do less work while it is low: fewer candidates scored, a cheaper ranker, a
smaller validation batch. The caller feeds every finished request except ineligible ones: those are fast because
nothing was done, and would push the factor up exactly when the flow is in trouble.
"""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING

import attrs

from mixer.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SLICES = 10  # resolution of the queries-per-second window


@attrs.frozen
class QualityFactorBounds:
    """Where a factor starts and how far it can move.

    Raises:
        ConfigurationError: unless ``min <= default <= max``.
    """

    min: float = 0.0
    max: float = 1.0
    default: float = 1.0

    def __attrs_post_init__(self) -> None:
        if not self.min <= self.default <= self.max:
            raise ConfigurationError("quality factor bounds", [f"expected min <= default <= max, got {self}"])

    def clamp(self, value: float) -> float:
        """The value of the range that is nearest to ``value``."""
        return min(self.max, max(self.min, value))


def is_cancellation(failure: BaseException) -> bool:
    """True for what ends a request from outside: cancellation and interpreter exit, on either event loop."""
    return not isinstance(failure, Exception)


@attrs.define(eq=False, kw_only=True)
class QualityFactor:
    """Base of the two observers.

    Safe to call from several threads. Observations are ignored until ``initial_delay_s`` after construction, when
    caches are cold and latency says nothing.

    Args:
        bounds: range and starting value.
        initial_delay_s: how long the factor stays at its default.
        ignorable_failures: failures that say nothing about load; by default cancellations.
        clock: monotonic seconds.

    Raises:
        ConfigurationError: lists every argument that is out of range.
    """

    bounds: QualityFactorBounds = QualityFactorBounds()
    initial_delay_s: float = 60.0
    ignorable_failures: Callable[[BaseException], bool] = is_cancellation
    clock: Callable[[], float] = time.monotonic
    _value: float = attrs.field(init=False)
    _started_s: float = attrs.field(init=False)
    _lock: Lock = attrs.field(init=False, factory=Lock, repr=False)

    def __attrs_post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ConfigurationError(type(self).__name__, problems)
        self._value = self.bounds.default
        self._started_s = self.clock()

    @property
    def value(self) -> float:
        """The factor now, within its bounds."""
        return self._value

    def observe(self, latency_s: float, failure: BaseException | None = None) -> None:
        """Feed one finished request: how long it took, and the exception it ended with if it failed."""
        if failure is not None and self.ignorable_failures(failure):
            return
        now_s = self.clock()
        with self._lock:
            step = self._step(now_s, latency_s, failed=failure is not None)
            if now_s - self._started_s < self.initial_delay_s:
                return
            self._value = self.bounds.clamp(self._value + step)

    def _step(self, now_s: float, latency_s: float, *, failed: bool) -> float:
        """How far one request moves the factor; called under the lock."""
        raise NotImplementedError

    def _problems(self) -> Iterator[str]:
        if not self.initial_delay_s >= 0:
            yield f"expected initial_delay_s >= 0, got {self.initial_delay_s}"


@attrs.define(eq=False, kw_only=True)
class LinearLatencyQualityFactor(QualityFactor):
    """Rests where exactly ``percentile`` % of the requests meet ``target_latency_s``.

    A request within the target raises the factor by ``delta``; a slower one, or a failure, lowers it by
    ``delta * percentile / (100 - percentile)``: at the 95th percentile 0.001 up and 0.019 down. Steps are counted, not
    timed, so the factor reacts faster under more traffic: from 1.0 to 0.3 in 37 slow requests.

    Args:
        target_latency_s: what the given percentile of requests shall meet, above 0.
        percentile: in [50, 100).
        delta: the upward step, in (0, 1].

    Source: product-mixer's linear latency factor, with its formula and default delta.
    """

    target_latency_s: float
    percentile: float = 95.0
    delta: float = 0.001

    def _step(self, now_s: float, latency_s: float, *, failed: bool) -> float:
        if failed or not latency_s <= self.target_latency_s:
            return -self.delta * self.percentile / (100.0 - self.percentile)
        return self.delta

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        if not self.target_latency_s > 0:
            yield f"expected target_latency_s > 0, got {self.target_latency_s}"
        if not 50 <= self.percentile < 100:
            yield f"expected percentile in [50, 100), got {self.percentile}"
        yield from _delta_problems(self.delta)


@attrs.define(eq=False, kw_only=True)
class QueriesPerSecondQualityFactor(QualityFactor):
    """Rests where the rate of successful requests is ``max_qps``.

    Each success is counted in a sliding window of ten slices; the factor falls by ``delta`` while the rate is above
    the maximum and rises by ``delta`` otherwise. A failure lowers it without being counted. The window fills during
    the initial delay.

    Args:
        max_qps: requests a second, above 0; fractions count.
        window_s: length of the window, above 0.
        delta: step in both directions, in (0, 1].

    Source: product-mixer's queries-per-second factor, window 10 s, delta 0.001. There the rate is an integer
    division, which loses fractions of a request per second; here it is not.
    """

    max_qps: float
    window_s: float = 10.0
    delta: float = 0.001
    _counts: list[int] = attrs.field(init=False, factory=lambda: [0] * _SLICES, repr=False)
    _slice: int = attrs.field(init=False, default=0, repr=False)

    def _step(self, now_s: float, latency_s: float, *, failed: bool) -> float:
        if failed:
            return -self.delta
        return -self.delta if self._count(now_s) / self.window_s > self.max_qps else self.delta

    def _count(self, now_s: float) -> int:
        """Adds one request and returns how many the window holds."""
        current = int((now_s - self._started_s) * _SLICES / self.window_s)
        for passed in range(max(self._slice + 1, current - _SLICES + 1), current + 1):
            self._counts[passed % _SLICES] = 0
        self._slice = max(self._slice, current)  # threads may arrive slightly out of order
        self._counts[self._slice % _SLICES] += 1
        return sum(self._counts)

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        if not self.max_qps > 0:
            yield f"expected max_qps > 0, got {self.max_qps}"
        if not self.window_s > 0:
            yield f"expected window_s > 0, got {self.window_s}"
        yield from _delta_problems(self.delta)


def _delta_problems(delta: float) -> Iterator[str]:
    if not 0 < delta <= 1:
        yield f"expected delta in (0, 1], got {delta}"
