from __future__ import annotations

import pickle
from collections import Counter
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixer.errors import ParamError
from mixer.experiments import BUCKETS, Arm, Experiment, bucket_of
from mixer.param_registry import ParamRegistry
from mixer.params import Bundle, Origin, param

CAP = param("ranker.cap", default=100, minimum=50, maximum=600, doc="Candidates scored per request.")
DECAY = param("ranker.decay", default=0.5, minimum=0.0, maximum=1.0, doc="Weight of the previous score.")
PAGE = param("page.size", default=20, doc="Posts a page.")
EXPLORE = Bundle(param("explore", default=False, doc="Collect data."), {CAP: 600, DECAY: 0.0})
REGISTRY = ParamRegistry([CAP, DECAY, PAGE, EXPLORE])
UNITS = st.integers(0, 2**63) | st.text(max_size=12)


def experiment(name="cap", layer="ranking", salt="s1", first_bucket=0, **arms):
    arms = arms or {"control": (0.5, {}), "more": (0.5, {CAP: 200})}
    return Experiment(name, layer, salt, [Arm(arm, *values) for arm, values in arms.items()], first_bucket)


def resolver(*experiments, listener=None, environ=None):
    return REGISTRY.resolver(environ=environ or {}, experiments=experiments, listener=listener)


def unit_in(experiment, arm):
    return next(
        unit for unit in range(10_000) if (found := experiment.assign(unit)) and found.arm.name == arm
    )


def test_the_bucket_is_the_published_hash():
    digest = blake2b(b"ranking:s1:42", digest_size=8).digest()
    assert bucket_of("ranking", "s1", 42) == int.from_bytes(digest, "big") % 10_000
    assert bucket_of("ranking", "s1", 42) == 282  # changing it would move every user


@given(unit=UNITS)
def test_a_unit_keeps_its_arm_whatever_its_type(unit):
    one, again = experiment().assign(unit), experiment().assign(str(unit))
    assert (one.arm.name, one.bucket) == (again.arm.name, again.bucket)


def test_arms_get_their_shares():
    divided = experiment(control=(0.2, {}), a=(0.3, {}), b=(0.1, {}))
    found = Counter(
        exposure.arm.name if (exposure := divided.assign(unit)) else None for unit in range(20_000)
    )
    for name, share in (("control", 0.2), ("a", 0.3), ("b", 0.1), (None, 0.4)):
        standard_error = (share * (1 - share) / 20_000) ** 0.5
        assert abs(found[name] / 20_000 - share) < 5 * standard_error


def test_layers_are_independent():
    table = np.zeros((2, 2))
    one, other = experiment(layer="ranking"), experiment(layer="page")
    for unit in range(20_000):
        table[one.assign(unit).arm.name == "more", other.assign(unit).arm.name == "more"] += 1
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    chi_squared = ((table - expected) ** 2 / expected).sum()
    assert chi_squared < 15.1  # one degree of freedom, p = 0.0001


@given(first=st.integers(0, 9_000), sizes=st.lists(st.integers(1, 300), min_size=1, max_size=3), unit=UNITS)
def test_arms_own_consecutive_buckets(first, sizes, unit):
    arms = {f"arm{index}": (size / BUCKETS, {}) for index, size in enumerate(sizes)}
    divided = experiment(first_bucket=first, **arms)
    edges = first + np.cumsum([0, *sizes])
    expected = int(np.searchsorted(edges, bucket_of("ranking", "s1", unit), side="right")) - 1
    exposure = divided.assign(unit)
    assert list(divided.problems()) == []
    assert (exposure.arm.name if exposure else None) == (
        f"arm{expected}" if 0 <= expected < len(sizes) else None
    )


def test_an_arm_overrides_what_the_environment_says_and_a_request_overrides_the_arm():
    tested = experiment()
    configured = resolver(tested, environ={"MIXER_PARAM_RANKER_CAP": "70"})
    unit = unit_in(tested, "more")
    assert configured.resolve(unit)[CAP] == 200
    assert configured.resolve(unit_in(tested, "control"))[CAP] == 70
    assert configured.resolve(None)[CAP] == 70
    assert configured.resolve(unit, forced={CAP: 300})[CAP] == 300
    assert configured.resolve(unit, forced={PAGE: 5})[CAP] == 200


@given(reads=st.lists(st.sampled_from([CAP, DECAY, PAGE]), max_size=6), unit=st.integers(0, 10**6))
def test_exposure_happens_on_reading_an_experiments_parameter_and_only_then(reads, unit):
    heard = []
    by_cap = experiment(name="cap", layer="ranking")
    by_page = experiment(name="page", layer="page", control=(0.3, {}), big=(0.3, {"page.size": 40}))
    params = resolver(by_cap, by_page, listener=heard.append).resolve(unit)
    for key in reads:
        params.explain()
        _ = params[key]
    read = dict.fromkeys(key for key in reads if key is not DECAY)
    expected = [str(one) for key in read if (one := {CAP: by_cap, PAGE: by_page}[key].assign(unit))]
    assert [str(one) for one in params.exposures] == expected
    assert [str(one) for one in heard] == expected


def test_the_control_arm_is_exposed_too():
    tested = experiment()
    params = resolver(tested).resolve(unit_in(tested, "control"))
    assert params[CAP] == 100
    assert [str(one) for one in params.exposures] == ["cap/control"]


def test_a_forced_value_hides_the_experiment_and_exposes_nobody():
    tested = experiment()
    params = resolver(tested).resolve(unit_in(tested, "more"), forced={CAP: 300})
    assert params[CAP] == 300
    assert params.exposures == ()


def test_explain_names_the_arm():
    tested = experiment()
    setting = resolver(tested).resolve(unit_in(tested, "more")).explain()["ranker.cap"]
    assert (setting.value, setting.origin, setting.detail) == (200, Origin.EXPERIMENT, "cap/more")


def test_an_arm_can_switch_a_bundle_on_or_off():
    on = experiment(control=(0.5, {}), explore=(0.5, {"explore": True}))
    params = resolver(on).resolve(unit_in(on, "explore"))
    assert (params[CAP], params[DECAY]) == (600, 0.0)
    off = experiment(control=(0.5, {}), plain=(0.5, {"explore": False}))
    params = resolver(off, environ={"MIXER_PARAM_EXPLORE": "on"}).resolve(unit_in(off, "plain"))
    assert (params[CAP], params[DECAY]) == (100, 0.5)
    assert [str(one) for one in params.exposures] == ["cap/plain"]


def test_a_request_can_switch_off_a_bundle_that_its_arm_switched_on():
    tested = experiment(control=(0.5, {}), explore=(0.5, {"explore": True}))
    params = resolver(tested).resolve(unit_in(tested, "explore"), forced={"explore": False})
    assert (params[CAP], params[DECAY]) == (100, 0.5)


def test_stored_parameters_keep_their_values_and_expose_nobody_again():
    tested, heard = experiment(), []
    configured = resolver(tested, listener=heard.append, environ={"MIXER_PARAM_PAGE_SIZE": "7"})
    params = configured.resolve(unit_in(tested, "more"), forced={DECAY: 0.9})
    stored = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(params))))
    unregistered = param("unregistered", default=3, doc=".")
    assert (stored[CAP], stored[PAGE], stored[DECAY], stored[unregistered]) == (200, 7, 0.9, 3)
    assert stored.explain() == params.explain()
    assert stored.exposures == ()
    assert heard == []


def test_experiments_of_a_layer_exclude_each_other():
    one = experiment(name="one", more=(0.4, {CAP: 200}))
    two = experiment(name="two", first_bucket=4_000, fewer=(0.4, {CAP: 60}))
    configured = resolver(one, two)
    caps = Counter()
    for unit in range(2_000):
        params = configured.resolve(unit)
        caps[params[CAP]] += 1
        assert len(params.exposures) == (params[CAP] != 100)
    assert set(caps) == {60, 100, 200}


def test_impossible_experiments_are_refused_together():
    with pytest.raises(ParamError) as caught:
        resolver(
            experiment(name="one", more=(0.5, {CAP: 1000})),
            experiment(name="two", first_bucket=4_999, more=(0.1, {"ranker.kap": 100})),
            experiment(name="three", salt="s2", first_bucket=9_000, more=(0.1, {})),
            experiment(name="four", layer="page", more=(0.00005, {}), less=(1.0, {})),
            experiment(name="five", layer="other", more=(0.1, {CAP: 100})),
            experiment(name="six", layer="another", more=(0.1, {"explore": True})),
        )
    text = "\n".join(caught.value.problems)
    assert "one/more: ranker.cap: expected an int >= 50 and <= 600, got 1000" in text
    assert "two/more: ranker.kap: unknown parameter; the nearest known one is ranker.cap" in text
    assert "two: expected a first bucket >= 5000, where one ends" in text
    assert "three: expected the salt of one in layer ranking" in text
    assert "four/more: expected a weight in (0, 1], a multiple of 1/10000" in text
    assert "six: overrides ranker.cap, which belongs to layer other (five)" in text


def test_arms_need_names_of_their_own_and_buckets_that_exist():
    twins = Experiment("twins", "layer", "salt", [Arm("a", 0.6), Arm("a", 0.6)])
    assert list(twins.problems()) == [
        "twins: expected arms with different names, got ['a', 'a']",
        "twins: expected buckets in [0, 10000), got [0, 12000)",
    ]
