"""The weighted sum: published weights, golden offsets, exact terms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.models.weighted_score import (
    APRIL_2023,
    AUGUST_2026,
    WEIGHT_SETS,
    WeightSet,
    good_click,
    mutual_reply_boost,
    offset,
    video_quality_view_gate,
    weighted_score,
)


def test_sums_of_the_published_weights() -> None:
    assert APRIL_2023.positive_mass == pytest.approx(123.005)
    assert APRIL_2023.negative_mass == pytest.approx(443.0)
    assert AUGUST_2026.positive_mass == pytest.approx(43.32)
    assert AUGUST_2026.negative_mass == pytest.approx(367.22)


@pytest.mark.parametrize(
    ("weights", "net", "expected"),
    [
        (APRIL_2023, -10.0, 0.000765011),
        (APRIL_2023, 0.0, 0.001),
        (APRIL_2023, 0.5, 0.501),
        (AUGUST_2026, -10.0, 0.000870122),
        (AUGUST_2026, -1.0, 0.000892),
        (AUGUST_2026, -1e-9, 0.000894),
        (AUGUST_2026, 0.0, 0.001),
        (AUGUST_2026, 0.5, 0.501),
    ],
)
def test_golden_offsets(weights: WeightSet, net: float, expected: float) -> None:
    found = offset(np.array([net]), weights.positive_mass, weights.negative_mass)[0]
    assert found == pytest.approx(expected, abs=5e-7 if expected < 0.001 else 1e-12)


@given(
    nets=st.lists(st.floats(-443, 123), min_size=2, max_size=20), name=st.sampled_from(sorted(WEIGHT_SETS))
)
def test_the_offset_keeps_the_order_and_never_gives_less_than_zero(nets: list[float], name: str) -> None:
    weights = WEIGHT_SETS[name]
    ordered = np.sort(np.clip(nets, -weights.negative_mass, weights.positive_mass))
    found = offset(ordered, weights.positive_mass, weights.negative_mass)
    assert (found >= -1e-18).all()
    assert (np.diff(found) >= 0).all()


def test_without_any_weight_only_the_negative_part_is_cut() -> None:
    np.testing.assert_array_equal(offset(np.array([-1.0, 2.0]), 0.0, 0.0), [0.0, 2.0])


@given(st.lists(st.lists(st.floats(0, 1), min_size=10, max_size=10), min_size=1, max_size=6))
def test_terms_add_up_to_the_net_score_exactly_as_a_naive_loop_does(rows: list[list[float]]) -> None:
    heads = list(APRIL_2023.weights)
    predictions = {head: np.array([row[place] for row in rows]) for place, head in enumerate(heads)}
    found = weighted_score(predictions, APRIL_2023)
    for index, row in enumerate(rows):
        naive = [APRIL_2023.weights[head] * p for head, p in zip(heads, row, strict=True)]
        assert [found.terms[head][index] for head in heads] == naive
        assert found.net[index] == pytest.approx(sum(naive), abs=1e-9)


def test_a_likely_report_cancels_a_certain_like() -> None:
    found = weighted_score({"favorite": np.array([1.0]), "report": np.array([0.5 / 234])}, AUGUST_2026)
    assert found.net[0] == pytest.approx(0.0)


def test_one_second_of_dwell_counts_but_does_not_scale_the_offset() -> None:
    found = weighted_score({"dwell_time": np.array([1.0]), "report": np.array([1.0])}, AUGUST_2026)
    assert found.terms["dwell_time"][0] == 0.004
    assert found.score[0] == pytest.approx((0.004 - 234 + 367.22) / 410.54 * 0.001)


def test_mutual_reply_boost_golden() -> None:
    boost = mutual_reply_boost(np.array([True, True, False]), np.array([True, False, True]))
    found = weighted_score({"reply": np.full(3, 0.1)}, AUGUST_2026, {"reply": boost})
    np.testing.assert_allclose(found.net, [2.0, 0.5, 0.5])


def test_a_head_that_was_not_predicted_adds_nothing() -> None:
    found = weighted_score({"favorite": np.array([np.nan, 1.0])}, AUGUST_2026)
    np.testing.assert_array_equal(found.net, [0.0, 0.5])


def test_good_click_takes_the_larger_version() -> None:
    np.testing.assert_array_equal(good_click(np.array([0.1, 0.3]), np.array([0.2, 0.1])), [0.2, 0.3])


def test_video_views_count_for_long_videos_and_small_viewers() -> None:
    p, durations = np.full(4, 0.5), np.array([10_000.0, 10_001.0, np.nan, 60_000.0])
    np.testing.assert_array_equal(video_quality_view_gate(p, durations, 9_999), [0, 0.5, 0, 0.5])
    np.testing.assert_array_equal(video_quality_view_gate(p, durations, None), [0, 0.5, 0, 0.5])
    np.testing.assert_array_equal(video_quality_view_gate(p, durations, 10_000), [0, 0, 0, 0])


def test_heads_without_a_weight_are_refused() -> None:
    with pytest.raises(ValueError, match=r"april_2023: expected heads of .* got \['favorite'\]"):
        weighted_score({"favorite": np.zeros(1)}, APRIL_2023)


def test_weight_sets_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        APRIL_2023.weights["is_favorited"] = 9.0  # type: ignore[index]
