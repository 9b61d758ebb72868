from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mixer.exporters.opentelemetry import StatsObserver, export_spans, is_sampled
from mixer.stats import StatsReceiver


@pytest.fixture
def reader():
    reader = InMemoryMetricReader()
    yield reader
    reader.shutdown()


def collected(reader):
    """Values by metric name and sorted attributes."""
    return {
        (metric.name, *sorted(point.attributes.items())): point.value
        for resource in reader.get_metrics_data().resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }


def test_stats_arrive_as_metrics(reader):
    stats = StatsReceiver()
    StatsObserver(stats, MeterProvider([reader], shutdown_on_exit=False).get_meter("test"))
    flow = stats.scope("flow")
    flow.scope("ranker").counter("success").incr(3)
    flow.scope("overall").distribution("latency_ms").extend([10.0, 30.0])
    flow.gauge("quality_factor", lambda: 0.5)
    component, pipeline = ("component", "ranker"), ("pipeline", "flow")
    found = collected(reader)
    assert found["mixer.component_outcomes", component, ("outcome", "ok"), pipeline] == 3
    assert found["mixer.quality_factor", pipeline] == 0.5
    assert found["mixer.pipeline_duration.count", pipeline] == 2
    assert found["mixer.pipeline_duration.sum", pipeline] == pytest.approx(0.04)
    assert found["mixer.pipeline_duration", pipeline, ("quantile", 0.99)] == pytest.approx(0.03, rel=0.01)


def test_every_collection_takes_one_snapshot(reader):
    stats, folds = StatsReceiver(), []
    StatsObserver(stats, MeterProvider([reader], shutdown_on_exit=False).get_meter("test"))
    stats.register_source(lambda: folds.append(1))
    for collections in (1, 2, 3):
        stats.scope("flow").counter("requests").incr()
        found = collected(reader)
        assert len(folds) == collections
        assert (
            found["mixer.events", ("component", ""), ("event", "requests"), ("pipeline", "flow")]
            == collections
        )


def exported(spans, **options):
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    export_spans(provider.get_tracer("test"), spans, **options)
    return {span.name: span for span in memory.get_finished_spans()}


def test_a_request_becomes_a_tree_of_spans_with_its_own_times():
    spans = exported(
        [
            ("for_you", 100, 900, {"request_id": "r1"}),
            ("candidate_generation/friends/cache", 130, 140, {}),
            ("candidate_generation/friends", 120, 300, {"rows": 7}),
            ("candidate_generation", 110, 400, {}),
            ("ranker", 400, 800, {}),
            ("side_effects/log", 850, 860, {}),
        ],
        epoch_offset_ns=10_000,
    )
    parents = {name: span.parent and span.parent.span_id for name, span in spans.items()}
    identity = {name: span.context.span_id for name, span in spans.items()}
    assert parents == {
        "for_you": None,
        "candidate_generation": identity["for_you"],
        "candidate_generation/friends": identity["candidate_generation"],
        "candidate_generation/friends/cache": identity["candidate_generation/friends"],
        "ranker": identity["for_you"],
        "side_effects/log": identity["for_you"],
    }
    assert len({span.context.trace_id for span in spans.values()}) == 1
    assert (spans["ranker"].start_time, spans["ranker"].end_time) == (10_400, 10_800)
    assert spans["for_you"].attributes == {"request_id": "r1"}
    assert spans["candidate_generation/friends"].attributes == {"rows": 7}


def test_a_request_without_spans_exports_nothing():
    assert exported([]) == {}


@given(request_id=st.text(max_size=20), low=st.floats(0, 1), high=st.floats(0, 1))
def test_a_request_sampled_at_a_share_is_sampled_at_every_larger_one(request_id, low, high):
    low, high = sorted((low, high))
    assert is_sampled(request_id, low) <= is_sampled(request_id, high)
    assert is_sampled(request_id, 1.0)
    assert not is_sampled(request_id, 0.0)


def test_the_sampled_share_is_the_one_asked_for():
    sampled = sum(is_sampled(f"request-{number}", 0.1) for number in range(10_000))
    assert abs(sampled / 10_000 - 0.1) < 5 * (0.1 * 0.9 / 10_000) ** 0.5
