"""From names of stats to labelled metric families: base units, one prefix, few labels, never a user or post id.

A stat is named ``pipeline/component/metric``; what is between the first and the last slash is the component.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mixer.stats import Value

DURATION_BUCKETS_S = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025),  # components take less than a request does
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
"""Upper bounds in seconds; from 5 ms on those that OpenTelemetry advises for request durations."""

PIPELINE_DURATION = "mixer_pipeline_duration_seconds"
COMPONENT_DURATION = "mixer_component_duration_seconds"
DURATIONS = {PIPELINE_DURATION, COMPONENT_DURATION}

FAMILIES: Mapping[str, str] = {
    PIPELINE_DURATION: "Time from a target to its answer.",
    COMPONENT_DURATION: "Time that a stage or component took.",
    "mixer_component_outcomes": "How calls of a stage or component ended.",
    "mixer_component_failures": "Failed calls by class of error.",
    "mixer_component_rejections": "Targets and candidates found invalid, by reason.",
    "mixer_degradations": "Parts of an answer that failed open, by cause.",
    "mixer_candidates": "Candidates that a stage or component answered with.",
    "mixer_quality_factor": "Load factor: near 1 at rest, lower under load.",
    "mixer_events": "Other counters.",
    "mixer_value": "Other gauges.",
    "mixer_distribution": "Other distributions.",
}
"""Help text by family; counters get their ``_total`` from the exporter."""

_OUTCOMES = {"success": "ok", "failures": "failed", "timeout": "timeout"}
_DETAILS = {
    "failures": ("mixer_component_failures", "error"),
    "reasons": ("mixer_component_rejections", "reason"),
}


@attrs.frozen
class Series:
    """One labelled time series, and the factor that turns the stat into its unit."""

    family: str
    labels: Mapping[str, str]
    factor: float = 1.0


def series_of(name: str, value: Value) -> Series:
    """Where a stat of that name and kind is exported to."""
    *scope, metric = name.split("/")
    pipeline, component = (scope[0], scope[1:]) if scope else ("", [])
    if isinstance(value, int):
        return _counter(pipeline, component, metric)
    labels = _labels(pipeline, component)
    if isinstance(value, float):
        if metric == "quality_factor":
            return Series("mixer_quality_factor", {"pipeline": "/".join(scope)})
        return Series("mixer_value", labels | {"name": metric})
    if metric != "latency_ms":
        return Series("mixer_distribution", labels | {"name": metric})
    if component == ["overall"]:
        return Series(PIPELINE_DURATION, {"pipeline": pipeline}, factor=1e-3)
    return Series(COMPONENT_DURATION, labels, factor=1e-3)


def _counter(pipeline: str, component: list[str], metric: str) -> Series:
    if component and component[-1] in _DETAILS:
        family, label = _DETAILS[component[-1]]
        return Series(family, _labels(pipeline, component[:-1]) | {label: metric})
    if component and component[0] == "degraded":
        return Series("mixer_degradations", _labels(pipeline, component[1:]) | {"cause": metric})
    labels = _labels(pipeline, component)
    if metric in _OUTCOMES:
        return Series("mixer_component_outcomes", labels | {"outcome": _OUTCOMES[metric]})
    if metric == "results":
        return Series("mixer_candidates", labels | {"direction": "out"})
    return Series("mixer_events", labels | {"event": metric})


def _labels(pipeline: str, component: list[str]) -> dict[str, str]:
    return {"pipeline": pipeline, "component": "/".join(component)}
