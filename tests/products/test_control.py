"""What a viewer asks for on the command line is in force from the next request on, and can be taken back."""

from __future__ import annotations

import json

import pytest

from products._cli.main import run
from products.for_you.cli import app
from products.for_you.control import parsed


@pytest.fixture
def called(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("MIXER_CACHE", str(tmp_path))

    def call(*arguments):
        code = run(app, "python -m products.for_you", [*arguments, "--world", "tiny", "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else None, err

    return call


def topics_of(answer):
    return [one["topic"] for one in answer["candidates"]]


def test_changes_act_on_the_next_request_and_can_be_taken_back(called):
    _, before, _ = called("--limit", "10")
    code, told, err = called("control", "personalised=false", "discovery=1")
    assert code == 0, err
    assert told["controls"]["personalised"] is False
    assert told["user"] == before["user"]
    _, after, _ = called("--limit", "10")
    assert after["candidates"] != before["candidates"]
    assert not any(one["in_network"] for one in after["candidates"])
    code, told, _ = called("control", "--undo")
    assert told["controls"]["personalised"] is True
    _, again, _ = called("--limit", "10")
    assert again["candidates"] == before["candidates"]


def test_home_and_following_know_the_controls_too(called):
    called("control", "videos=false", "muted_words=the")
    for arguments in (("home",), ("following",)):
        _, answer, _ = called(*arguments, "--limit", "5")
        assert " the " not in json.dumps(answer).casefold()


def test_other_users_are_not_affected(called):
    _, before, _ = called("--user", "5", "--limit", "5")
    called("control", "--user", "7", "personalised=false")
    assert called("--user", "5", "--limit", "5")[1]["candidates"] == before["candidates"]


def test_forgetting_counts_nothing_that_was_done_until_now(called):
    called("control", "discovery=0.9")
    _, told, _ = called("control", "--forget")
    assert told["controls"]["discovery"] == 0.5
    assert told["controls"]["profile_since_ms"] > 0
    assert called("control")[1] == told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["discovry=0.5"], "did you mean discovery?"),
        (["discovery"], "expected NAME=VALUE"),
        (["discovery=much"], "control discovery: expected a number, got 'much'"),
        (["discovery=2"], "discovery"),
        (["half_life_h=-4"], "control: 'half_life_h' must be > 0"),
        (["more_topics=3,-1"], "control more_topics: expected ids in the data, got -1"),
        (["less_authors=1,99999"], "control less_authors: expected ids in the data, got 99999"),
        (["--undo"], "changed nothing that could be taken back"),
        (["--seed", "-1"], "--seed: expected 0 or more, got -1"),
        (["videos=no"], "control videos: expected true or false, got 'no'"),
        (["more_topics=3,x"], "control more_topics: expected ids with commas between them"),
        (["videos=true", "--undo"], "expected changes, --undo or --forget"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(called, arguments, message, tmp_path):
    code, answer, err = called("control", *arguments)
    assert (code, answer) == (2, None)
    assert message in err
    assert not list(tmp_path.glob("for_you-controls-*"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("more_authors=", frozenset()),
        ("muted_words=a b,c", ("a b", "c")),
        ("half_life_h=6", 6.0),
        ("profile_since_ms=10", 10),
    ],
)
def test_values_are_read_by_what_the_control_is(text, value):
    assert parsed(text)[1] == value
