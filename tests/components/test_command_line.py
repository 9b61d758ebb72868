"""Every command line of a component fails in one line, with exit code 2, and prints JSON alone on standard output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from components.command_line import run
from components.embeddings.simclusters.cli import app as simclusters
from components.embeddings.twhin.cli import app as twhin
from components.models.heavy_ranker.cli import app as heavy_ranker
from components.models.real_graph.__main__ import app as real_graph
from components.simulation.cli import app as simulation

REPOSITORY = Path(__file__).resolve().parents[2]
APPS = {
    "simclusters": simclusters,
    "twhin": twhin,
    "heavy_ranker": heavy_ranker,
    "real_graph": real_graph,
    "simulation": simulation,
}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("taken").write_text("a file", encoding="utf-8")
    Path("folder").mkdir()
    Path("noise").write_bytes(b"\xff\xfe\x00bad\xe9")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("simclusters train --data world:huge --out x.npz", "world: expected a size of tiny"),
        (
            "simclusters train --data world:tiny --out folder",
            "expected a file to write, got the folder folder",
        ),
        ("simclusters train --data world:tiny --out taken/x.npz", "expected a folder to write to, got taken"),
        ("simclusters train --data world:tiny --out x --checkpoint taken", "expected a folder to write to"),
        ("simclusters train --data world:tiny --out x --seed -1", "greater than or equal to 0, got '-1'"),
        ("simclusters info absent.npz", "absent.npz: No such file or directory"),
        ("simclusters info folder", "folder: Is a directory"),
        ("simclusters info noise", "noise: expected an archive of format mixer.simclusters/1"),
        ("simclusters show-config --set nothing=1", "unknown key nothing"),
        ("twhin train --data nowhere --out x", "nowhere: expected a directory or file"),
        ("twhin train --data world:tiny --out folder", "expected a file to write"),
        (
            "twhin evaluate --data world:tiny --model noise",
            "noise: expected an archive of format mixer.twhin/1",
        ),
        ("heavy_ranker show-config --config absent", "absent: 1 problem(s); neither a file nor a preset"),
        ("heavy_ranker show-config --config noise", "noise: 1 problem(s); expected YAML, got"),
        (
            "heavy_ranker show-config --set model.blocks=[",
            "expected a value in YAML for model.blocks, got '['",
        ),
        ("heavy_ranker create-random-data --out taken", "expected a folder to write to, got taken"),
        ("heavy_ranker create-random-data --out new --rows many", "valid integer"),
        ("heavy_ranker create-random-data --out new --rows many", "got 'many'"),
        ("heavy_ranker train --data folder --out taken", "expected a folder to write to, got taken"),
        ("heavy_ranker evaluat", "No such command 'evaluat'. Did you mean 'evaluate'?"),
        (
            "real_graph train --data world:tiny --out folder",
            "expected a file to write, got the folder folder",
        ),
        ("real_graph train --data world:none --out x", "world: expected a size of tiny"),
        ("real_graph score --data world:tiny --model noise --out x", "expected an archive of format"),
        ("simulation both", "'both' is not one of 'ab'"),
        ("simulation ab --days 0", "greater than or equal to 1, got '0'"),
        ("simulation ab --plot folder", "expected a file to write, got the folder folder"),
    ],
)
def test_wrong_input_is_one_line_that_says_what_was_expected_and_what_came(command, said, capsys):
    name, *arguments = command.split()
    assert run(APPS[name], name, arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1, err
    assert said in err


@pytest.mark.parametrize("name", sorted(APPS))
def test_help_says_what_every_option_means(name):
    top = get_command(APPS[name])
    for command in getattr(top, "commands", {name: top}).values():
        silent = [one.name for one in command.params if not getattr(one, "help", "")]
        assert not silent, f"{command.name}: {silent}"


@pytest.mark.parametrize("size", ["world:tiny", "world-tiny"])
def test_every_command_line_names_worlds_alike(size, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MIXER_CACHE", str(tmp_path / "cache"))
    assert run(simclusters, "simclusters", ["train", "--data", size, "--out", "sim.npz", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["users"] == 200


def test_an_interrupt_is_no_error(monkeypatch, capsys):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("components.simulation.cli.load_world", stopped)
    assert run(simulation, "simulation", ["ab"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_is_no_error():
    command = [sys.executable, "-m", "components.models.heavy_ranker", "show-config"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(
        command, stdout=write, stderr=subprocess.PIPE, text=True, env=environment, check=False
    )
    os.close(write)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_help_of_the_benchmarks_names_them_all():
    command = [sys.executable, "-m", "benchmarks", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=True).stdout
    assert "There are: ann, " in told
    assert "stores" in told
