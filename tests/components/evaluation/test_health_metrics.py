from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from components.evaluation import (
    InvalidInputError,
    catalogue_coverage,
    empty_slate_share,
    entropy,
    exposure_gini,
    in_network_share,
    novelty,
    slate_entropy,
    staleness,
)

CODES = st.lists(st.integers(-3, 6), min_size=1, max_size=50)


@given(CODES)
def test_entropy_agrees_with_scipy(codes):
    _, count = np.unique(codes, return_counts=True)
    assert entropy(codes) == pytest.approx(stats.entropy(count, base=2), abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=50))
def test_slate_entropy_is_the_entropy_of_each_slate(rows):
    user, value = np.array(rows).T
    expected = [entropy(value[user == one]) for one in np.unique(user)]
    np.testing.assert_allclose(slate_entropy(user, value), expected, atol=1e-9)


@given(CODES, st.integers(0, 10))
def test_gini_is_half_the_relative_mean_difference(authors, unseen):
    _, count = np.unique(authors, return_counts=True)
    exposure = np.append(count, np.zeros(unseen))
    expected = np.abs(exposure[:, None] - exposure[None, :]).mean() / (2 * exposure.mean())
    assert exposure_gini(authors, len(exposure)) == pytest.approx(expected, abs=1e-9)


@given(CODES)
def test_gini_counts_only_shown_authors_by_default(authors):
    assert exposure_gini(authors) == exposure_gini(authors, len(set(authors)))


def test_gini_runs_from_equal_exposure_to_a_single_author():
    assert exposure_gini([1, 2, 3, 4]) == 0.0
    assert exposure_gini([7] * 50, author_count=1000) == pytest.approx(0.999)


@given(CODES, st.dictionaries(st.integers(-3, 6), st.integers(0, 9)))
def test_novelty_is_mean_self_information(items, audience):
    expected = np.mean([-math.log2(max(audience.get(item, 1), 1) / 9) for item in items])
    ours = novelty(items, list(audience), list(audience.values()), population=9)
    assert ours == pytest.approx(expected, abs=1e-9)


def test_coverage_counts_distinct_items():
    assert catalogue_coverage([1, 1, 5], 8) == 0.25


def test_staleness_is_in_seconds():
    result = staleness([0, 1000, 2000, 3000], [4000] * 4)
    assert (result.mean_s, result.median_s, result.p90_s) == pytest.approx((2.5, 2.5, 3.7))


def test_shares_count_rows_and_users():
    assert in_network_share([True, False, False, True]) == 0.5
    assert empty_slate_share([1, 1, 2], [1, 2, 3, 4]) == 0.5


def test_nothing_shown_is_undefined_and_not_zero():
    undefined = [entropy([]), exposure_gini([]), in_network_share([]), staleness([], []).mean_s]
    undefined += [novelty([], [], [], population=5), empty_slate_share([], [])]
    assert np.isnan(undefined).all()
    assert catalogue_coverage([], 5) == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: catalogue_coverage([1, 2], 1), "expected at least the 2 distinct items shown, got 1"),
        (lambda: exposure_gini([1, 2], 1), "expected at least the 2 authors shown, got 1"),
        (lambda: novelty([1], [1, 1], [2, 3], 5), "seen_item: expected distinct items"),
        (lambda: novelty([1], [1], [9], 5), "seen_count: expected at most the population 5, got 9"),
        (lambda: staleness([5000], [1000]), r"row 0 is 4\.0 s before it"),
        (lambda: empty_slate_share([9], [1]), "user 9 is missing"),
        (lambda: in_network_share([1, 0]), "in_network: expected booleans, got dtype int64"),
        (lambda: slate_entropy([1], [1, 2]), "user 1, value 2"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call()


def test_what_is_shown_at_once_has_no_age():
    assert staleness([5000], [5000]).mean_s == 0.0
