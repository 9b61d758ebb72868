"""Closed loops: For You lives through simulated days beside something simpler."""

from __future__ import annotations

import json

import pytest

from products._cli.main import run
from products.for_you.cli import app

pytestmark = pytest.mark.usefixtures("clean_environment")


def called(capsys, *arguments):
    code = run(app, "python -m products.for_you", ["simulate", "--world", "tiny", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def numbers(text):
    return {
        (row["system"], row["metric"], row["segment"]): row["interval"]["estimate"]
        for row in json.loads(text)["rows"]
    }


def test_people_engage_more_with_the_flow_than_with_chance_and_days_repeat(capsys, tmp_path):
    arguments = ("--against", "random", "--days", "2", "--json", "--plots", str(tmp_path))
    first, again = (called(capsys, *arguments) for _ in range(2))
    assert first[0] == 0, first[2]
    found = numbers(first[1])
    assert found == numbers(again[1])
    assert found["for_you", "engagements", "all"] > found["random", "engagements", "all"]
    assert {segment for _, _, segment in found} == {"all", "day 1", "day 2"}
    assert [path.name for path in tmp_path.iterdir()] == ["days.png"]


def test_lists_can_be_interleaved(capsys):
    code, out, err = called(
        capsys, "--design", "interleaving", "--against", "newest", "--days", "2", "--json"
    )
    assert code == 0, err
    assert numbers(out)["for_you - newest", "preference", "all"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--against", "chess"),
            "--against: expected one of popular, in_network, newest, random, got 'chess'",
        ),
        (("--design", "abc"), "--design: expected one of ab, interleaving, got 'abc'"),
        (("--days", "0"), "--days: expected 1 or more, got 0"),
    ],
)
def test_impossible_options_are_one_line(capsys, arguments, message):
    code, _, err = called(capsys, *arguments)
    assert (code, err) == (2, f"error: {message}\n")
