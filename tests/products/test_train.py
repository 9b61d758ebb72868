"""What a flow is made of is trained once, on the past alone, and kept."""

from __future__ import annotations

import json

import anyio
import attrs
import pytest

from components.datasets import assert_no_leak
from products._cli.application import Workshop
from products._cli.choices import Choices
from products._cli.data import Bars, Loaded
from products._cli.main import run
from products._cli.serve import resolved_params
from products.follow_recs import params as follow_recs_params
from products.follow_recs import product as follow_recs
from products.follow_recs.cli import app as follow_recs_app
from products.follow_recs.embeddings import NOTHING_LEARNED
from products.for_you import embeddings, params
from products.for_you import product as for_you
from products.for_you.cli import app as for_you_app

pytestmark = pytest.mark.usefixtures("clean_environment")


def called(capsys, app, *arguments):
    code = run(app, "python -m products", [*arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_embeddings_are_trained_once_and_found_again(capsys):
    first, again = (
        called(capsys, for_you_app, "train", "--what", "embeddings", "--world", "tiny", "--json")
        for _ in range(2)
    )
    assert first[0] == again[0] == 0, first[2] + again[2]
    parts, kept = (json.loads(out)["parts"] for _, out, _ in (first, again))
    learned = {"simclusters", "twhin", "two_tower", "real-graph"}
    assert {part["name"] for part in parts} == {*learned, "for_you-logistic"}
    assert [part["path"] for part in parts] == [part["path"] for part in kept]
    assert all(part["was_kept"] for part in kept)
    code, out, err = called(capsys, for_you_app, "--embeddings", "--world", "tiny", "--json", "--limit", "50")
    assert code == 0, err
    sources = {source for row in json.loads(out)["candidates"] for source in row["sources"]}
    assert {"twhin", "two_tower"} <= sources


def test_embeddings_that_a_ranker_learns_with_know_nothing_of_its_requests(
    stores, world, monkeypatch, tmp_path
):
    monkeypatch.setenv("MIXER_CACHE", str(tmp_path))  # nothing is trained yet
    pasts = []
    learned = for_you.learned

    async def spied(workshop):
        pasts.append(workshop.past)
        return await learned(workshop)

    async def nothing(*_):
        return None

    monkeypatch.setattr(for_you, "learned", spied)
    for part in ("_simclusters", "_twhin", "_two_tower", "ties_of"):
        monkeypatch.setattr(embeddings, part, nothing)
    loaded = Loaded(world, stores)
    workshop = Workshop(loaded, loaded, resolved_params(params, world.name), Choices(embeddings=True), Bars())
    asked = []

    async def watched(past, settings, training, *rest):
        asked.append(training)
        return await train(past, settings, training, *rest)

    logistic = for_you.LIGHT["logistic"]
    train = logistic.learn
    monkeypatch.setitem(for_you.LIGHT, "logistic", attrs.evolve(logistic, learn=watched))
    monkeypatch.setenv("MIXER_PARAM_FOR_YOU_RESULTS", "20")
    anyio.run(for_you.flow, workshop)
    served, earlier = pasts
    assert served is loaded
    times = stores.engagements.time_ms
    first_request_ms = sorted(times)[int(for_you.EMBEDDED * len(times))]
    assert_no_leak(earlier.data, int(first_request_ms))
    assert [training.since_ms for training in asked] == [earlier.data.now_ms]


@pytest.mark.parametrize(
    ("app", "arguments", "message"),
    [
        (for_you_app, ["train", "--what", "magic"], "--what: expected one of ranker, embeddings, heavy, all"),
        (for_you_app, ["--ranker", "magic"], "--ranker: expected one of logistic, trees, heavy, got 'magic'"),
        (follow_recs_app, ["--ranker", "heavy"], "--ranker: expected one of logistic, got 'heavy'"),
        (follow_recs_app, ["train", "--seed", "-1"], "--seed: expected 0 or more"),
    ],
)
def test_impossible_choices_are_one_line(capsys, app, arguments, message):
    code, _, err = called(capsys, app, *arguments, "--world", "tiny")
    assert code == 2
    assert err.startswith(f"error: {message}")


def test_people_are_recommended_out_of_what_was_learned(clean_environment, capsys):
    code, out, err = called(
        capsys, follow_recs_app, "train", "--what", "embeddings", "--world", "tiny", "--json"
    )
    assert code == 0, err
    names = [part["name"] for part in json.loads(out)["parts"]]
    assert names.count("follow_recs-twhin") == names.count("follow_recs-simclusters") == 2
    code, out, err = called(
        capsys, follow_recs_app, "--embeddings", "--world", "tiny", "--json", "--limit", "50"
    )
    assert code == 0, err
    sources = {source for row in json.loads(out)["candidates"] for source in row["sources"]}
    assert {"twhin_accounts", "simclusters_accounts"} <= sources


def test_what_people_learn_with_knows_nothing_of_whom_they_follow_next(stores, world, monkeypatch):
    seen = []

    async def spied(workshop, past, now):
        seen.append(past)
        return NOTHING_LEARNED

    monkeypatch.setattr(follow_recs, "learned", spied)
    loaded = Loaded(world, stores)
    settings = resolved_params(follow_recs_params, world.name)
    anyio.run(follow_recs.flow, Workshop(loaded, loaded, settings, Choices(embeddings=True), Bars()))
    earlier, served = seen
    assert served.now_ms == world.now_ms
    first_ms = earlier.next.time_ms.min()
    assert first_ms > 0
    assert earlier.now_ms <= first_ms


def test_small_trees_can_rank(clean_environment, capsys):
    code, out, err = called(
        capsys, for_you_app, "--ranker", "trees", "--world", "tiny", "--json", "--explain"
    )
    assert code == 0, err
    answer = json.loads(out)
    assert len(answer["candidates"]) == 20
    (ranked,) = [
        one for one in answer["explanation"]["events"] if one["component"].startswith("light_ranker")
    ]
    assert "in_network" in ranked["values"]
