from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from mixer.errors import MissingExtraError
from mixer.exporters import prometheus
from mixer.exporters.series import FAMILIES, series_of
from mixer.stats import StatsReceiver


def scraped(stats):
    text = prometheus.render(stats).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def one_of_everything():
    stats = StatsReceiver()
    flow = stats.scope("for_you")
    flow.gauge("quality_factor", lambda: 0.7)
    flow.gauge("cache_size", lambda: 3.0)
    flow.scope("overall").distribution("latency_ms").extend([20.0, 80.0])
    ranker = flow.scope("ranker")
    ranker.distribution("latency_ms").extend([4.0, 40.0, 400.0])
    ranker.distribution("results_stat").extend([100.0] * 9)
    ranker.counter("requests").incr(5)
    ranker.counter("success").incr(3)
    ranker.counter("failures").incr(1)
    ranker.counter("timeout").incr(1)
    ranker.scope("failures").counter("ValueError").incr()
    ranker.counter("results").incr(60)
    flow.scope("target_eligibility", "reasons").counter("suspended").incr(2)
    flow.scope("degraded", "friends").counter("timeout").incr(4)
    return stats


def sample(families, family, **labels):
    return {
        one.name.removeprefix(family): one.value
        for one in families[family].samples
        if all(one.labels.get(label) == value for label, value in labels.items())
    }


def test_every_kind_of_stat_arrives_under_its_published_name():
    families = scraped(one_of_everything())
    ranker = {"pipeline": "for_you", "component": "ranker"}
    outcomes = {one.labels["outcome"]: one.value for one in families["mixer_component_outcomes"].samples}
    assert outcomes == {"ok": 3, "failed": 1, "timeout": 1}
    assert sample(families, "mixer_candidates", **ranker, direction="out") == {"_total": 60}
    assert sample(families, "mixer_component_failures", **ranker, error="ValueError") == {"_total": 1}
    assert sample(families, "mixer_component_rejections", reason="suspended") == {"_total": 2}
    assert sample(families, "mixer_degradations", component="friends", cause="timeout") == {"_total": 4}
    assert sample(families, "mixer_events", **ranker, event="requests") == {"_total": 5}
    assert sample(families, "mixer_quality_factor", pipeline="for_you") == {"": 0.7}
    assert sample(families, "mixer_value", pipeline="for_you", name="cache_size") == {"": 3.0}
    assert set(families) == set(FAMILIES)


def test_durations_are_histograms_in_seconds():
    families = scraped(one_of_everything())
    buckets = {
        float(one.labels["le"]): one.value
        for one in families["mixer_component_duration_seconds"].samples
        if one.name.endswith("_bucket")
    }
    assert families["mixer_component_duration_seconds"].type == "histogram"
    assert (buckets[0.0025], buckets[0.005], buckets[0.05], buckets[0.5], buckets[np.inf]) == (0, 1, 2, 3, 3)
    assert list(buckets.values()) == sorted(buckets.values())
    whole = sample(families, "mixer_pipeline_duration_seconds", pipeline="for_you")
    assert whole["_count"] == 2
    assert whole["_sum"] == pytest.approx(0.1)


def test_other_distributions_are_summaries():
    families = scraped(one_of_everything())
    found = sample(families, "mixer_distribution", name="results_stat", quantile="0.95")
    assert found[""] == pytest.approx(100.0, rel=0.01)


def test_no_two_stats_become_the_same_series():
    snapshot = one_of_everything().snapshot()
    series = [series_of(name, value) for name, value in snapshot.items()]
    assert len({(one.family, tuple(one.labels.items())) for one in series}) == len(snapshot)


def test_names_without_a_scope_are_exported_with_empty_labels():
    stats = StatsReceiver()
    stats.counter("started").incr()
    stats.gauge("quality_factor", lambda: 1.0)
    families = scraped(stats)
    assert sample(families, "mixer_events", pipeline="", component="", event="started") == {"_total": 1}
    assert sample(families, "mixer_quality_factor", pipeline="") == {"": 1.0}


def test_a_scrape_sees_what_happened_since_the_last():
    stats, registry = StatsReceiver(), CollectorRegistry()
    requests = stats.scope("flow").counter("requests")
    prometheus.register(stats, registry)
    labels = {"pipeline": "flow", "component": "", "event": "requests"}
    requests.incr()
    assert registry.get_sample_value("mixer_events_total", labels) == 1
    requests.incr()
    assert registry.get_sample_value("mixer_events_total", labels) == 2


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("mixer.exporters.prometheus", "prometheus_client", "prometheus"),
        ("mixer.exporters.opentelemetry", "opentelemetry", "opentelemetry"),
    ],
)
def test_a_missing_package_is_answered_with_what_to_install(module, package, extra, monkeypatch):
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'mixer\[{extra}\]'"):
        importlib.import_module(module)
