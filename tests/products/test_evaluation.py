"""Products are judged on what happened next, by flows that cannot know it."""

from __future__ import annotations

import json

import anyio
import attrs
import numpy as np
import pytest

from components.datasets import Truth, assert_no_leak
from components.evaluation import auc
from components.models.logistic import LogisticRegression
from components.rankers.light import LogisticRanker, feature_matrix
from components.stores.from_dataset import stores_of
from components.stores.types import Post
from mixer.params import Params
from mixer.quality_factor import LinearLatencyQualityFactor, QualityFactorBounds
from mixer.rankers import KeepOrder
from products._cli.data import Loaded
from products._cli.main import run
from products._offline.measure import MAIN, Settings, measured
from products._offline.trial import viewer_of
from products.follow_recs import evaluation as accounts
from products.follow_recs.cli import app as follow_recs_app
from products.for_you import evaluation as timeline
from products.for_you import training
from products.for_you.cli import app as for_you_app
from products.for_you.flow import ForYou

APPS = {"for_you": for_you_app, "follow_recs": follow_recs_app}
NO_PARAMS = Params.of({})


@pytest.fixture(scope="module")
def loaded(whole_world, stores):
    return Loaded(whole_world.dataset, stores, whole_world.truth)


@pytest.fixture(scope="module")
def contest(loaded):
    return timeline.trial(loaded, 40, seed=0)


@pytest.fixture(scope="module")
def flows(contest, timeline_model):
    return systems_over(contest, timeline_model)


def systems_over(contest, model):
    ours = ForYou(contest.stores, LogisticRanker(model, training.INPUTS, Post.score))
    return timeline.systems(contest, ours)


def slate(flow, case):
    async def ask():
        return (await flow.process(viewer_of(case, NO_PARAMS, 0))).candidates.ids.tolist()

    return anyio.run(ask)


@pytest.fixture(scope="module")
def report(contest, flows):
    return anyio.run(measured, timeline.OFFLINE, contest, flows, Settings(NO_PARAMS, 0, {}))


def test_rankers_learn_from_nothing_that_is_judged(contest):
    begin = min(case.now_ms for case in contest.cases)
    assert_no_leak(contest.past.data, begin)
    assert len(contest.past.data.engagements) > 300


def test_relevant_is_what_a_viewer_did_for_the_first_time_with_posts_that_existed(contest, world):
    created = dict(zip(world.posts["post_id"].tolist(), world.posts["created_ms"].tolist(), strict=True))
    table = world.engagements
    for case in contest.cases:
        before = table.where((table["viewer_id"] == case.user_id) & (table["time_ms"] < case.now_ms))
        assert case.relevant
        assert not set(case.relevant) & set(before["post_id"][before["action"] < 8].tolist())
        assert all(created[post] < case.now_ms for post in case.relevant)
        assert case.history == len(set(before["post_id"][before["action"] < 8].tolist()))


@pytest.mark.parametrize("system", ["for_you", "in_network", "co_engagement", "popular", "newest", "random"])
def test_an_answer_is_the_same_without_the_future(contest, flows, timeline_model, loaded, system):
    answered = 0
    for case in contest.cases[:5]:
        past = loaded.data.as_of(case.now_ms)
        then = attrs.evolve(contest, now=Loaded(past, stores_of(past), loaded.truth))
        without = systems_over(then, timeline_model)[system]
        assert slate(without, case) == slate(flows[system], case)
        answered += len(slate(without, case))
    assert answered


def test_the_flow_beats_popularity_recency_and_random_outside_the_interval(report):
    for other in ("popular", "newest", "random"):
        assert report.find(f"for_you - {other}", MAIN).interval.low > 0.0


def test_nothing_is_liked_more_than_the_ceiling_and_the_truth_is_asked(report, contest):
    planted = {row.system: row.interval.estimate for row in report.rows if row.metric == "planted"}
    assert max(planted, key=planted.get) == "ceiling"
    assert planted["for_you"] > planted["random"]
    assert isinstance(contest.truth, Truth)


def test_a_slow_machine_does_not_change_what_is_judged(contest, timeline_model, monkeypatch):
    """Under load a flow does less; one under evaluation does not."""
    flow = systems_over(contest, timeline_model)["for_you"]
    before = [slate(flow, case) for case in contest.cases[:5]]
    monkeypatch.setattr(
        flow,
        "_quality",
        LinearLatencyQualityFactor(target_latency_s=0.05, bounds=QualityFactorBounds(0.1, 1.0, 0.1)),
    )
    assert [slate(flow, case) for case in contest.cases[:5]] == before
    loaded = viewer_of(contest.cases[0], NO_PARAMS, 0)
    debug = attrs.evolve(loaded.request.debug, ignore_load=False)
    served = attrs.evolve(loaded, request=attrs.evolve(loaded.request, debug=debug))
    assert anyio.run(flow.process, served).candidates.ids.tolist() != before[0]


def test_the_union_of_the_sources_finds_at_least_what_each_finds(report, flows):
    union = report.find("all sources", "recall@200").interval.estimate
    sources = flows["for_you"].sources.names
    alone, unique = (
        [report.find(name, metric).interval.estimate for name in sources]
        for metric in ("recall@200", "unique@200")
    )
    assert max(alone) <= union <= sum(alone)
    assert sum(unique) <= union


def test_shuffled_labels_cannot_be_learned(contest):
    async def collect():
        flow, inputs = training.Collector(contest.stores, KeepOrder()), training.INPUTS[:13]
        features, labels = [], []
        for case in contest.cases:
            found = (await flow.process(viewer_of(case, NO_PARAMS, 0, None))).candidates
            features.append(feature_matrix(found, inputs))
            labels.append(np.isin(found.ids, case.relevant))
        return np.concatenate(features), np.concatenate(labels)

    features, labels = anyio.run(collect)
    rng, names = np.random.default_rng(0), [f"input {n}" for n in range(features.shape[1])]
    found = []
    for _ in range(300):
        shuffled = rng.permutation(labels.astype(float))
        half = rng.permutation(len(labels)) < len(labels) // 2
        model = LogisticRegression(l2=1.0).fit(features[half], shuffled[half], np.ones(half.sum()), names)
        found.append(auc(shuffled[~half], model.predict_proba(features[~half])))
    model = LogisticRegression(l2=1.0).fit(features, labels.astype(float), np.ones(len(labels)), names)
    assert abs(np.mean(found) - 0.5) < 0.01
    assert auc(labels, model.predict_proba(features)) > 0.8


def test_undated_follows_are_hidden_pairwise_and_dated_ones_split_by_time(loaded):
    undated = accounts.trial(attrs.evolve(loaded, data=without_dates(loaded.data)), 50, seed=0)
    followed, ids = undated.stores.follows, undated.stores.users
    for case in undated.cases:
        known = set(ids.ids[followed.of(ids.row_of(case.user_id))].tolist())
        assert not known & set(case.relevant)
    assert "hidden" in undated.protocol


def without_dates(data):
    tables = dict(data.tables)
    tables["follows"] = data.follows.with_columns(created_ms=np.zeros(len(data.follows), np.int64))
    return attrs.evolve(data, tables=tables)


@pytest.mark.usefixtures("clean_environment")
class TestCommand:
    @pytest.fixture(params=sorted(APPS))
    def product(self, request):
        return request.param

    def called(self, capsys, product, *arguments):
        command = ["evaluate", "--world", "tiny", "--users", "20", *arguments]
        code = run(APPS[product], f"python -m products.{product}", command)
        out, err = capsys.readouterr()
        return code, out, err

    def numbers(self, text):
        rows = json.loads(text)["rows"]
        return {
            (row["system"], row["metric"], row["segment"]): row["interval"]
            for row in rows
            if row["metric"] != "ms"
        }

    def test_json_has_ours_and_every_baseline_and_a_resumed_run_repeats_it(self, capsys, product, tmp_path):
        (code, first, err), (_, again, _) = (
            self.called(capsys, product, "--json", "--resume", str(tmp_path)) for _ in range(2)
        )
        assert code == 0, err
        found = self.numbers(first)
        assert {(product, MAIN, "all"), ("popular", MAIN, "all"), ("random", MAIN, "all")} <= set(found)
        ours = found[product, MAIN, "all"]
        assert ours["low"] <= ours["estimate"] <= ours["high"]
        assert ours["units"] == 20
        assert found == self.numbers(again)
        assert json.loads(first)["rows"][-1] == json.loads(again)["rows"][-1]  # times are kept too
        assert list(tmp_path.iterdir())

    def test_plots_are_drawn_on_request(self, capsys, product, tmp_path):
        code, out, err = self.called(capsys, product, "--plots", str(tmp_path / "plots"))
        assert code == 0, err
        assert "differences" in out
        assert {path.name for path in (tmp_path / "plots").iterdir()} == {"reliability.png", "segments.png"}

    def test_impossible_options_are_one_line(self, capsys, product):
        code, _, err = self.called(capsys, product, "--seed", "-1")
        assert code == 2
        assert err == "error: --seed: expected 0 or more, got -1\n"
