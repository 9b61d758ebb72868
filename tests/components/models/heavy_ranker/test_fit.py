"""Public click logs: parsing, encoding, and a fit that finds the planted signal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.special import expit
from typer.testing import CliRunner

from components.evaluation import auc
from components.models.heavy_ranker.cli import app
from components.models.heavy_ranker.click_logs import ClickDataConfig, Encoder, read_click_log
from components.models.heavy_ranker.fit import ClickConfig, Files, fit_click_log
from components.models.heavy_ranker.load import load_as
from components.models.heavy_ranker.predictor import Predictor

if TYPE_CHECKING:
    from pathlib import Path

SMALL = [
    "model.block={width: 8, reduction: 1.0, form: paper}",
    "model.mlp=[16]",
    "model.blocks=2",
    "model.tower={hidden: [], batch_norm: false}",
    "fit={epochs: 8, batch_size: 256}",
    "optimizer.schedule.learning_rate=0.01",
]


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
    report = fit_click_log(load_as(ClickConfig, None, SMALL), files, tmp_path / "out", quiet=True)
    assert report.auc - 0.5 > 0.8 * (ceiling(1500, seed=2) - 0.5)
    assert report.auc_calibrated == pytest.approx(report.auc)
    assert report.log_loss_calibrated < report.log_loss + 0.01
    encoder = Encoder.load(tmp_path / "out" / "vocabulary.json")
    rows = encoder.rows(read_click_log(files.test, ClickDataConfig()))
    assert Predictor.load(tmp_path / "out").probabilities(rows).shape == (1500, 1)


def test_the_command_prints_one_json_object_a_seed(tmp_path: Path) -> None:
    files = write(tmp_path, "csv")
    (tmp_path / "fit.yaml").write_text("fit: {epochs: 1, batch_size: 512}\nembedding_dim: 4\n")
    arguments = ["fit", "--train", files.train, "--valid", files.valid, "--test", files.test, "--json"]
    arguments += ["--config", tmp_path / "fit.yaml", "--seeds", 2, "--set", "model.mlp=[8]"]
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["seed"] for line in lines] == [0, 1]
    assert lines[0].keys() >= {"auc", "log_loss", "auc_calibrated", "log_loss_calibrated"}


def test_csv_columns_become_numbers_categories_and_lists(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("label,user,tags,price,note\n1,a,x^y,2.5,n\n0,b,,,n\n0,a,y^z^x,-1,n\n")
    layout = ClickDataConfig(numeric=("price",), multi_valued={"tags": "^"}, ignored=("note",))
    log = read_click_log(path, layout)
    rows = Encoder.fit(log).rows(log)
    np.testing.assert_array_equal(rows.continuous[:, 0], [2.5, np.nan, -1.0])
    np.testing.assert_array_equal(rows.ids["user"], [[0], [1], [0]])
    np.testing.assert_array_equal(rows.ids["tags"], [[0, 1, -1], [-1, -1, -1], [1, 2, 0]])
    np.testing.assert_array_equal(rows.labels["click"], [1, 0, 0])


def test_rare_and_unseen_values_count_as_missing(tmp_path: Path) -> None:
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    train.write_text("label,user\n1,a\n0,a\n0,rare\n")
    test.write_text("label,user\n1,a\n0,new\n0,rare\n")
    encoder = Encoder.fit(read_click_log(train, ClickDataConfig()), min_count=2)
    rows = encoder.rows(read_click_log(test, ClickDataConfig()))
    np.testing.assert_array_equal(rows.ids["user"], [[0], [-1], [-1]])


def test_libsvm_lines_of_different_length_are_one_field_of_many_values(tmp_path: Path) -> None:
    path = tmp_path / "log.libsvm"
    path.write_text("1 3:1 5:1\n-1 5:1\n")
    log = read_click_log(path, ClickDataConfig())
    rows = Encoder.fit(log).rows(log)
    np.testing.assert_array_equal(rows.ids["tokens"], [[0, 1], [1, -1]])
    np.testing.assert_array_equal(rows.labels["click"], [1, 0])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.libsvm", "1 3:1\n0 4:0.5\n", r"a\.libsvm:2: expected '0|1 INDEX:1"),
        ("a.libsvm", "5 3:1\n", r"a\.libsvm:1"),
        ("a.csv", "click,user\n1,a\n", r"expected columns \['label'\], got \['click', 'user'\]"),
        ("a.csv", "label,user\n3,a\n", "column label: expected 0 and 1"),
        ("a.csv", "label,user\nyes,a\n", r"a\.csv: "),
    ],
)
def test_a_file_that_is_not_as_described_is_refused(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_click_log(tmp_path / name, ClickDataConfig())


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected a click log"):
        read_click_log(tmp_path / "none.csv", ClickDataConfig())


def test_other_columns_than_in_training_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("label,user\n1,a\n0,b\n")
    (tmp_path / "b.csv").write_text("label,item\n1,a\n0,b\n")
    encoder = Encoder.fit(read_click_log(tmp_path / "a.csv", ClickDataConfig()))
    with pytest.raises(ValueError, match=r"expected columns \['user'\], got \['item'\]"):
        encoder.rows(read_click_log(tmp_path / "b.csv", ClickDataConfig()))
