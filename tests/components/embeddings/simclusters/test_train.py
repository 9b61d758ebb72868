from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import attrs
import numpy as np
import pytest
from typer.testing import CliRunner

from components.datasets.load import load_world
from components.embeddings.simclusters import cli
from components.embeddings.simclusters.config import (
    CommunityConfig,
    SimClustersConfig,
    load_config,
    preset_names,
)
from components.embeddings.simclusters.index import SearchOptions
from components.embeddings.simclusters.model import SimClusters
from components.embeddings.simclusters.search import SimClustersEncoder, SimClustersSearch
from components.embeddings.simclusters.signals import Signals, liked_stores
from components.embeddings.simclusters.similarity import producer_similarity, producers_of
from components.embeddings.simclusters.train import train
from components.units import HOUR_MS
from mixer.errors import ConfigurationError

SMALL = load_config("small", ["similarity.min_followers=5", "communities.epochs=4"])


@pytest.fixture(scope="module")
def stores():
    return liked_stores(load_world("tiny", 0).dataset)


@pytest.fixture(scope="module")
def model(stores):
    return train(Signals.of(stores), SMALL)


def same(first, second):
    for name in ("known_for", "producers", "consumer_matrix"):
        one, other = getattr(first, name), getattr(second, name)
        assert one.shape == other.shape
        assert abs(one - other).nnz == 0
    assert first.interests.scores.tolist() == second.interests.scores.tolist()


def test_the_defaults_are_the_published_constants():
    config = SimClustersConfig()
    assert (config.similarity.min_followers, config.similarity.neighbours) == (400, 400)
    found = config.communities
    assert (found.epochs, found.weight, found.scale, found.min_acceptance) == (3, 10.0, 0.5, 0.01)
    assert found.temperature is None
    assert found.clusters_of(20_000_000) == pytest.approx(145_000, rel=0.02)
    wanted = config.interests
    assert (wanted.min_producers, wanted.clusters, wanted.favourite_half_life_days) == (2, 50, 100.0)
    producers = config.producers
    assert (producers.min_consumers, producers.min_cosine) == (100, 0.01)
    assert (producers.clusters, producers.producers) == (60, 300)
    posts = config.posts
    assert (posts.min_gate, posts.half_life_h, posts.max_engagement_age_h) == (0.3, 8.0, 72.0)
    assert (posts.clusters, posts.min_value, posts.posts, posts.min_indexed) == (50, 0.02, 1600, 0.001)
    assert (posts.gate, posts.score) == ("favourite", "log_favourite")
    search = SearchOptions()
    assert (search.clusters, search.posts, search.max_age_ms) == (50, 800, 48 * HOUR_MS)
    assert load_config("published") == config


def test_training_is_the_same_for_a_seed(stores, model):
    same(train(Signals.of(stores), SMALL), model)


def test_repeats_and_self_loops_change_nothing():
    edges = np.array([[0, 1], [0, 2], [3, 1], [3, 2], [4, 1]])
    noise = np.concatenate([edges, edges[::-1], [[1, 1], [2, 2], [99, 1]]])
    config = attrs.evolve(SMALL, similarity=attrs.evolve(SMALL.similarity, min_followers=1))
    first, second = (train(Signals.build(np.arange(6), listed), config) for listed in (edges, noise))
    same(first, second)
    assert first.known_for.nnz == 2


@pytest.mark.parametrize("users", [0, 1, 3])
def test_users_whom_nobody_follows_have_empty_vectors(users):
    model = train(Signals.build(np.arange(users), []), SMALL)
    assert model.consumers(np.arange(5)).nnz == 0
    assert model.authors([0]).nnz == 0
    assert model.user_similarity([0], [1]).tolist() == [0.0]


class InterruptionError(Exception):
    """Stands for a power cut."""


def test_an_interrupted_training_goes_on_to_the_same_result(stores, model, tmp_path):
    def stop(progress):
        if progress.stage == "vectors" or (progress.stage, progress.done) == ("communities", 2):
            raise InterruptionError

    with pytest.raises(InterruptionError):
        train(Signals.of(stores), SMALL, checkpoint=tmp_path, listener=stop)
    heard = []
    same(train(Signals.of(stores), SMALL, checkpoint=tmp_path, listener=heard.append), model)
    assert "similarity" not in {progress.stage for progress in heard}
    assert next(progress.done for progress in heard if progress.stage == "communities") == 2


def test_a_checkpoint_of_another_seed_is_refused(stores, tmp_path):
    train(Signals.of(stores), SMALL, checkpoint=tmp_path)
    with pytest.raises(ValueError, match=r"similarity.npz: expected a checkpoint of .*'seed': 1"):
        train(Signals.of(stores), SMALL, seed=1, checkpoint=tmp_path)


def test_a_checkpoint_of_another_start_is_refused(stores, model, tmp_path):
    train(Signals.of(stores), SMALL, checkpoint=tmp_path)
    with pytest.raises(ValueError, match=model.digest):
        train(Signals.of(stores), SMALL, start=model, checkpoint=tmp_path)


def test_threads_share_one_index(stores, model):
    search = SimClustersSearch(model, stores, buckets=1)
    moments = [stores.now_ms - hour * HOUR_MS for hour in (0, 1, 2, 0, 1, 2, 0, 0)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(search.index, moments * 5))
    assert [index.at_ms for index in found] == [moment - moment % HOUR_MS for moment in moments * 5]


def test_a_warm_start_keeps_the_numbers_of_clusters(stores, model):
    still = attrs.evolve(SMALL, communities=attrs.evolve(SMALL.communities, epochs=0))
    again = train(Signals.of(stores), still, start=model)
    kept = np.flatnonzero(np.diff(model.known_for.indptr))
    assert (model.known_for[kept] != 0).toarray().argmax(axis=1).tolist() == (
        again.known_for[kept] != 0
    ).toarray().argmax(axis=1).tolist()


def test_what_is_saved_is_what_is_loaded(model, tmp_path):
    model.save(tmp_path / "model.npz")
    loaded = SimClusters.load(tmp_path / "model.npz")
    same(loaded, model)
    assert loaded.config == model.config
    assert loaded.users.ids.tolist() == model.users.ids.tolist()


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "model.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"expected an archive of format mixer.simclusters/1"):
        SimClusters.load(tmp_path / "model.npz")


def test_everybody_is_like_themselves_and_alike_both_ways(model):
    rng = np.random.default_rng(0)
    users = model.users.ids[np.diff(model.consumer_matrix.indptr) > 0]
    first, second = rng.choice(users, 50), rng.choice(users, 50)
    assert model.user_similarity(users, users) == pytest.approx(np.ones(len(users)), abs=1e-6)
    assert model.user_similarity(first, second) == pytest.approx(model.user_similarity(second, first))


def test_similar_authors_are_the_nearest_by_cosine(model):
    author = int(model.users.ids[np.flatnonzero(np.diff(model.producers.indptr))[0]])
    ids, cosines = model.similar_authors(author, 5)
    everyone = model.users.ids[model.users.ids != author]
    every = model.author_similarity(np.full(len(everyone), author), everyone)
    assert author not in ids.tolist()
    assert cosines == pytest.approx(np.sort(every[every > 0])[::-1][:5])


def test_a_search_sees_nothing_of_the_future(stores, model):
    at_ms = stores.now_ms - 60 * HOUR_MS
    search = SimClustersSearch(model, stores, bucket_ms=0)
    cut = attrs.evolve(stores, graphs={kind: _before(graph, at_ms) for kind, graph in stores.graphs.items()})
    past = SimClustersSearch(model, cut, bucket_ms=0)
    users = stores.users.ids[:20]
    both = zip(search.nearest_posts(users, at_ms), past.nearest_posts(users, at_ms), strict=True)
    found = 0
    for (rows, scores), (expected, expected_scores) in both:
        assert rows.tolist() == expected.tolist()
        assert scores.tolist() == expected_scores.tolist()
        assert (stores.posts.created_ms[rows] < at_ms).all()
        found += len(rows)
    assert found > 0


def _before(graph, at_ms):
    kept = graph.time_ms < at_ms
    return type(graph).build(
        graph.sources[kept], graph.ends[kept], graph.time_ms[kept], shape=(len(graph), graph.columns)
    )


def test_requests_of_an_hour_share_an_index_and_old_ones_are_dropped(stores, model):
    search = SimClustersSearch(model, stores, buckets=2)
    hour = stores.now_ms - stores.now_ms % HOUR_MS
    first = search.index(hour)
    assert search.index(hour + HOUR_MS - 1) is first
    assert first.at_ms == hour
    search.index(hour - HOUR_MS)
    search.index(hour - 2 * HOUR_MS)
    assert search.index(hour) is not first


def test_posts_like_a_post_do_not_include_it(stores, model):
    search = SimClustersSearch(model, stores)
    at_ms = stores.now_ms - 60 * HOUR_MS
    row = int(np.flatnonzero(np.diff(search.index(at_ms).vectors.indptr))[0])
    rows, _ = search.similar_posts(row, at_ms)
    assert len(rows) > 0
    assert row not in rows.tolist()
    assert search.post_similarity([row], [row], at_ms) == pytest.approx([1.0])


def test_the_encoder_gives_unit_vectors_and_zeros_for_the_unknown(stores, model):
    encoder = SimClustersEncoder(SimClustersSearch(model, stores))
    users = encoder.user_vectors(np.append(stores.users.ids[:50], -7))
    posts = encoder.post_vectors(np.arange(len(stores.posts)), stores.now_ms - 60 * HOUR_MS)
    assert users.dtype == posts.dtype == np.float32
    assert users.shape == (51, encoder.dimensions)
    for vectors in (users, posts):
        lengths = np.linalg.norm(vectors, axis=1)
        assert np.isclose(lengths, 1.0, atol=1e-5).any()
        assert (np.isclose(lengths, 1.0, atol=1e-5) | (lengths == 0)).all()
    assert not users[-1].any()


def test_bad_settings_are_refused():
    with pytest.raises(ConfigurationError, match=r"unknown key communities\.epoch; did you mean epochs"):
        load_config("small", ["communities.epoch=3"])
    with pytest.raises((ConfigurationError, ValueError), match="weight"):
        CommunityConfig(weight=0.0)
    assert preset_names() == ("published", "small")


def test_planted_communities_of_a_fresh_world_are_recovered_far_above_chance():
    from sklearn.metrics import normalized_mutual_info_score as nmi

    from components.embeddings.simclusters.communities import detect_communities

    world = load_world("small", 1)  # the preset was chosen on seed 0
    config = load_config("small")
    signals = Signals.of(liked_stores(world.dataset))
    producers = producers_of(signals.follows, config.similarity.min_followers)
    graph = producer_similarity(signals.follows, producers, config.similarity)
    truth = world.truth.preference.argmax(axis=1)[producers]
    found = detect_communities(graph, config.communities, 1).cluster
    chance = np.random.default_rng(0).permutation(found)
    assert nmi(truth, found) > 0.9
    assert nmi(truth, chance) < 0.3


def test_the_command_line_trains_shows_and_searches(tmp_path):
    out, run = tmp_path / "model.npz", CliRunner()
    made = run.invoke(cli.app, ["train", "--data", "world-tiny", "--out", str(out), "--json"])
    assert made.exit_code == 0, made.output
    report = json.loads(made.stdout)
    assert report["users"] == 200
    shown = run.invoke(cli.app, ["info", str(out), "--json"])
    assert json.loads(shown.stdout)["clusters"] == report["clusters"]
    assert run.invoke(cli.app, ["similar", str(out), "1", "--json"]).exit_code == 0
    unknown = run.invoke(cli.app, ["similar", str(out), "777"])
    assert "expected one of the 200 users" in str(unknown.exception)
    assert "min_followers: 20" in run.invoke(cli.app, ["show-config"]).stdout  # what train uses
    published = run.invoke(cli.app, ["show-config", "--config", "published"])
    assert "min_followers: 400" in published.stdout


def test_the_command_line_warns_where_nobody_likes_anything(tmp_path, monkeypatch):
    world = load_world("tiny", 0).dataset
    silent = {name: table for name, table in world.tables.items() if name != "engagements"}
    monkeypatch.setattr(
        sys.modules["components.datasets.load"], "load_named", lambda *_: attrs.evolve(world, tables=silent)
    )
    command = ["train", "--data", "any", "--out", str(tmp_path / "model.npz"), "--json"]
    ended = CliRunner().invoke(cli.app, command)
    assert "no likes, so vectors will be empty; use --set posts.score=follow" in ended.stderr
    assert json.loads(ended.stdout)["producers_with_vector"] == 0
    ended = CliRunner().invoke(cli.app, [*command, "--set", "posts.score=follow"])
    assert ended.stderr == ""
    assert json.loads(ended.stdout)["producers_with_vector"] > 0


def test_the_command_line_names_what_is_wrong(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["simclusters", "info", str(tmp_path / "absent.npz")])
    assert cli.main() == 2
    assert "absent.npz" in capsys.readouterr().err
