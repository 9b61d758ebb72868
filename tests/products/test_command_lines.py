from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from rich.console import Console

from products._cli.answer import show
from products._cli.main import run, with_default_explain
from products._cli.stage_table import BEGIN, END, stage_table
from products.follow_recs.cli import app as follow_recs_app
from products.for_you import answer as timeline
from products.for_you.cli import app as for_you_app

APPS = {"for_you": for_you_app, "follow_recs": follow_recs_app}
REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.usefixtures("clean_environment")


@pytest.fixture(params=sorted(APPS))
def product(request):
    return request.param


@pytest.fixture
def call(capsys):
    def called(product, *arguments):
        world = () if "--world" in arguments else ("--world", "tiny")
        code = run(APPS[product], f"python -m products.{product}", [*arguments, *world])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return called


def answer(call, product, *arguments):
    code, out, err = call(product, "--json", *arguments)
    assert code == 0, err
    return json.loads(out)


def without_times(document):
    return {**document, "stages": [{**stage, "ms": 0} for stage in document["stages"]]}


def test_json_is_one_object_with_what_was_promised(call, product):
    document = answer(call, product, "--limit", "5", "--seed", "0")
    assert {"product", "user", "outcome", "degraded", "candidates", "stages", "request_id", "seed"} <= set(
        document
    )
    assert (document["product"], document["seed"], document["degraded"]) == (product, 0, [])
    assert len(document["candidates"]) == 5
    for candidate in document["candidates"]:
        assert candidate["source"] in candidate["sources"]
        assert candidate["reason"]
        assert 0 <= candidate["score"] <= 1
        if product == "for_you":
            assert candidate["text"]
            assert isinstance(candidate["in_network"], bool)
            assert isinstance(candidate["author_id"], int)
    for stage in document["stages"]:
        assert set(stage) == {"name", "in", "out", "ms"}


def test_the_same_seed_gives_the_same_answer(call, product):
    first, second = (without_times(answer(call, product, "--seed", "3")) for _ in range(2))
    assert first == second
    assert without_times(answer(call, product))["candidates"] != first["candidates"]


def test_a_table_tells_people_what_why_and_how_fast(call, product):
    code, out, err = call(product, "--limit", "3")
    assert (code, err) == (0, "")
    assert "why" in out
    assert "candidate_generation" in out
    assert "ms" in out
    assert "\x1b[" not in out


def test_explain_tells_the_story_of_the_first_or_of_any_candidate(call, product):
    document = answer(call, product, "--limit", "2")
    first, second = (one["id"] for one in document["candidates"])
    assert answer(call, product, "--limit", "2", "--explain")["explanation"]["id"] == first
    told = answer(call, product, "--limit", "2", "--explain", str(second))["explanation"]
    assert (told["id"], told["final_position"]) == (second, 1)
    _, out, _ = call(product, "--limit", "2", "--explain", str(second))
    assert f"{second}: shown at position 2" in out
    assert "logistic_ranker" in out
    _, out, _ = call(product, "--explain", "999999999")
    assert "no source found it" in out


@pytest.mark.parametrize("arguments", [["-e"], ["--explain", "--json"], ["--json", "--explain"]])
def test_explain_needs_no_value(arguments):
    complete = with_default_explain(arguments)
    assert complete[complete.index("top") - 1] in ("-e", "--explain")
    assert with_default_explain(["--explain", "7"]) == ["--explain", "7"]


def test_a_limit_of_zero_is_an_empty_answer(call, product):
    document = answer(call, product, "--limit", "0", "--explain")
    assert (document["outcome"], document["candidates"]) == ("empty", [])
    code, out, _ = call(product, "--limit", "0")
    assert code == 0
    assert "nothing to show (empty)" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--user", "999999"], "--user: expected one of the 200 users"),
        (["--user", str(10**30)], "--user: expected one of the 200 users"),
        (["--limit", "-1"], "--limit: expected 0 or more, got -1"),
        (["--seed", "-1"], "--seed: expected 0 or more, got -1"),
        (["--explain", "abc"], "--explain: expected the id of a candidate, got 'abc'"),
        (["--world", "vast"], "--world: expected one of tiny"),
        (["--data", "nowhere"], "nowhere"),
        (["--user", "x"], "--user"),
        (["--bogus"], "--bogus"),
        (["surplus"], "surplus"),
    ],
)
def test_bad_usage_is_one_line_and_code_2(call, product, arguments, said):
    code, out, err = call(product, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_the_command_answers_from_a_shell(product):
    command = [sys.executable, "-m", f"products.{product}", "--world", "tiny", "--limit", "2", "--json"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)["candidates"]) == 2


def test_help_needs_no_numpy(product):
    code = f"import sys; from products.{product}.cli import app; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0


def test_colours_stay_away_when_asked(call, product, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    code, out, _ = call(product)
    assert code == 0
    assert "\x1b[3m" in out
    assert "\x1b[3" not in out.replace("\x1b[3m", "")  # italics are no colour


def test_parameters_come_from_the_environment_and_wrong_ones_are_refused(call, monkeypatch):
    monkeypatch.setenv("MIXER_PARAM_FOR_YOU_RESULTS", "4")
    assert len(answer(call, "for_you")["candidates"]) == 4
    monkeypatch.setenv("MIXER_PARAM_FOR_YOU_RESULTS", "-4")
    code, _, err = call("for_you")
    assert code == 2
    assert "MIXER_PARAM_FOR_YOU_RESULTS" in err
    assert err.count("\n") == 1


def test_parameters_come_from_a_file_and_misspelt_ones_are_refused(call, tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text("for_you.results: 2\n")
    assert len(answer(call, "for_you", "--params", str(file))["candidates"]) == 2
    file.write_text("for_you.resluts: 2\n")
    code, _, err = call("for_you", "--params", str(file))
    assert code == 2
    assert "the nearest known one is for_you.results" in err


def test_a_damaged_ranker_is_trained_again(call, cache, product):
    expected = without_times(answer(call, product))
    kept = list(cache.glob(f"{product}-logistic-*"))
    for file in kept:
        file.write_bytes(b"damaged")
    assert kept
    assert without_times(answer(call, product)) == expected


def test_the_code_in_the_readme_runs(product, capsys):
    readme = (REPOSITORY / "products" / product / "README.md").read_text(encoding="utf-8")
    code = readme.split("```python\n")[1].split("```")[0]
    exec(compile(code, f"{product}/README.md", "exec"), {})  # noqa: S102 - our own page
    assert len(capsys.readouterr().out.splitlines()) >= 5


def test_words_of_users_are_shown_as_they_are(capsys):
    row = {"id": 1, "score": 0.5, "source": "popular", "sources": ["popular"], "reason": "[/b] :smile:"}
    table = timeline.table(1, [{**row, "author": "[x]", "age_h": 1.0, "text": "[/red] [bold]hi[/bold]"}])
    answer = {"candidates": [row], "degraded": [], "stages": [], "reasons": [], "outcome": "ok"}
    show(Console(markup=False, emoji=False, highlight=False, width=120), answer, table, None)
    out = capsys.readouterr().out
    assert "[/red] [bold]hi[/bold]" in out
    assert "[/b] :smile:" in out


def test_the_readme_shows_the_stages_of_the_flow(call, product):
    code, out, _ = call(product, "--stages")
    assert code == 0
    readme = (REPOSITORY / "products" / product / "README.md").read_text(encoding="utf-8")
    shown = readme.split(BEGIN)[1].split(END)[0].strip()
    assert shown == out.strip(), f"paste the output of: python -m products.{product} --stages"


def test_the_stage_table_names_every_source(for_you):
    table = stage_table(for_you)
    for name in (
        "in_network",
        "co_engagement",
        "popular",
        "not_own",
        "logistic_ranker",
        "record_impressions",
    ):
        assert f"`{name}`" in table


# -- real data ---------------------------------------------------------------------------------------------


def test_for_you_on_lastfm(call, shared):
    code, out, err = call("for_you", "--json", "--data", str(shared / "data/hetrec2011-lastfm"))
    assert code == 0
    assert "left out 5 tag assignments with an impossible date" in err
    document = json.loads(out)
    assert len(document["candidates"]) == 20
    # Somebody whom the viewer follows, or whom they follow.
    assert any(one["in_network"] or one["author_proof"] for one in document["candidates"])
    assert max(one["age_h"] for one in document["candidates"]) <= 180 * 24


def test_follow_recs_on_lastfm_with_a_user(call, shared):
    code, out, _ = call(
        "follow_recs", "--json", "--data", str(shared / "data/hetrec2011-lastfm"), "--user", "2"
    )
    assert code == 0
    assert json.loads(out)["user"] == 2
    assert all(one["id"] != 2 for one in json.loads(out)["candidates"])


def test_follow_recs_on_higgs_from_the_file_and_not_for_you(call, shared):
    folder = shared / "data/higgs-twitter"
    code, out, err = call("follow_recs", "--json", "--limit", "5", "--data", str(next(folder.iterdir())))
    assert code == 0
    assert "left out 7,588 actions on oneself" in err
    assert len(json.loads(out)["candidates"]) == 5
    assert {stage["name"] for stage in json.loads(out)["stages"]} >= {"candidate_generation", "ranker"}


def test_for_you_refuses_data_without_posts(call, tmp_path):
    path = tmp_path / "higgs-activity_time.txt.gz"
    path.write_bytes(gzip.compress(b"1 2 1341100972 RT\n2 3 1341100973 MT\n"))
    code, out, err = call("for_you", "--data", str(path))
    assert (code, out) == (2, "")
    assert "needs engagements, got 3 users, 2 interactions" in err
    assert err.count("\n") == 1


def test_bad_rows_are_counted_and_wrong_files_refused(call, tmp_path, shared):
    source = shared / "data/hetrec2011-lastfm"
    bad = {"user_taggedartists.dat.gz": b"no numbers at all\n1\t2\tx\t1\t1\t2009\n"}
    for file in source.glob("*.dat.gz"):
        lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
        part = b"".join(lines[:5_000] if file.name.startswith("user_") else lines)
        (tmp_path / file.name).write_bytes(gzip.compress(part + bad.get(file.name, b"")))
    archive = tmp_path / "hetrec.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        for file in sorted(tmp_path.glob("*.dat.gz")):
            packed.add(file, file.name)
    code, _, err = call("follow_recs", "--json", "--data", str(archive))
    assert code == 0, err
    assert "left out 2 malformed tag assignments" in err
    other = tmp_path / "other"
    other.mkdir()
    (other / "picture.png").write_bytes(b"x")
    code, _, err = call("follow_recs", "--data", str(other))
    assert code == 2
    assert "got picture.png" in err


def test_home_leads_from_page_to_page(call):
    code, out, err = call("for_you", "home", "--json", "--limit", "6", "--pages", "2", "--user", "3")
    assert code == 0, err
    first, second = json.loads(out)["pages"]
    posts = [[one["id"] for one in page["entries"] if one["kind"] == "post"] for page in (first, second)]
    assert len(posts[0]) == len(posts[1]) == 6
    assert not set(posts[0]) & set(posts[1])
    assert [one["kind"] for one in first["entries"]].index("people") == 5
    code, out, err = call(
        "for_you", "home", "--json", "--limit", "6", "--user", "3", "--cursor", first["bottom"]
    )
    assert code == 0, err
    again = [one["id"] for one in json.loads(out)["pages"][0]["entries"] if one["kind"] == "post"]
    assert again == posts[1]


def test_home_is_a_page_for_people(call):
    code, out, err = call("for_you", "home", "--limit", "6", "--user", "3")
    assert code == 0, err
    assert "Home of user 3, page 1" in out
    assert "People to follow:" in out
    assert "--cursor" in out


def test_following_is_newest_first_or_ranked(call):
    code, out, err = call("for_you", "following", "--json", "--user", "5", "--limit", "9")
    assert code == 0, err
    newest = json.loads(out)["candidates"]
    assert [one["age_h"] for one in newest] == sorted(one["age_h"] for one in newest)
    code, out, err = call("for_you", "following", "--ranked", "--json", "--user", "5", "--limit", "9")
    assert code == 0, err
    ranked = json.loads(out)["candidates"]
    assert [one["score"] for one in ranked] == sorted((one["score"] for one in ranked), reverse=True)
    for one in (*newest, *ranked):
        assert one["reason"].startswith("you follow")
    code, out, err = call("for_you", "following", "--user", "5", "--limit", "3")
    assert code == 0, err
    assert "Following, newest first, user 5" in out
    code, out, err = call("for_you", "following", "--user", "5", "--ranker", "trees")
    assert (code, out) == (2, "")
    assert "expected with --ranked" in err


def test_home_tells_a_polling_client_what_is_new(call):
    code, out, err = call("for_you", "home", "--json", "--user", "5", "--ago", "24")
    assert code == 0, err
    top = json.loads(out)["pages"][0]["top"]
    polled = ("for_you", "home", "--user", "5", "--ago", "18", "--cursor", top, "--refresh", "polling")
    code, out, err = call(*polled, "--json")
    assert code == 0, err
    (page,) = json.loads(out)["pages"]
    assert page["entries"] == []
    assert page["pill"]["after_s"] == 240.0
    code, out, err = call(*polled)
    assert code == 0, err
    assert f"{page['new']} new posts, by " in out
    assert "shown after 240 s" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--user", "999999"], "--user: expected one of the 200 users"),
        (["--pages", "0"], "--pages: expected 1 or more, got 0"),
        (["--limit", "-1"], "--limit: expected 0 or more, got -1"),
        (["--refresh", "often"], "--refresh: expected one of opened, pulled, manual, own_post, polling"),
        (["--ago", "-1"], "--ago: expected 0 to 1,000,000 hours, got -1.0"),
        (["--ago", "nan"], "--ago: expected 0 to 1,000,000 hours, got nan"),
        (["--ago", "inf"], "--ago: expected 0 to 1,000,000 hours, got inf"),
        (["--ranker", "best"], "--ranker: expected one of logistic, trees, heavy, got 'best'"),
        (["--seed", "-1"], "--seed: expected 0 or more, got -1"),
        (["--pages", "many"], "got 'many'"),
        (["--cursor", "changed"], "cursor: expected one that for_you gave out"),
    ],
)
def test_home_refuses_what_makes_no_sense(call, arguments, message):
    code, out, err = call("for_you", "home", *arguments)
    assert code == 2
    assert message in err
    assert not out


def test_what_each_part_adds_can_be_judged(call):
    code, out, err = call("for_you", "evaluate", "--ablate", "--users", "4", "--json")
    assert code == 0, err
    systems = {row["system"] for row in json.loads(out)["rows"]}
    assert {"for_you - without in_network", "without author diversity", "with diverse slates"} <= systems
    assert "without twhin" not in systems
    code, out, err = call("follow_recs", "evaluate", "--ablate", "--users", "4", "--json")
    assert code == 0, err
    systems = {row["system"] for row in json.loads(out)["rows"]}
    assert {"follow_recs - without popular", "without model", "with sampling"} <= systems


def test_a_ranker_alone_can_be_judged_by_what_was_shown(call):
    code, out, err = call("for_you", "evaluate", "--shown", "--users", "4", "--json")
    assert code == 0, err
    assert {row["system"] for row in json.loads(out)["rows"]} >= {"for_you", "as_shown", "for_you - as_shown"}
    for arguments, message in (
        (("follow_recs", "evaluate", "--shown"), "--shown: follow_recs cannot be judged"),
        (("for_you", "evaluate", "--shown", "--ablate"), "--shown: expected without --ablate"),
    ):
        code, out, err = call(*arguments)
        assert (code, out) == (2, "")
        assert message in err


def test_every_parameter_of_a_product_can_be_set_from_outside(call, monkeypatch):
    monkeypatch.setenv("MIXER_PARAM_FOR_YOU_FILTERS_ENGAGED", "false")
    monkeypatch.setenv("MIXER_PARAM_FOR_YOU_HEAVY_WEIGHT_FACTOR_IS_REPLIED", "2.5")
    monkeypatch.setenv("MIXER_PARAM_FOR_YOU_HEAVY_WEIGHTS", "august_2026")
    code, _, err = call("for_you", "--json", "--limit", "1")
    assert code == 0, err
    monkeypatch.setenv("MIXER_PARAM_FOR_YOU_FILTERS_ENGAGED", "perhaps")
    code, _, err = call("for_you", "--json", "--limit", "1")
    assert code == 2
    assert "for_you.filters.engaged" in err


@pytest.mark.parametrize(("width", "detailed"), [("60", False), ("160", True)])
@pytest.mark.parametrize("product", ["for_you", "follow_recs"])
def test_a_narrow_terminal_is_left_to_words(call, monkeypatch, product, width, detailed):
    monkeypatch.setenv("COLUMNS", width)
    code, out, err = call(product, "--limit", "3")
    assert code == 0, err
    header = out.splitlines()[1]
    assert ("source" in header, "score" in header, "why" in header) == (detailed, detailed, True)
