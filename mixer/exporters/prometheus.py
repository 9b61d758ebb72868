"""Stats for Prometheus, rendered from a snapshot when somebody scrapes.

::

    register(stats)  # into the default registry of prometheus_client
    start_http_server(9000)  # renders in a thread of its own

Rendering takes milliseconds: never do it on the event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixer.errors import MissingExtraError
from mixer.exporters.series import DURATION_BUCKETS_S, DURATIONS, FAMILIES, Series, series_of
from mixer.stats import SHOWN_PERCENTILES, Summary

try:
    from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector
except ImportError as error:
    raise MissingExtraError("exporting to Prometheus", "prometheus") from error

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mixer.stats import StatsReceiver, Value


class StatsCollector(Collector):
    """Reads a snapshot at every scrape.

    Args:
        stats: what to export, with everything below it.
        buckets_s: upper bounds of the duration histograms, in seconds, rising.
    """

    def __init__(self, stats: StatsReceiver, buckets_s: Sequence[float] = DURATION_BUCKETS_S) -> None:
        self._stats = stats
        self._buckets_s = tuple(buckets_s)

    def collect(self) -> Iterable[Metric]:
        """The metric families in force, in the order of their documentation."""
        families: dict[str, Metric] = {}
        for name, value in self._stats.snapshot().items():
            series = series_of(name, value)
            if series.family not in families:
                families[series.family] = Metric(series.family, FAMILIES[series.family], _kind(series, value))
            self._add(families[series.family], series, value)
        return [families[name] for name in FAMILIES if name in families]

    def describe(self) -> Iterable[Metric]:
        """Nothing is promised before it is there."""
        return []

    def _add(self, family: Metric, series: Series, value: Value) -> None:
        labels = dict(series.labels)
        if isinstance(value, int):
            family.add_sample(f"{family.name}_total", labels, value)
        elif isinstance(value, float):
            family.add_sample(family.name, labels, value * series.factor)
        else:
            for sample, more, number in self._samples(series, value):
                family.add_sample(family.name + sample, labels | more, number)

    def _samples(self, series: Series, summary: Summary) -> Iterable[tuple[str, dict[str, str], float]]:
        if series.family in DURATIONS:
            counts = summary.count_at_most(bound / series.factor for bound in self._buckets_s)
            for bound, count in zip(self._buckets_s, counts, strict=True):
                yield "_bucket", {"le": str(bound)}, count
            yield "_bucket", {"le": "+Inf"}, summary.count
        else:
            for percent in SHOWN_PERCENTILES:
                yield "", {"quantile": str(percent / 100)}, summary.percentile(percent) * series.factor
        yield "_count", {}, summary.count
        yield "_sum", {}, summary.sum * series.factor


def register(stats: StatsReceiver, registry: CollectorRegistry = REGISTRY) -> StatsCollector:
    """Export ``stats`` with everything else that is in the registry."""
    collector = StatsCollector(stats)
    registry.register(collector)
    return collector


def render(stats: StatsReceiver) -> bytes:
    """The text that Prometheus scrapes, with these stats alone."""
    registry = CollectorRegistry()
    register(stats, registry)
    return generate_latest(registry)


def _kind(series: Series, value: Value) -> str:
    if isinstance(value, Summary):
        return "histogram" if series.family in DURATIONS else "summary"
    return "counter" if isinstance(value, int) else "gauge"
