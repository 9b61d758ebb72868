"""Stats as OpenTelemetry metrics, and finished requests as spans.

Nothing is recorded while a request runs: instruments observe a snapshot when their reader collects, and spans are
made afterwards, with explicit times, of the requests that are sampled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixer.errors import MissingExtraError
from mixer.experiments import BUCKETS, bucket_of
from mixer.exporters.series import DURATIONS, FAMILIES, Series, series_of
from mixer.stats import SHOWN_PERCENTILES, Summary

try:
    from opentelemetry import trace
    from opentelemetry.metrics import CallbackOptions, Meter, Observation
except ImportError as error:
    raise MissingExtraError("exporting to OpenTelemetry", "opentelemetry") from error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.util.types import AttributeValue

    from mixer.stats import StatsReceiver, Value

Span = tuple[str, int, int, "Mapping[str, AttributeValue]"]
"""Name, start and end in nanoseconds, attributes."""

_GAUGES = {"mixer_quality_factor", "mixer_value"}
_DISTRIBUTIONS = DURATIONS | {"mixer_distribution"}


class StatsObserver:
    """Feeds observable instruments from one snapshot a collection.

    A counter family becomes an observable counter; a distribution becomes two, ``.count`` and ``.sum``, and a gauge
    with the attribute ``quantile``, because OpenTelemetry has no observable histogram.
    """

    def __init__(self, stats: StatsReceiver, meter: Meter) -> None:
        self._stats = stats
        self._snapshot: list[tuple[Series, Value]] = []
        self._parts: list[str] = []
        self._unread: set[str] = set()
        for family, description in FAMILIES.items():
            self._create(meter, family, description)

    def _create(self, meter: Meter, family: str, description: str) -> None:
        name = family.removesuffix("_seconds").replace("mixer_", "mixer.")
        unit = "s" if family in DURATIONS else "1"
        if family in _GAUGES or family in _DISTRIBUTIONS:
            meter.create_observable_gauge(name, [self._part(family)], unit, description)
        else:
            meter.create_observable_counter(name, [self._part(family)], unit, description)
        if family in _DISTRIBUTIONS:
            meter.create_observable_counter(
                f"{name}.count", [self._part(f"{family}.count")], "1", description
            )
            meter.create_observable_counter(f"{name}.sum", [self._part(f"{family}.sum")], unit, description)

    def _part(self, part: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        self._parts.append(part)
        return lambda _: self._observe(part)

    def _observe(self, part: str) -> list[Observation]:
        if part not in self._unread:  # it has seen this snapshot already: a new collection begins
            self._snapshot = [
                (series_of(name, value), value) for name, value in self._stats.snapshot().items()
            ]
            self._unread = set(self._parts)
        self._unread.discard(part)
        family, _, detail = part.partition(".")
        return [
            one
            for series, value in self._snapshot
            if series.family == family
            for one in _of(series, value, detail)
        ]


def _of(series: Series, value: Value, detail: str) -> Iterable[Observation]:
    labels = dict(series.labels)
    if not isinstance(value, Summary):
        yield Observation(value * series.factor if isinstance(value, float) else value, labels)
    elif detail == "count":
        yield Observation(value.count, labels)
    elif detail == "sum":
        yield Observation(value.sum * series.factor, labels)
    elif value.count:
        for percent in SHOWN_PERCENTILES:
            yield Observation(value.percentile(percent) * series.factor, labels | {"quantile": percent / 100})


def is_sampled(request_id: str, share: float) -> bool:
    """Whether a request belongs to the traced share; the same on every machine that sees its id.

    Args:
        request_id: any string.
        share: in [0, 1], in steps of 1/10,000.
    """
    return bucket_of("trace", "", request_id) < share * BUCKETS


def export_spans(tracer: trace.Tracer, spans: Sequence[Span], *, epoch_offset_ns: int = 0) -> None:
    """Make spans of a finished request.

    The first is the request itself. A span whose name continues the name of another after a slash is its child;
    all others are children of the request.

    Args:
        tracer: where the spans go.
        spans: the request first, the others in any order.
        epoch_offset_ns: what to add to the times to get nanoseconds since 1970; for times of ``perf_counter_ns``
            it is ``time.time_ns() - time.perf_counter_ns()``.
    """
    if not spans:
        return
    root, *others = spans
    contexts = {"": _export(tracer, root, None, epoch_offset_ns)}
    for span in sorted(others, key=lambda span: span[0].count("/")):
        contexts[span[0]] = _export(tracer, span, contexts[_parent(span[0], contexts)], epoch_offset_ns)


def _parent(name: str, known: Mapping[str, Context]) -> str:
    while name:
        name = name.rpartition("/")[0]
        if name in known:
            return name
    return ""


def _export(tracer: trace.Tracer, span: Span, parent: Context | None, epoch_offset_ns: int) -> Context:
    name, start_ns, end_ns, attributes = span
    made = tracer.start_span(name, parent, attributes=attributes, start_time=start_ns + epoch_offset_ns)
    made.end(end_ns + epoch_offset_ns)
    return trace.set_span_in_context(made, parent)
