from __future__ import annotations

import json
import sys
from types import ModuleType

import pytest

from mixer.errors import ConfigurationError, MissingExtraError, ParamError
from mixer.param_files import read_settings
from mixer.param_registry import ParamRegistry, declared_in, environment_name
from mixer.params import Bundle, Origin, param

CAP = param("ranker.cap", default=100, minimum=50, maximum=600, doc="Candidates scored per request.")
DECAY = param("ranker.decay", default=0.5, minimum=0.0, maximum=1.0, doc="Weight of the previous score.")
EXPLORE = Bundle(param("explore", default=False, doc="Collect data."), {CAP: 600, DECAY: 0.0})


class RankerParams:
    cap = CAP
    decay = DECAY


REGISTRY = ParamRegistry.collect(RankerParams, EXPLORE)


def resolver(registry=REGISTRY, **options):
    return registry.resolver(**{"environ": {}} | options)


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_parameters_are_collected_from_modules_and_the_classes_they_define():
    module = ModuleType("some_params")
    inner = type("Inner", (), {"decay": DECAY, "__module__": "some_params"})
    foreign = type("Foreign", (), {"other": param("other", default=1, doc="."), "__module__": "elsewhere"})
    switch = param("switch", default=True, doc=".")
    vars(module).update(cap=CAP, inner=inner, foreign=foreign, unrelated=3)
    vars(module).update(table={"one": switch, "cap": CAP}, presets={"one": {CAP: 50}})
    assert set(declared_in(module)) == {CAP, DECAY, switch}


def test_inherited_and_repeated_parameters_are_collected_once():
    more = type("More", (RankerParams,), {"cap_again": CAP})
    assert list(ParamRegistry.collect(more, [CAP, DECAY])) == [CAP, DECAY]


def test_collecting_from_something_else_is_refused():
    with pytest.raises(TypeError, match="got 3"):
        ParamRegistry.collect(3)


def test_a_bundle_brings_its_switch():
    assert "explore" in REGISTRY
    assert REGISTRY["explore"] is EXPLORE.switch


def test_all_problems_of_a_registry_are_listed_together():
    stranger = param("stranger", default=1, doc=".")
    with pytest.raises(ConfigurationError) as caught:
        ParamRegistry(
            [
                param("twice", default=1, doc="."),
                param("twice", default=2, doc="."),
                param("low", default=1, minimum=2, doc="."),
                param("a.b", default=1, doc="."),
                param("a_b", default=1, doc="."),
                Bundle(param("switch", default=False, doc="."), {stranger: 1}),
                Bundle(param("other", default=True, doc="."), {EXPLORE.switch: True}),
                EXPLORE,
                CAP,
                DECAY,
            ]
        )
    assert caught.value.problems == (
        "twice: declared 2 times",
        "MIXER_PARAM_A_B: stands for 2 parameters",
        "default of low: expected an int >= 2, got 1",
        "bundle switch: stranger: unknown parameter",
        "bundle other: overrides explore, which is the switch of a bundle",
    )


def test_precedence_is_forced_then_environment_then_file_then_default(tmp_path):
    file = written(tmp_path, "params.json", '{"ranker": {"cap": 200, "decay": 0.1}}')
    environ = {environment_name(CAP): "300", "HOME": "ignored"}
    assert resolver().resolve()[CAP] == 100
    assert resolver(file=file).resolve()[CAP] == 200
    configured = resolver(file=file, environ=environ)
    assert configured.resolve()[CAP] == 300
    assert configured.resolve()[DECAY] == 0.1
    assert configured.resolve(forced={"ranker.cap": 400})[CAP] == 400
    assert configured.resolve(forced={CAP: 400})[DECAY] == 0.1


def test_explain_tells_where_each_value_came_from(tmp_path):
    file = written(tmp_path, "params.toml", "ranker.decay = 0.25")
    params = resolver(file=file, environ={"MIXER_PARAM_RANKER_CAP": "60"}).resolve(forced={"explore": False})
    told = {name: (one.value, one.origin, one.detail) for name, one in params.explain().items()}
    assert told == {
        "explore": (False, Origin.FORCED, "request"),
        "ranker.cap": (60, Origin.ENVIRONMENT, "MIXER_PARAM_RANKER_CAP"),
        "ranker.decay": (0.25, Origin.FILE, str(file)),
    }


def test_a_switch_in_the_environment_sets_the_bundle_and_a_request_can_switch_it_off():
    configured = resolver(environ={"MIXER_PARAM_EXPLORE": "on"})
    assert (configured.resolve()[CAP], configured.resolve()[DECAY]) == (600, 0.0)
    assert configured.resolve().explain()["ranker.cap"].detail == "bundle explore"
    assert configured.resolve(forced={"explore": False})[CAP] == 100


def test_all_wrong_values_are_listed_with_their_place_and_the_nearest_name(tmp_path):
    file = written(tmp_path, "params.yaml", "ranker.kap: 200\nranker:\n  cap: 1000\n")
    environ = {"MIXER_PARAM_RANKER_DECAY": "half", "MIXER_PARAM_RANKER_CUP": "1"}
    with pytest.raises(ParamError) as caught:
        resolver(file=file, environ=environ)
    assert caught.value.problems == (
        f"{file}: ranker.kap: unknown parameter; the nearest known one is ranker.cap",
        f"{file}: ranker.cap: expected an int >= 50 and <= 600, got 1000",
        "MIXER_PARAM_RANKER_DECAY: ranker.decay: expected a float >= 0.0 and <= 1.0, got 'half'",
        "MIXER_PARAM_RANKER_CUP: unknown variable; the nearest known one is MIXER_PARAM_RANKER_CAP",
    )


def test_wrong_forced_values_are_refused_together():
    with pytest.raises(ParamError) as caught:
        resolver().resolve(forced={"ranker.cap": 1, "nonsense": 1})
    assert len(caught.value.problems) == 2


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ParamError, match=r"nearest known one is ranker\.decay"):
        REGISTRY["ranker.deca"]


def test_the_same_settings_are_read_from_every_format(tmp_path):
    tree = {"ranker": {"cap": 200}, "names": ["a", "b"]}
    yaml = written(tmp_path, "a.yaml", "ranker:\n  cap: 200\nnames: [a, b]\n")
    toml = written(tmp_path, "a.toml", 'names = ["a", "b"]\n[ranker]\ncap = 200\n')
    as_json = written(tmp_path, "a.json", json.dumps(tree))
    assert read_settings(yaml) == read_settings(toml) == read_settings(as_json)
    assert read_settings(yaml) == {"ranker.cap": 200, "names": ["a", "b"]}
    assert read_settings(written(tmp_path, "empty.yml", "")) == {}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "ranker: [", "expected"),
        ("a.json", "{", "Expecting property name"),
        ("a.yaml", "- 1", "expected names with values, got list"),
        ("a.yaml", "r.cap: 1\nr: {cap: 2}", "r.cap: expected one value, got 1 and 2"),
        ("a.ini", "", "expected a file that ends in .yaml"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(tmp_path, name, text, message):
    path = written(tmp_path, name, text)
    with pytest.raises(ParamError) as caught:
        read_settings(path)
    assert caught.value.subject == str(path)
    assert message in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ParamError, match="No such file"):
        read_settings(tmp_path / "absent.yaml")


def test_yaml_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtraError, match=r"mixer\[cli\]"):
        read_settings(written(tmp_path, "a.yaml", "a: 1"))


def test_values_of_a_bundle_are_accepted_in_every_form():
    bundle = Bundle(param("switch", default=True, doc="."), {CAP: "600", "ranker.decay": 1})
    params = resolver(ParamRegistry([CAP, DECAY, bundle])).resolve()
    assert (params[CAP], params[DECAY]) == (600, 1.0)


def test_a_switch_counts_as_read_when_a_parameter_of_its_bundle_is():
    configured = resolver()
    assert "explore: registered, but never read" in configured.lint()
    assert configured.resolve()[DECAY] == 0.5
    assert configured.lint() == ("ranker.cap: registered, but never read",)


def test_the_lint_finds_what_is_unregistered_and_what_is_unread():
    forgotten = param("forgotten", default=1, doc=".")
    constant = param("constant", default=1, doc=".")
    configured = resolver()
    params = configured.resolve()
    assert params[constant] == 1
    assert params[CAP] == 100
    assert configured.lint([forgotten, CAP, EXPLORE]) == (
        "constant: read, but not registered",
        "forgotten: declared, but not registered",
        "ranker.decay: registered, but never read",
    )
