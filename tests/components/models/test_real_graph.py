from __future__ import annotations

import json
import subprocess
import sys

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.datasets import load_world
from components.evaluation import Bootstrap, auc, average_precision, expected_calibration_error
from components.models.real_graph.evaluate import counts, evaluate_real_graph
from components.models.real_graph.features import (
    FeatureConfig,
    candidate_pairs,
    features_of,
    labels,
    pair_features,
    rollup,
    strongest,
)
from components.models.real_graph.log import KINDS, InteractionLog, Pairs
from components.models.real_graph.model import (
    RealGraph,
    RealGraphConfig,
    labelled,
    train_real_graph,
)
from components.models.real_graph.scores import RealGraphScores, seed_weights
from components.models.real_graph.trees import TreeConfig, grow
from components.stores.graph import Graph
from components.stores.ids import IdIndex
from components.units import DAY_MS

FAV, REPLY = KINDS.index("fav"), KINDS.index("reply")
NOW = 10 * DAY_MS
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 4), st.integers(0, 4), st.sampled_from([FAV, REPLY]), st.integers(0, 12 * DAY_MS)
    ),
    max_size=25,
)


def log_of(events, **relations):
    return InteractionLog.of(*np.array(events, dtype=np.int64).reshape(-1, 4).T, **relations)


@settings(max_examples=30)
@given(EVENTS)
def test_features_equal_counting_event_by_event(events):
    config = FeatureConfig(window=5)
    log = log_of(events)
    seen = [e for e in events if e[0] != e[1] and NOW - 5 * DAY_MS <= e[3] < NOW]
    pairs = candidate_pairs(log, NOW, config)
    expected_pairs = sorted({(u, v) for u, v, _, _ in seen} | {(v, u) for u, v, _, _ in seen})
    assert list(zip(pairs.source.tolist(), pairs.target.tolist(), strict=True)) == expected_pairs
    got = pair_features(log, pairs, NOW, config)
    weights = 0.955 ** np.arange(5)
    for row, (u, v) in enumerate(expected_pairs):
        mine = [e for e in seen if e[:2] == (u, v)]
        ages = [(NOW - 1 - e[3]) // DAY_MS for e in mine]
        daily = np.bincount(ages, minlength=5) if ages else np.zeros(5)
        mean = np.average(daily, weights=weights)
        back = sum(
            0.955 ** ((NOW - 1 - e[3]) // DAY_MS) for e in events if e[:2] == (v, u) and u != v and e[3] < NOW
        )
        acted = [e[3] for e in seen if e[0] == u]
        expected = {
            "active_periods": len(set(ages)),
            "count_fav": sum(e[2] == FAV for e in mine),
            "count_reply": sum(e[2] == REPLY for e in mine),
            "periods_since_last": min((NOW - 1 - e[3] for e in mine), default=5 * DAY_MS) / DAY_MS,
            "kinds": len({e[2] for e in mine}),
            "mean": mean,
            "variance": np.average((daily - mean) ** 2, weights=weights),
            "decayed_back": back,
            "source_acts": len(acted),
            "source_acts_periods_ago": (NOW - 1 - max(acted)) / DAY_MS if acted else 5.0,
            "source_is_met": sum(e[1] == u for e in seen),
            "target_is_met": sum(e[1] == v for e in seen),
            "target_acts": sum(e[0] == v for e in seen),
        }
        for name, value in expected.items():
            assert got.column(name)[row] == pytest.approx(value, abs=1e-9), name
    future = {e[:2] for e in events if NOW <= e[3] < NOW + DAY_MS}
    assert labels(log, pairs, NOW, DAY_MS).tolist() == [pair in future for pair in expected_pairs]


@settings(max_examples=20)
@given(EVENTS)
def test_features_do_not_change_with_what_happens_later(events):
    config = FeatureConfig()
    past = features_of(log_of([e for e in events if e[3] < NOW]), NOW, config)
    everything = features_of(log_of(events), NOW, config)
    assert np.array_equal(past.values, everything.values)


def test_the_rollup_is_the_published_recursion():
    daily = [3, 0, 2, 1]  # the last one is today
    value = 0.0
    for count in daily:
        value = count + 0.955 * value
    log = log_of([(0, 1, FAV, day * DAY_MS) for day, count in enumerate(daily) for _ in range(count)])
    assert rollup(log, Pairs.of(([0], [1])), 4 * DAY_MS, FeatureConfig())[0] == pytest.approx(value)


def test_the_rollup_forgets_after_sixty_days():
    pairs, config, log = Pairs.of(([0], [1])), FeatureConfig(), log_of([(0, 1, FAV, 0)])
    assert rollup(log, pairs, 60 * DAY_MS, config)[0] == pytest.approx(0.955**59)
    assert rollup(log, pairs, 61 * DAY_MS, config)[0] == 0.0
    assert config.decay**config.history == pytest.approx(0.063, abs=5e-4)
    assert np.log(0.5) / np.log(config.decay) == pytest.approx(15.05, abs=5e-3)


def test_a_source_keeps_the_pairs_that_were_active_on_most_days():
    log = log_of([(0, 1, FAV, 0), (0, 2, FAV, 0), (0, 2, FAV, DAY_MS), (0, 3, FAV, DAY_MS)])
    features = pair_features(log, Pairs.of(([0, 0, 0, 4], [1, 2, 3, 1])), NOW, FeatureConfig())
    assert strongest(features, 2).tolist() == [False, True, True, True]


PAIRS = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), max_size=12)


@given(PAIRS, PAIRS)
def test_positions_find_each_pair_and_only_those(known, asked):
    columns = np.array(known, dtype=np.int64).reshape(-1, 2).T
    wanted = np.array(asked, dtype=np.int64).reshape(-1, 2).T
    order = sorted(set(known))
    expected = [order.index(pair) if pair in order else -1 for pair in asked]
    assert Pairs.of(tuple(columns)).positions(*wanted).tolist() == expected


def test_bad_logs_are_named():
    with pytest.raises(ValueError, match="one length"):
        InteractionLog.of([1], [2, 3], [0], [0])
    with pytest.raises(ValueError, match="kind"):
        InteractionLog.of([1], [2], [99], [0])


def test_followed_pairs_are_candidates_since_they_follow_and_avoided_ones_are_not():
    log = log_of([(1, 2, FAV, 5)], follows=[(7, 8, 0), (8, 9, 50)], against=[(2, 1, 30)])

    def at(moment):
        pairs = candidate_pairs(log, moment, FeatureConfig())
        return set(zip(pairs.source.tolist(), pairs.target.tolist(), strict=True))

    assert at(30) == {(1, 2), (2, 1), (7, 8)}
    assert at(31) == {(1, 2), (7, 8)}
    assert at(51) == {(1, 2), (7, 8), (8, 9)}


def habits(seed=0, users=300, days=20):
    """Pairs with habits of their own: some interact nearly daily, most hardly ever."""
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, users, (1500, 2))
    rate = rng.beta(0.3, 1.5, len(pairs))
    day, pair = np.argwhere(rng.random((days, len(pairs))) < rate).T
    time_ms = day * DAY_MS + rng.integers(0, DAY_MS, len(day))
    return InteractionLog.of(*pairs[pair].T, rng.choice([FAV, REPLY], len(day)), time_ms)


@pytest.fixture(scope="module")
def trained():
    heard, log = [], habits()
    return log, train_real_graph(log, 19 * DAY_MS, listener=heard.append), heard


def test_the_model_is_calibrated_and_beats_counts(trained):
    log, model, heard = trained
    report = evaluate_real_graph(model, log, 19 * DAY_MS, Bootstrap(resamples=50))
    for rival in ("last_day", "last_week"):
        assert all(interval.low > 0.0 for interval in report["gain_over"][rival].values()), rival
    assert report["mean_predicted_over_observed"] == pytest.approx(1.0, abs=0.15)
    assert report["ece"] < 0.03
    assert [progress.stage for progress in heard] == ["features", "models", "calibration"]


def test_training_reads_nothing_from_the_moment_on(trained):
    log, model, _ = trained
    again = train_real_graph(log.between(0, 19 * DAY_MS), 19 * DAY_MS)
    assert np.array_equal(again.trees.value, model.trees.value)
    assert again.calibrator == model.calibrator


def test_the_seed_decides_what_is_learned_from(trained):
    log, model, _ = trained
    other = train_real_graph(log, 19 * DAY_MS, RealGraphConfig(negatives=0.5, seed=1))
    same = train_real_graph(log, 19 * DAY_MS, RealGraphConfig(negatives=0.5, seed=1))
    assert np.array_equal(other.trees.value, same.trees.value)
    assert not np.array_equal(other.trees.value, model.trees.value)


def test_plain_trees_answer_as_the_library_does():
    ensemble = pytest.importorskip("sklearn.ensemble")
    rng = np.random.default_rng(0)
    values = rng.integers(0, 6, (3_000, 5)).astype(np.float64)
    happened = rng.random(3_000) < 1 / (1 + np.exp(2 - values[:, 0] + values[:, 1] * (values[:, 2] > 2)))
    config = TreeConfig(rounds=12)
    library = ensemble.HistGradientBoostingClassifier(
        max_iter=12,
        learning_rate=0.05,
        max_leaf_nodes=16,
        min_samples_leaf=15,
        early_stopping=False,
        random_state=0,
    ).fit(values, happened)
    asked = rng.normal(3, 3, (500, 5))
    assert np.allclose(grow(values, happened, config).logits(asked), library.decision_function(asked))


def test_missing_scikit_learn_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(ImportError, match=r'pip install "mixer\[trees\]"'):
        grow(np.zeros((2, 1)), np.array([True, False]), TreeConfig())


def test_a_saved_model_answers_the_same(trained, tmp_path):
    log, model, _ = trained
    model.save(tmp_path / "real_graph.npz")
    loaded = RealGraph.load(tmp_path / "real_graph.npz")
    features = features_of(log, NOW, model.config.features)
    assert loaded.config == model.config
    assert np.array_equal(loaded.predict(features), model.predict(features))
    (tmp_path / "other.npz").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="real-graph/1"):
        RealGraph.load(tmp_path / "other.npz")


def test_empty_logs_give_no_scores_and_training_on_one_class_says_why(trained):
    _, model, _ = trained
    assert model.scores(log_of([]), NOW, IdIndex.of([1, 2])).graph.edges == 0
    for events in ([], [(1, 2, FAV, NOW - 3 * DAY_MS)]):
        with pytest.raises(ValueError, match="with and without"):
            train_real_graph(log_of(events), NOW)
    features = features_of(log_of([]), NOW, FeatureConfig())
    with pytest.raises(ValueError, match="features"):
        model.predict(attrs.evolve(features, names=("poke",)))


def test_scores_of_some_sources_are_those_of_everybody(trained):
    log, model, _ = trained
    users = IdIndex.of(np.arange(0, 300, 2))  # half of the accounts are unknown to the stores
    everybody, some = model.scores(log, NOW, users), model.scores(log, NOW, users, sources=[4, 10])
    for id in (4, 10):
        row = users.row_of(id)
        for all_, alone in zip(everybody.of(row), some.of(row), strict=True):
            assert np.array_equal(all_, alone)
    assert set(some.graph.sources.tolist()) <= {users.row_of(4), users.row_of(10)}


SCORED = st.dictionaries(
    st.tuples(st.integers(0, 5), st.integers(0, 5)), st.integers(0, 100).map(lambda p: p / 100), max_size=20
)
FOLLOWED = st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12)


@given(SCORED, FOLLOWED, st.integers(1, 3))
def test_scores_answer_as_a_sorted_list_would(scored, followed, most):
    users, at_ms = IdIndex.of(np.arange(5) * 10), 100
    source, target = (np.array([pair[end] for pair in scored], dtype=np.int64) * 10 for end in (0, 1))
    scores = RealGraphScores.build(users, source, target, list(scored.values()), at_ms)
    known = {pair: p for pair, p in scored.items() if max(pair) < 5}  # 50 is no user
    follows = Graph.build(*np.array(sorted(followed), dtype=np.int64).reshape(-1, 2).T, shape=(5, 5))

    def ties(table, row):
        return sorted(((-np.float32(p), v) for (u, v), p in table.items() if u == row))[:most]

    ids, weights = scores.strong_ties([0, 10, 20, 30, 40, 99], most)
    inside = {pair: known.get(pair, 0.0) for pair in followed}
    outside = {pair: p for pair, p in known.items() if pair not in followed and np.float32(p) >= 0.26}
    for row in range(5):
        expected = ties(known, row)
        assert [id // 10 for id in ids[row].tolist() if id >= 0] == [v for _, v in expected]
        assert weights[row, : len(expected)].tolist() == [-p for p, _ in expected]
        for table, got in (
            (inside, scores.in_network(follows, most)),
            (outside, scores.out_of_network(follows)),
        ):
            ends, probabilities = got.of(row, most)
            assert [(-p, v) for v, p in zip(ends.tolist(), probabilities, strict=True)] == ties(table, row)
        assert scores.probability(row, np.arange(5)).tolist() == pytest.approx(
            [known.get((row, v), 0.0) for v in range(5)]
        )
        latest, _ = scores.graph.expand(np.array([row]), latest=most)
        assert sorted(scores.graph.ends[latest].tolist()) == sorted(v for _, v in expected)
    assert ids[5].tolist() == [-1] * most


def test_a_request_from_before_the_scoring_sees_no_tie():
    scores = RealGraphScores.build(IdIndex.of([1, 2]), [1], [2], [0.5], at_ms=100)
    assert scores.graph.expand(np.array([0]), before_ms=100)[0].tolist() == [0]
    assert not len(scores.graph.expand(np.array([0]), before_ms=99)[0])


def test_saved_scores_answer_the_same(tmp_path):
    scores = RealGraphScores.build(IdIndex.of([1, 2, 3]), [1, 1, 3], [2, 3, 1], [0.5, 0.9, 0.1], at_ms=100)
    scores.save(tmp_path / "scores.npz")
    loaded = RealGraphScores.load(tmp_path / "scores.npz")
    for one, other in zip(loaded.strong_ties([1, 2, 3]), scores.strong_ties([1, 2, 3]), strict=True):
        assert np.array_equal(one, other)
    assert loaded.at_ms == 100


def test_published_constants_of_serving():
    assert seed_weights([0.0, 0.5, 1.0]).tolist() == pytest.approx([1.0, 1.985, 2.97])


def test_engagements_of_the_world_become_interactions_with_authors():
    data = load_world("tiny").dataset
    log = InteractionLog.of_dataset(data)
    author = dict(zip(data.posts["post_id"].tolist(), data.posts["author_id"].tolist(), strict=True))
    table = data.engagements
    expected = sum(
        int(viewer) != author[int(post)]
        for viewer, post, action in zip(table["viewer_id"], table["post_id"], table["action"], strict=True)
        if action < 8
    )
    dated = (data.follows["created_ms"] > 0).sum()
    assert len(log) == expected + dated
    assert len(log.follows) == len(data.follows)
    config = RealGraphConfig(trees=TreeConfig(rounds=10))
    at_ms = data.now_ms - DAY_MS
    scores = train_real_graph(log, at_ms, config).scores(log, at_ms, IdIndex.of(data.users["user_id"]))
    assert ((scores.weights > 0.0) & (scores.weights < 1.0)).all()
    avoided = log.avoided(at_ms)
    assert len(avoided) > 0
    ids = scores.users.ids
    assert (avoided.positions(ids[scores.graph.sources], ids[scores.graph.ends]) == -1).all()


@pytest.mark.slow
def test_the_model_beats_counts_on_higgs(higgs):
    log = InteractionLog.of_dataset(higgs)
    at_ms = int(log.time_ms[-1]) - 2 * DAY_MS
    chosen = log.source % 3 == 0
    log = InteractionLog.of(*(part[chosen] for part in (log.source, log.target, log.kind, log.time_ms)))
    config = RealGraphConfig(FeatureConfig(6 * 3_600_000), TreeConfig(rounds=30))
    model = train_real_graph(log, at_ms, config)
    features, happened = labelled(log, at_ms, config)
    probability = model.predict(features)
    for span_ms in (DAY_MS, 7 * DAY_MS):
        counted = counts(log, features.pairs, at_ms, span_ms)
        assert auc(happened, probability) > auc(happened, counted) + 0.02
        assert average_precision(happened, probability) > average_precision(happened, counted)
    assert expected_calibration_error(happened, probability) < 0.05


@pytest.mark.slow
def test_the_command_line_trains_judges_and_scores(tmp_path):
    def run(*arguments):
        command = [sys.executable, "-m", "components.models.real_graph", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    model, out = str(tmp_path / "model.npz"), str(tmp_path / "scores.npz")
    trained = run("train", "--data", "world:tiny", "--out", model, "--resamples", "5", "--json")
    report = json.loads(trained.stdout)
    assert set(report["arms"]) == {"real_graph", "last_day", "last_week", "rollup", "trees", "logistic"}
    scored = json.loads(run("score", "--data", "world:tiny", "--model", model, "--out", out, "--json").stdout)
    assert RealGraphScores.load(out).graph.edges == scored["pairs"] > 0
    missing = run("score", "--data", "world:tiny", "--model", str(tmp_path / "none.npz"), "--out", out)
    assert missing.returncode == 2
    assert missing.stderr.startswith("error: ")
