"""Counters, distributions and gauges in named scopes, as cheap as an addition.

::

    stats = StatsReceiver()
    requests = stats.scope("for_you", "ranker").counter("requests")  # once, when the flow is built
    requests.incr()  # on the way of a request
    stats.snapshot()["for_you/ranker/requests"]  # 1

Threads: names may be registered and snapshots taken from any thread. Counters and distributions take no lock: under
CPython's global lock a thread is not interrupted within an increment; on an interpreter without that lock, threads
that write the same counter may lose increments.
"""

from __future__ import annotations

import math
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from mixer.distributions import Distribution, Summary
from mixer.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Value = int | float | Summary
"""A counter is an int, a gauge a float, a distribution a Summary."""

M = TypeVar("M", bound="Counter | Distribution | Gauge")
SHOWN_PERCENTILES = (50.0, 95.0, 99.0)


class Counter:
    """A number that only grows. Cost: less than 0.1 µs an increment."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def incr(self, n: int = 1) -> None:
        """Add ``n``."""
        self.value += n


class Gauge:
    """A number that is read when somebody looks."""

    __slots__ = ("read",)

    def __init__(self) -> None:
        self.read: Callable[[], float] = lambda: math.nan

    def value(self) -> float:
        """The number now; NaN while its function fails, so that one broken gauge hides no other metric."""
        try:
            return float(self.read())
        except Exception:  # noqa: BLE001 - the declared policy of gauges
            return math.nan


class _Store:
    """What all scopes of one receiver share."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.metrics: dict[str, Counter | Distribution | Gauge] = {}
        self.sources: list[Callable[[], None]] = []


class StatsReceiver:
    """A scope: hands out metrics whose names begin with the names of the scope, joined by slashes.

    Asking for the same name again gives the same metric; ask when wiring, keep what you get.

    Raises:
        ConfigurationError: a name is asked for as two kinds of metric.
    """

    def __init__(self, _store: _Store | None = None, _prefix: str = "") -> None:
        self._store = _store or _Store()
        self._prefix = _prefix
        self._scopes: dict[tuple[str, ...], StatsReceiver] = {}
        self._counters: dict[str, Counter] = {}
        self._distributions: dict[str, Distribution] = {}

    def scope(self, *names: str) -> StatsReceiver:
        """The scope below this one."""
        if names not in self._scopes:
            self._scopes[names] = StatsReceiver(self._store, f"{self._prefix}{'/'.join(names)}/")
        return self._scopes[names]

    def counter(self, name: str) -> Counter:
        """The counter of that name."""
        found = self._counters.get(name)
        if found is None:
            found = self._counters[name] = self._register(name, Counter)
        return found

    def distribution(self, name: str) -> Distribution:
        """The distribution of that name."""
        found = self._distributions.get(name)
        if found is None:
            found = self._distributions[name] = self._register(name, Distribution)
        return found

    def gauge(self, name: str, read: Callable[[], float]) -> None:
        """Show what ``read`` answers at the time of a snapshot; a later gauge of that name takes its place."""
        self._register(name, Gauge).read = read

    def register_source(self, fold: Callable[[], None]) -> None:
        """Call ``fold`` before every snapshot, to bring in what a flow has recorded but not yet counted."""
        self._store.sources.append(fold)

    def snapshot(self) -> Mapping[str, Value]:
        """Everything below this scope by its full name, in order of names."""
        for fold in tuple(self._store.sources):
            fold()
        with self._store.lock:
            metrics = sorted(self._store.metrics.items())
        return {name: _value(metric) for name, metric in metrics if name.startswith(self._prefix)}

    def _register(self, name: str, kind: type[M]) -> M:
        full_name = self._prefix + name
        with self._store.lock:
            metric = self._store.metrics.setdefault(full_name, kind())
        if not isinstance(metric, kind):
            known, asked = type(metric).__name__.lower(), kind.__name__.lower()
            raise ConfigurationError("stats", [f"{full_name}: is a {known}, asked for as a {asked}"])
        return metric


class _NullCounter(Counter):
    __slots__ = ()

    def incr(self, n: int = 1) -> None:
        pass


class _NullDistribution(Distribution):
    __slots__ = ()

    def add(self, number: float) -> None:
        pass

    def extend(self, numbers: object) -> None:
        pass


class NullStats(StatsReceiver):
    """Takes everything and keeps nothing."""

    def scope(self, *names: str) -> StatsReceiver:
        return self

    def counter(self, name: str) -> Counter:
        return _NULL_COUNTER

    def distribution(self, name: str) -> Distribution:
        return _NULL_DISTRIBUTION

    def gauge(self, name: str, read: Callable[[], float]) -> None:
        pass

    def register_source(self, fold: Callable[[], None]) -> None:
        pass


_NULL_COUNTER = _NullCounter()
_NULL_DISTRIBUTION = _NullDistribution()


def format_snapshot(snapshot: Mapping[str, Value]) -> str:
    """A snapshot as a table for people: one metric a line; distributions with mean and percentiles."""
    width = max(map(len, snapshot), default=0)
    return "\n".join(f"{name:<{width}}  {_format(value)}" for name, value in snapshot.items())


def _value(metric: Counter | Distribution | Gauge) -> Value:
    if isinstance(metric, Counter):
        return metric.value
    return metric.summary() if isinstance(metric, Distribution) else metric.value()


def _format(value: Value) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    percentiles = "  ".join(f"p{percent:g} {value.percentile(percent):.4g}" for percent in SHOWN_PERCENTILES)
    return f"n {value.count:,}  mean {value.mean:.4g}  {percentiles}  max {value.max:.4g}"
