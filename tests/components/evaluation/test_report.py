from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest

from components.evaluation import (
    Bootstrap,
    Interval,
    InvalidInputError,
    MissingPackageError,
    Report,
    Row,
    auc,
    judge_lists,
    model_report,
    ndcg,
    plot_reliability,
    plot_segments,
    ranking_report,
    reliability,
)

PNG = b"\x89PNG\r\n\x1a\n"
REPORT = Report(
    "Nightly",
    [
        Row("ours", "ndcg@10", Interval(0.5, 0.4, 0.6, 0.05, 100)),
        Row("theirs", "ndcg@10", Interval(0.3), segment="new users"),
        Row("ours", "auc", Interval(math.nan), note="only one class has weight"),
    ],
    {"seed": 7},
)


def test_json_round_trips_and_holds_no_nan():
    text = REPORT.to_json()
    assert json.loads(text, parse_constant=pytest.fail)["rows"][2]["interval"]["estimate"] is None
    again = Report.from_json(text)
    assert again.to_json() == text
    assert math.isnan(again.find("ours", "auc").interval.estimate)
    assert again.find("ours", "ndcg@10").interval == Interval(0.5, 0.4, 0.6, 0.05, 100)


def test_the_table_shows_intervals_gaps_and_why_a_number_is_undefined():
    text = REPORT.to_text()
    assert "0.5000 [0.4000, 0.6000]" in text
    assert "undefined" in text
    assert "new users" in text
    assert text.endswith("ours, auc, all: only one class has weight\n")


def test_markup_in_names_is_shown_as_written():
    assert "[bold]x" in Report("t", [Row("[bold]x", "m", Interval(1.0))]).to_text()


def test_json_is_written_whole(tmp_path):
    path = tmp_path / "deep" / "report.json"
    REPORT.write_json(path)
    assert Report.from_json(path.read_text()).to_json() == REPORT.to_json()
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    path.write_text("old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        REPORT.write_json(path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("report.json", "old")]


def test_rows_that_hide_each_other_are_refused():
    with pytest.raises(InvalidInputError, match="one row a system, metric and segment"):
        REPORT.with_rows([Row("ours", "auc", Interval(0.5))])


def test_a_missing_row_lists_what_there_is():
    with pytest.raises(InvalidInputError, match="ours/ndcg@10/all, theirs/ndcg@10/new users"):
        REPORT.find("ours", "map@10")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"title": "x", "settings": {}, "rows": [{"system": "a"}]}']
)
def test_text_that_is_no_report_is_refused(text):
    with pytest.raises(InvalidInputError, match="expected the JSON of a report"):
        Report.from_json(text)


def test_a_ranking_report_holds_every_metric_and_paired_differences():
    relevant = {user: {user, user + 1} for user in range(40)}
    good = judge_lists({user: [user, 99, user + 1] for user in range(40)}, relevant)
    poor = judge_lists({user: [99, 98, user] if user % 2 else [] for user in range(40)}, relevant)
    strap = Bootstrap(resamples=100, seed=3)
    report = ranking_report({"good": good, "poor": poor}, ks=(2, 3), baseline="poor", bootstrap=strap)
    assert len(report.rows) == 6 * 2 * 3
    assert report.find("good", "ndcg@3").interval == strap.mean(ndcg(good, 3))
    gain = report.find("good - poor", "ndcg@3").interval
    assert gain.estimate == pytest.approx(np.mean(ndcg(good, 3) - ndcg(poor, 3)))
    assert gain.low > 0
    assert report.settings == {"resamples": 100, "level": 0.95, "seed": 3, "users": 40}


def test_systems_judged_on_other_users_are_not_compared():
    with pytest.raises(InvalidInputError, match="'b' has others"):
        ranking_report({"a": judge_lists({1: []}, {}), "b": judge_lists({2: []}, {})})


def test_a_ranking_without_relevant_items_says_so():
    report = ranking_report({"a": judge_lists({1: [5]}, {})}, bootstrap=Bootstrap(10))
    assert report.find("a", "ndcg@10").note == "no user has a relevant item"


def test_a_model_report_measures_each_system_and_the_difference():
    rng = np.random.default_rng(0)
    score, noise, user = rng.random(400), rng.random(400), rng.integers(0, 30, 400)
    label = (rng.random(400) < score).astype(int)
    strap = Bootstrap(resamples=20)
    report = model_report(
        label, {"model": score, "noise": noise}, user=user, baseline="noise", bootstrap=strap
    )
    assert len(report.rows) == 10 * 3
    assert report.find("model", "auc").interval.estimate == auc(label, score)
    gain = report.find("model - noise", "auc").interval
    assert gain.estimate == pytest.approx(auc(label, score) - auc(label, noise))
    assert gain.low > 0
    assert report.find("model", "slope").interval.units == 30


def test_a_model_report_on_one_class_explains_itself():
    report = model_report([0, 0], {"m": [0.1, 0.2]}, user=[1, 2], bootstrap=Bootstrap(5))
    assert report.find("m", "auc").note == "only one class has weight"
    assert report.find("m", "ece").note == ""


@pytest.mark.parametrize(
    "build", [ranking_report, lambda s, baseline: model_report([1], s, user=[1], baseline=baseline)]
)
def test_an_unknown_baseline_and_no_systems_are_refused(build):
    with pytest.raises(InvalidInputError, match="systems: expected at least one"):
        build({}, baseline=None)
    with pytest.raises(InvalidInputError, match="baseline: expected one of"):
        build({"a": judge_lists({}, {})}, baseline="b")


def test_plots_are_png_files(tmp_path):
    rng = np.random.default_rng(1)
    score = rng.random(500)
    bins = reliability(rng.random(500) < score, score)
    plot_reliability({"ours": bins}, tmp_path / "reliability.png")
    plot_segments(REPORT, "ndcg@10", tmp_path / "segments.png")
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(PNG)


def test_nothing_to_draw_is_an_error(tmp_path):
    with pytest.raises(InvalidInputError, match="expected bins with observed positives"):
        plot_reliability({"ours": reliability([0], [0.5])}, tmp_path / "x.png")
    with pytest.raises(InvalidInputError, match=r"metric: expected one of \['auc', 'ndcg@10'\], got 'x'"):
        plot_segments(REPORT, "x", tmp_path / "x.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("package", "act"),
    [
        ("matplotlib", lambda path: plot_segments(REPORT, "auc", path)),
        ("rich", lambda _: REPORT.to_text()),
    ],
)
def test_a_missing_package_is_named_with_its_remedy(package, act, monkeypatch, tmp_path):
    loaded = [name for name in sys.modules if name.partition(".")[0] == package]
    for name in {package, *loaded}:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingPackageError, match=f"pip install {package}"):
        act(tmp_path / "x.png")
