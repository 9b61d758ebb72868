"""The command line, from nothing to a calibrated model."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from components.command_line import run
from components.models.heavy_ranker.cli import app

REPOSITORY = Path(__file__).resolve().parents[4]


def call(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    call(
        "create-random-data",
        "--out",
        folder / "data",
        "--config",
        "tiny",
        "--rows",
        1500,
        "--shard-rows",
        400,
    )
    call("train", "--data", folder / "data", "--out", folder / "run", "--config", "tiny", "--json")
    return folder


def test_random_data_comes_in_shards_with_every_head_and_a_known_ceiling(folder: Path) -> None:
    shards = sorted(path.name for path in (folder / "data" / "train").iterdir())
    assert shards == [f"part-{index:05d}.parquet" for index in range(4)]
    heads = json.loads((folder / "data" / "truth.json").read_text())["heads"]
    assert len(heads) == 10
    assert all(0.75 < facts["best_auc"] < 1.0 for facts in heads.values())


def test_training_leaves_a_calibrated_best_checkpoint_and_a_report(folder: Path) -> None:
    assert (folder / "run" / "best" / "calibration.json").is_file()
    report = json.loads((folder / "run" / "report.json").read_text())
    assert set(report["calibrated"]["is_replied"]) >= {"auc", "pr_auc", "rce", "nrce", "calibration"}
    assert report["calibrated"].keys() == report["raw"].keys()


def test_evaluate_calibrate_and_drift_read_the_run(folder: Path) -> None:
    data = folder / "data"
    metrics = json.loads(call("evaluate", "--checkpoint", folder / "run", "--data", data / "test", "--json"))
    assert metrics == json.loads((folder / "run" / "report.json").read_text())["calibrated"]
    assert "is_replied" in call("evaluate", "--checkpoint", folder / "run", "--data", data / "test")
    assert "bias" in call("calibrate", "--checkpoint", folder / "run", "--data", data / "calibrate")
    slices = ("--before", data / "calibrate", "--now", data / "test")
    report = json.loads(call("drift", "--checkpoint", folder / "run", *slices, "--json"))
    assert set(report["is_replied"]) >= {"ratio_now", "stability_index", "drifted"}
    assert "is_replied" in call("drift", "--checkpoint", folder / "run", *slices)


def test_several_seeds_are_summarised(folder: Path) -> None:
    sets = ("--config", "tiny", "--set", "training.steps=4")
    output = call("train", "--data", folder / "data", "--out", folder / "many", "--seeds", 2, *sets)
    assert "over 2 seeds" in output
    assert (folder / "many" / "seed-1" / "best").is_dir()


def test_tensorboard_logs_are_written(folder: Path) -> None:
    pytest.importorskip("tensorboardX")
    sets = ("--config", "tiny", "--set", "training.steps=2", "--warm-start", folder / "run", "--tensorboard")
    call("train", "--data", folder / "data", "--out", folder / "board", *sets)
    assert list((folder / "board" / "tensorboard").glob("events*"))


def test_show_config_prints_overridden_yaml() -> None:
    assert "blocks: 7" in call("show-config", "--config", "recap_2023", "--set", "model.blocks=7")


@pytest.mark.slow
def test_a_wrong_setting_ends_with_its_cause_and_no_traceback() -> None:
    command = [
        sys.executable,
        "-m",
        "components.models.heavy_ranker",
        "show-config",
        "--set",
        "model.blcks=7",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.returncode == 2
    assert "did you mean blocks?" in done.stderr
    assert "Traceback" not in done.stderr


def test_data_of_another_configuration_are_refused_by_name(folder: Path, tmp_path: Path, capsys) -> None:
    wrong = ["train", "--data", str(folder / "data"), "--out", str(tmp_path / "run"), "--config", "laptop"]
    assert run(app, "heavy_ranker", wrong) == 2
    assert "rows do not fit the model: continuous: expected shape" in capsys.readouterr().err


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [lambda content: content[:100], lambda _: b"", flipped])
def test_damaged_weights_are_named(folder: Path, tmp_path: Path, capsys, damage) -> None:
    shutil.copytree(folder / "run" / "best", tmp_path / "best")
    weights = tmp_path / "best" / "model.pt"
    weights.write_bytes(damage(weights.read_bytes()))
    test = str(folder / "data" / "test")
    assert run(app, "heavy_ranker", ["evaluate", "--checkpoint", str(tmp_path / "best"), "--data", test]) == 2
    assert "model.pt: expected weights that torch saved, got a damaged file" in capsys.readouterr().err
