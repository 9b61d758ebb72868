"""Two designs of comparison: they find a difference that is there, and none where there is none."""

from __future__ import annotations

import json
import math

import anyio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from components.datasets import WorldSize, generate
from components.evaluation import Bootstrap, exposure_gini
from components.simulation import Simulation, ab_test, baselines, interleave, team_draft
from components.simulation.cli import app, main

FEW = Bootstrap(resamples=200)


@pytest.fixture(scope="module")
def world():
    return generate(WorldSize(600, 6_000, 8, 10, 20), seed=0)


def compared(world, design, control, treatment, days=3, seed=0):
    simulation = Simulation(world, seed=seed)
    known = baselines(simulation)
    arms = {"control": known[control], "treatment": known[treatment]}
    return anyio.run(lambda: design(simulation, arms, days, FEW)), simulation


def effect(report, metric):
    return report.find("treatment - control", metric).interval


def test_ranking_by_truth_beats_random_in_an_ab_test(world):
    report, _ = compared(world, ab_test, "random", "truth")
    assert effect(report, "engagements").low > 0
    assert effect(report, "topic_entropy").high < 0  # it shows what one likes, again and again
    assert effect(report, "follows").estimate > 0


def test_ranking_by_truth_beats_random_when_interleaved(world):
    report, _ = compared(world, interleave, "random", "truth")
    assert effect(report, "preference").low > 0.2
    reverse, _ = compared(world, interleave, "truth", "random")
    assert effect(reverse, "preference").high < -0.2


@pytest.mark.parametrize(("design", "metric"), [(ab_test, "engagements"), (interleave, "preference")])
def test_the_same_against_itself_shows_a_difference_no_more_often_than_it_may(world, design, metric):
    found = [effect(compared(world, design, "random", "random", 1, seed)[0], metric) for seed in range(10)]
    wrong = sum(one.low > 0 or one.high < 0 for one in found)
    assert wrong <= 3  # at 5 %, more than three of ten come once in a thousand
    assert abs(np.mean([one.estimate / one.standard_error for one in found])) < 4 / math.sqrt(10)


def test_interleaving_needs_fewer_people_than_an_ab_test(world):
    ratios = []
    for design, metric in ((ab_test, "engagements"), (interleave, "preference")):
        one = effect(compared(world, design, "random", "truth", 1)[0], metric)
        ratios.append(one.estimate / one.standard_error)
    assert ratios[1] > 1.5 * ratios[0]


def test_the_numbers_of_an_ab_test_are_those_of_its_days(world):
    report, simulation = compared(world, ab_test, "newest", "truth", 2)
    day = simulation.days[0]
    users, total = len(world.truth.user_id), 0.0
    for team, name in enumerate(("control", "treatment")):
        rows = day.team == team
        total += report.find(name, "engagements", "day 1").interval.estimate * users / 2
        gini = exposure_gini(world.truth.post_author[day.slates.post[rows]], users)
        assert report.find(name, "author_gini", "day 1").interval.estimate == pytest.approx(gini)
    assert total == pytest.approx(day.reaction.engaged.sum())
    retention = [
        report.find(name, "retention", "day 2").interval.estimate for name in ("control", "treatment")
    ]
    came = len(np.unique(simulation.days[1].sessions.viewer))
    assert np.mean(retention) * users == pytest.approx(came)


def test_a_report_is_the_same_for_the_same_seed(world):
    one, two = (compared(world, interleave, "random", "newest", 1)[0].to_json() for _ in range(2))
    assert one == two


def test_a_recommender_that_shows_nothing_can_be_compared(world):
    async def nothing(viewer_id, now_ms, seed):
        await anyio.lowlevel.checkpoint()
        return []

    for design in (ab_test, interleave):
        report = anyio.run(
            lambda design=design: design(Simulation(world), {"a": nothing, "b": nothing}, 2, FEW)
        )
        assert "undefined" in report.to_text()
        json.loads(report.to_json())


@pytest.mark.parametrize(("names", "days", "message"), [("a", 1, "expected two, got a"), ("ab", 0, "got 0")])
def test_what_cannot_be_compared_is_refused(world, names, days, message):
    simulation = Simulation(world)
    arms = dict.fromkeys(names, baselines(simulation)["random"])
    with pytest.raises(ValueError, match=message):
        anyio.run(lambda: ab_test(simulation, arms, days))


ids = st.lists(st.integers(0, 12), unique=True, max_size=8)


@given(ids, ids, st.integers(0, 10), st.integers(0, 2**32))
def test_a_draft_takes_each_once_and_as_many_from_either(first, second, count, seed):
    chosen, team = team_draft(first, second, count, np.random.default_rng(seed))
    assert len(set(chosen)) == len(chosen) == min(count, len(set(first) | set(second)))
    for number, own in enumerate((first, second)):
        picked = [one for one, by in zip(chosen, team, strict=True) if by == number]
        assert picked == [one for one in own if one in picked]
    if not set(first) & set(second) and len(first) == len(second):
        assert abs(team.count(0) - team.count(1)) <= 1


def test_either_list_picks_first_half_of_the_time():
    starts = [team_draft([1], [2], 1, np.random.default_rng(seed))[1][0] for seed in range(1_000)]
    assert abs(np.mean(starts) - 0.5) < 4 * 0.5 / math.sqrt(1_000)


@pytest.mark.parametrize("design", ["ab", "interleaving"])
def test_the_command_line_prints_json_and_draws(design, tmp_path, monkeypatch):
    monkeypatch.setenv("MIXER_CACHE", str(tmp_path / "cache"))
    picture = tmp_path / "days.png"
    result = CliRunner().invoke(app, [design, "--days", "1", "--json", "--plot", str(picture)])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["settings"]["days"] == 1
    assert picture.read_bytes().startswith(b"\x89PNG")
    table = CliRunner().invoke(app, [design, "--days", "1"])
    assert "truth - random" in table.stdout


def test_an_unknown_recommender_is_one_line_and_an_exit_code(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MIXER_CACHE", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["simulation", "ab", "--treatment", "best"])
    assert main() == 2
    assert "expected two of truth, random, newest, got best" in capsys.readouterr().err
