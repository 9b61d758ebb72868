"""The command line of TwHIN, from data to numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from components.datasets.world import generate
from components.embeddings.twhin import cli
from components.embeddings.twhin.embeddings import TwhinEmbeddings
from components.embeddings.twhin.triples import read_triples

FAST = ["--set", "dimensions=8", "--set", "optimisation.epochs=2", "--set", "negatives.count=32", "--json"]


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def ring(tmp_path):
    """Forty entities in a ring; relation 0 leads one step on, relation 1 two."""
    folder = tmp_path / "ring"
    folder.mkdir()
    for split, heads in {"train": range(30), "valid": range(30, 35), "test": range(35, 40)}.items():
        rows = [f"{head} {(head + step) % 40} {step - 1}" for head in heads for step in (1, 2)]
        (folder / f"{split}2id.txt").write_text("\n".join([str(len(rows)), *rows]), encoding="utf-8")
    return folder


def test_a_knowledge_graph_is_trained_and_judged(ring, tmp_path):
    trained = run("train", "--data", ring, "--out", tmp_path / "m.npz", *FAST)
    assert json.loads(trained.stdout)["edges"] == {"0": 30, "1": 30}
    judged = run("evaluate", "--model", tmp_path / "m.npz", "--data", ring, "--json")
    assert json.loads(judged.stdout)["ranks"] == 20
    assert not (tmp_path / "m.npz.checkpoint").exists()


def test_a_data_set_is_cut_by_time(tmp_path):
    world = generate("tiny", seed=1).dataset
    world.save(tmp_path / "world")
    cut = int(np.quantile(world.engagements["time_ms"], 0.8))
    options = ["--data", tmp_path / "world", "--before-ms", cut]
    assert run("train", *options, "--out", tmp_path / "m.npz", *FAST).exit_code == 0
    posts = TwhinEmbeddings.load(tmp_path / "m.npz").entities["post"].index.ids
    early = world.posts["post_id"][world.posts["created_ms"] < cut]
    assert set(posts.tolist()) == set(early.tolist())
    assert json.loads(run("evaluate", "-m", tmp_path / "m.npz", *options, "--json").stdout)["ranks"] > 0
    for moment in (5, world.now_ms):
        outside = run(
            "evaluate", "-m", tmp_path / "m.npz", "--data", tmp_path / "world", "--before-ms", moment
        )
        assert f"got {moment}" in str(outside.exception)


def test_settings_come_from_yaml_and_the_command_line(ring, tmp_path):
    (tmp_path / "c.yaml").write_text("dimensions: 4\noptimisation: {epochs: 1}\n", encoding="utf-8")
    options = ["--config", tmp_path / "c.yaml", "--set", "seed=7"]
    assert run("train", "-d", ring, "-o", tmp_path / "m.npz", *options).exit_code == 0
    config = TwhinEmbeddings.load(tmp_path / "m.npz").config
    assert (config["dimensions"], config["optimisation"]["epochs"], config["seed"]) == (4, 1, 7)


def test_an_unknown_setting_ends_with_a_sentence(ring, tmp_path, monkeypatch, capsys):
    arguments = ["train", "-d", str(ring), "-o", str(tmp_path / "m.npz"), "--set", "dimension=4"]
    monkeypatch.setattr("sys.argv", ["twhin", *arguments])
    assert cli.main() == 2
    assert "unknown key dimension" in capsys.readouterr().err


def test_a_short_file_of_triples_is_refused(tmp_path):
    (tmp_path / "test2id.txt").write_text("2\n0 1 0\n", encoding="utf-8")
    with pytest.raises(ValueError, match="expected 2 rows of head, tail, relation, got 3 numbers"):
        read_triples(tmp_path, "test")


def test_wn18rr_has_the_published_sizes(shared):
    sizes = [sum(len(r.edges) for r in read_triples(shared / "data" / "wn18rr", s)) for s in cli.SPLITS]
    assert sizes == [86_835, 3_034, 3_134]


def test_training_begins_with_earlier_vectors(ring, tmp_path):
    still = ["--set", "optimisation.learning_rate=1e-9", "--set", "optimisation.relation_learning_rate=1e-9"]
    assert run("train", "-d", ring, "-o", tmp_path / "a.npz", *FAST).exit_code == 0
    start = ["--start", tmp_path / "a.npz"]
    assert run("train", "-d", ring, "-o", tmp_path / "b.npz", *start, *FAST, *still).exit_code == 0
    first, then = (TwhinEmbeddings.load(tmp_path / f"{name}.npz") for name in "ab")
    np.testing.assert_allclose(then.entities["entity"].vectors, first.entities["entity"].vectors, atol=1e-5)
