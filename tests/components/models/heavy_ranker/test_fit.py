"""Public click logs: a fit that finds the planted signal, and the published configurations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
import numpy as np
import pytest
from scipy.special import expit
from typer.testing import CliRunner

from components.evaluation import auc
from components.models.heavy_ranker.checkpoint import load_checkpoint
from components.models.heavy_ranker.cli import app
from components.models.heavy_ranker.click_logs import ClickDataConfig, read_click_log
from components.models.heavy_ranker.config import HeadConfig, RankerConfig
from components.models.heavy_ranker.fit import ClickConfig, Files, Splits, fit_click_log, load_click_config
from components.models.heavy_ranker.model import HeavyRanker, parameter_count
from components.models.heavy_ranker.predictor import Predictor
from components.models.heavy_ranker.vocabulary import Encoder, Words
from mixer.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

SMALL = [
    "model.block={width: 8, reduction: 1.0, form: paper}",
    "model.mlp=[16]",
    "model.blocks=2",
    "model.tower={hidden: [], batch_norm: false}",
    "fit={epochs: 20, batch_size: 256}",
    "optimizer.schedule.learning_rate=0.01",
    "optimizer.embedding_l2=0.001",
]

# Rows of the embedding tables in the published runs: 5,389 over ten fields, 90,239 over three.
FRAPPE = {f"field_{place}": 1 for place in range(9)} | {"field_9": 5380}
MOVIELENS = {"user": 1, "item": 1, "tag": 90237}


def world(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    user, item = rng.integers(0, 20, rows), rng.integers(0, 30, rows)
    taste = np.random.default_rng(99).normal(size=(20, 30)) * 2
    return user, item, (rng.random(rows) < expit(taste[user, item] - 1)).astype(int)


def ceiling(rows: int, seed: int) -> float:
    """AUC of the planted probabilities themselves: no model can be expected to do better."""
    user, item, click = world(rows, seed)
    taste = np.random.default_rng(99).normal(size=(20, 30)) * 2
    return auc(click, taste[user, item])


def write(folder: Path, kind: str) -> Files:
    paths = []
    for seed, (split, rows) in enumerate((("train", 5000), ("valid", 1500), ("test", 1500))):
        user, item, click = world(rows, seed)
        path = folder / f"{split}.{kind}"
        if kind == "csv":
            lines = [
                "label,user,item",
                *(f"{c},u{u},i{i}" for u, i, c in zip(user, item, click, strict=True)),
            ]
        else:
            lines = [f"{c} {u}:1 {100 + i}:1" for u, i, c in zip(user, item, click, strict=True)]
        path.write_text("\n".join(lines) + "\n")
        paths.append(path)
    return Files(*paths)


@pytest.mark.parametrize("kind", ["csv", "libsvm"])
def test_a_fit_finds_the_planted_signal_in_both_formats(tmp_path: Path, kind: str) -> None:
    files = write(tmp_path, kind)
    splits = Splits.read(ClickDataConfig(), files)
    report = fit_click_log(load_click_config(None, SMALL), splits, tmp_path / "out", quiet=True)
    assert report.auc - 0.5 > 0.8 * (ceiling(1500, seed=2) - 0.5)
    assert report.auc_calibrated == pytest.approx(report.auc)
    assert report.log_loss_calibrated < report.log_loss + 0.01
    encoder = Encoder.load(tmp_path / "out" / "vocabulary.json")
    rows = encoder.rows(read_click_log(files.test, ClickDataConfig()))
    assert Predictor.load(tmp_path / "out").probabilities(rows).shape == (1500, 1)


def test_the_command_prints_one_json_object_a_seed_then_mean_and_deviation(tmp_path: Path) -> None:
    files = write(tmp_path, "csv")
    (tmp_path / "fit.yaml").write_text("fit: {epochs: 1, batch_size: 512}\nembedding_dim: 4\n")
    arguments = ["fit", "--train", files.train, "--valid", files.valid, "--test", files.test, "--json"]
    arguments += ["--config", tmp_path / "fit.yaml", "--seeds", 2, "--set", "model.mlp=[8]"]
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    first, second, mean, deviation = [json.loads(line) for line in result.stdout.splitlines()]
    assert (first["seed"], second["seed"]) == (0, 1)
    assert (mean["over_seeds"], deviation["over_seeds"]) == ("mean", "deviation")
    for name in ("auc", "log_loss", "auc_calibrated", "log_loss_calibrated"):
        assert mean[name] == pytest.approx((first[name] + second[name]) / 2)
        assert deviation[name] == pytest.approx(abs(first[name] - second[name]) / 2**0.5)


def test_a_fit_that_was_cut_short_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    splits = Splits.read(ClickDataConfig(), write(tmp_path, "csv"))
    short, long = (
        load_click_config(None, [*SMALL, f"fit.epochs={epochs}", "fit.patience=0"]) for epochs in (1, 3)
    )
    whole = fit_click_log(long, splits, tmp_path / "whole", quiet=True)
    fit_click_log(short, splits, tmp_path / "parts", quiet=True)
    assert fit_click_log(long, splits, tmp_path / "parts", quiet=True) == whole


def test_no_batch_is_short_and_next_to_no_row_is_left_out(tmp_path: Path) -> None:
    splits = Splits.read(ClickDataConfig(), write(tmp_path, "csv"))
    report = fit_click_log(
        load_click_config(None, [*SMALL, "fit={epochs: 2, batch_size: 4096}"]),
        splits,
        tmp_path / "out",
        quiet=True,
    )
    training = load_checkpoint(tmp_path / "out" / "best")[1].training
    assert (training.batch_size, training.steps, report.epochs) == (2500, 4, 2)


def test_what_a_configuration_leaves_out_is_as_in_the_benchmark(tmp_path: Path) -> None:
    (tmp_path / "fit.yaml").write_text("model: {blocks: 5}\noptimizer: {embedding_l2: 0.5}\n")
    config = load_click_config(tmp_path / "fit.yaml")
    assert config.model == attrs.evolve(ClickConfig().model, blocks=5)
    assert config.optimizer == attrs.evolve(ClickConfig().optimizer, embedding_l2=0.5)
    assert (config.optimizer.betas, config.optimizer.clip_norm) == ((0.9, 0.999), 10.0)


@pytest.mark.parametrize(
    ("preset", "fields", "parameters"),
    [
        ("masknet_frappe", FRAPPE, 571_691),
        ("dcn_v2_frappe", FRAPPE, 458_391),
        ("dnn_frappe", FRAPPE, 417_891),
        ("crossnet_frappe", FRAPPE, 94_391),
        ("masknet_movielens", MOVIELENS, 2_624_541),
        ("dcn_v2_movielens", MOVIELENS, 1_243_071),
    ],
)
def test_presets_have_as_many_parameters_as_published(
    preset: str, fields: dict[str, int], parameters: int
) -> None:
    """The published count of the DNN holds its layers twice: 781,892 = 417,891 + 364,001."""
    crosses = preset == "crossnet_frappe"
    config = load_click_config("dcn_v2_frappe", ["model.mlp=[]"]) if crosses else load_click_config(preset)
    words = {
        name: Words({str(i): i for i in range(size)}, 1, has_rare=False) for name, size in fields.items()
    }
    features = Encoder(words, (), "train").features(config.embedding_dim)
    model = HeavyRanker(RankerConfig(features, {"click": HeadConfig()}, config.model))
    assert parameter_count(model) == parameters


def test_the_default_is_the_masknet_on_frappe() -> None:
    assert load_click_config("masknet_frappe") == ClickConfig()


@pytest.mark.parametrize(
    ("override", "nearest"),
    [
        ("model.block.norm={}", "norms"),
        ("optimizer.embeding_l2=1", "embedding_l2"),
        ("fit.batchsize=1", "batch_size"),
        ("data.min_categr_count=2", "min_count"),
    ],
)
def test_a_wrong_key_names_the_nearest(override: str, nearest: str) -> None:
    with pytest.raises(ConfigurationError, match=f"did you mean {nearest}"):
        load_click_config(None, [override])


def test_a_wrong_key_that_is_like_no_other_is_told_all() -> None:
    with pytest.raises(ConfigurationError, match="unknown key net_dropout; known: data, embedding_dim, "):
        load_click_config(None, ["net_dropout=0.1"])


def test_a_wrong_preset_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="did you mean dnn_frappe"):
        load_click_config("dnn_frape")
