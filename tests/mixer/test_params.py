from __future__ import annotations

from datetime import timedelta
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixer.errors import ParamError
from mixer.param_domain import Domain
from mixer.params import DEFAULTS, Bundle, Origin, Overlay, Params, compose, param


class Tier(Enum):
    LIGHT = "light"
    HEAVY = "heavy"


class Shuffler:
    pass


CAP = param("ranker.cap", default=100, minimum=50, maximum=600, doc="Candidates scored per request.")
DECAY = param("ranker.decay", default=0.5, minimum=0.0, maximum=1.0, doc="Weight of the previous score.")
ENABLED = param("ranker.enabled", default=True, doc="Whether to rank.")
TIER = param("ranker.tier", default=Tier.LIGHT, doc="Which model.")
BUDGET = param(
    "ranker.budget", default=timedelta(milliseconds=400), maximum=timedelta(seconds=1), doc="Time."
)
SOURCES = param("sources", default=("friends",), doc="Sources to use.")
WEIGHTS = param("weights", default=(), each=Domain(float, minimum=0.0), doc="Weights.")
RANDOM, NONE = Shuffler(), Shuffler()
SHUFFLER = param("shuffler", default=NONE, choices={"none": NONE, "random": RANDOM}, doc="Order of equals.")
NAME = param("name", default="a", choices=("a", "b"), doc="A choice of strings.")


def test_defaults_are_read_without_a_registry():
    assert DEFAULTS[CAP] == 100
    assert DEFAULTS[TIER] is Tier.LIGHT


@pytest.mark.parametrize(
    ("key", "raw", "value"),
    [
        (CAP, 50, 50),
        (CAP, "600", 600),
        (DECAY, 1, 1.0),
        (DECAY, "0.25", 0.25),
        (ENABLED, "off", False),
        (ENABLED, "True", True),
        (TIER, Tier.HEAVY, Tier.HEAVY),
        (TIER, "heavy", Tier.HEAVY),
        (BUDGET, "250ms", timedelta(milliseconds=250)),
        (BUDGET, 0.5, timedelta(seconds=0.5)),
        (SOURCES, "friends, topics", ("friends", "topics")),
        (SOURCES, ["a"], ("a",)),
        (SOURCES, "", ()),
        (WEIGHTS, [1, 2.5], (1.0, 2.5)),
        (SHUFFLER, "random", RANDOM),
        (SHUFFLER, NONE, NONE),
        (NAME, "b", "b"),
    ],
)
def test_a_value_is_accepted_in_every_form_that_stands_for_it(key, raw, value):
    accepted = key.domain.accept(raw)
    assert accepted == value
    assert type(accepted) is type(value)


@pytest.mark.parametrize(
    ("key", "raw", "expected"),
    [
        (CAP, 49, "an int >= 50 and <= 600"),
        (CAP, 601, "an int >= 50 and <= 600"),
        (CAP, True, "an int"),
        (CAP, 60.5, "an int"),
        (CAP, "many", "an int"),
        (CAP, None, "an int"),
        (DECAY, float("nan"), "a float"),
        (DECAY, True, "a float"),
        (ENABLED, 1, "a bool"),
        (ENABLED, "maybe", "a bool"),
        (TIER, "medium", "one of LIGHT, HEAVY"),
        (BUDGET, "fast", "a duration such as 400ms"),
        (BUDGET, "2s", "a duration such as 400ms <= 0:00:01"),
        (SOURCES, 3, "a sequence, each item a string"),
        (WEIGHTS, [1.0, -1.0], "a sequence, each item a float >= 0.0"),
        (SHUFFLER, Shuffler(), "one of none, random"),
        (NAME, "c", "one of a, b"),
    ],
)
def test_a_refusal_says_what_was_expected_and_what_came(key, raw, expected):
    with pytest.raises(ValueError, match="got") as caught:
        key.domain.accept(raw)
    assert f"expected {expected}" in str(caught.value)
    assert repr(raw) in str(caught.value)


@given(low=st.integers(-50, 50), size=st.integers(0, 50), raw=st.integers(-200, 200))
def test_exactly_the_values_within_the_bounds_are_accepted(low, size, raw):
    domain = Domain(int, minimum=low, maximum=low + size)
    for form in (raw, str(raw)):
        if low <= raw <= low + size:
            assert domain.accept(form) == raw
        else:
            with pytest.raises(ValueError, match="expected an int"):
                domain.accept(form)


@given(seconds=st.integers(0, 10**6), unit=st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_durations_have_units(seconds, unit):
    units = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    parsed = Domain(timedelta).accept(f"{seconds}{unit}")
    assert abs(parsed - timedelta(**{units[unit]: seconds})) < timedelta(milliseconds=1)


def test_given_values_are_validated_and_listed_together():
    assert Params.of({CAP: "200"})[CAP] == 200
    with pytest.raises(ParamError) as caught:
        Params.of({CAP: 1, TIER: "medium", DECAY: 0.1})
    assert len(caught.value.problems) == 2


LAYERS = st.lists(st.dictionaries(st.sampled_from([CAP, DECAY, ENABLED, NAME]), st.integers()), max_size=4)


@given(values=LAYERS)
def test_the_last_overlay_that_sets_a_value_wins(values):
    origins = [Origin.FILE, Origin.ENVIRONMENT, Origin.EXPERIMENT, Origin.FORCED]
    overlays = [
        Overlay.uniform(origin, overlay, origin.name)
        for origin, overlay in zip(origins, values, strict=False)
    ]
    settings = compose((), overlays)
    expected = {
        key: (value, origin)
        for origin, overlay in zip(origins, values, strict=False)
        for key, value in overlay.items()
    }
    assert {key: (one.value, one.origin) for key, one in settings.items()} == expected


SWITCH = param("explore", default=False, doc="Collect data at random.")
EXPLORE = Bundle(SWITCH, {CAP: 600, NAME: "b"})


def composed(*overlays):
    return {key: setting.value for key, setting in compose([EXPLORE], overlays).items() if key is not SWITCH}


def test_a_switched_on_bundle_sets_all_its_values():
    assert composed(Overlay.uniform(Origin.FILE, {SWITCH: True})) == {CAP: 600, NAME: "b"}


def test_a_bundle_beats_what_was_set_with_lower_precedence():
    file = Overlay.uniform(Origin.FILE, {CAP: 70})
    assert composed(file, Overlay.uniform(Origin.ENVIRONMENT, {SWITCH: True})) == {CAP: 600, NAME: "b"}


@pytest.mark.parametrize("origin", [Origin.FILE, Origin.ENVIRONMENT])
def test_a_value_set_with_the_same_or_higher_precedence_beats_a_bundle(origin):
    file = Overlay.uniform(Origin.FILE, {SWITCH: True} | ({CAP: 70} if origin is Origin.FILE else {}))
    upper = Overlay.uniform(Origin.ENVIRONMENT, {CAP: 70} if origin is Origin.ENVIRONMENT else {})
    assert composed(file, upper) == {CAP: 70, NAME: "b"}


def test_switching_a_bundle_off_gives_back_what_it_hid():
    file = Overlay.uniform(Origin.FILE, {SWITCH: True})
    below = Overlay.uniform(Origin.FILE, {NAME: "a"})
    assert composed(below, file, Overlay.uniform(Origin.FORCED, {SWITCH: False})) == {NAME: "a"}


def test_forced_values_win_over_everything_and_leave_the_original_alone():
    plain = Params.of({CAP: 70})
    forced = plain.forcing({CAP: 90})
    assert (plain[CAP], forced[CAP], forced.forcing({CAP: 60})[CAP]) == (70, 90, 60)
    with pytest.raises(ParamError, match="cap"):
        plain.forcing({CAP: "many"})
