"""Safety classifiers: what they learn, how thresholds act, versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.models.safety import NSFW_POLICY, TOXICITY_POLICY, HashedText, SafetyClassifier, SafetyPolicy

if TYPE_CHECKING:
    from pathlib import Path

SAFE = [
    "a lovely walk by the sea",
    "new album out today",
    "what a match",
    "lunch with the team",
    "good morning",
]
RUDE = ["you stupid fool", "what a stupid match", "shut up fool", "stupid stupid people", "fools like you"]


def trained(version: str = "1") -> SafetyClassifier:
    return SafetyClassifier.fit("toxicity", version, SAFE * 4 + RUDE * 4, [0] * 20 + [1] * 20, l2=0.1)


def test_texts_are_told_apart_also_in_new_spelling() -> None:
    rude, spelt, safe = trained().probability(
        ["such a stupid fool", "STUUUUPID fooools", "a walk with the team"]
    )
    assert rude > 0.7
    assert spelt > 0.5
    assert safe < 0.3


def test_a_text_without_words_is_not_judged() -> None:
    classifier = trained()
    assert np.isnan(classifier.probability(["", " !! "])).all()
    verdict = attrs.evolve(TOXICITY_POLICY, drops=True).judge(classifier.probability([""]))
    assert verdict.keep.tolist() == [True]
    assert verdict.factor.tolist() == [1.0]


@given(st.lists(st.text(max_size=30), max_size=5))
def test_hashed_rows_have_unit_length_and_depend_on_their_text_alone(texts: list[str]) -> None:
    hashed = HashedText(buckets=64)
    together = hashed.matrix(texts).toarray()
    assert together.shape == (len(texts), 64)
    for row, text in zip(together, texts, strict=True):
        assert np.linalg.norm(row) == pytest.approx(1.0) or not row.any()
        np.testing.assert_array_equal(hashed.matrix([text]).toarray()[0], row)


@pytest.mark.parametrize(
    ("policy", "probability", "factor"),
    [
        (NSFW_POLICY, 0.81, 0.1),
        (NSFW_POLICY, 0.8, 0.7),
        (NSFW_POLICY, 0.51, 0.7),
        (NSFW_POLICY, 0.5, 1.0),
        (TOXICITY_POLICY, 0.71, 0.1),
        (TOXICITY_POLICY, 0.7, 0.8),
        (TOXICITY_POLICY, 0.5, 1.0),
    ],
)
def test_golden_thresholds_and_factors(policy: SafetyPolicy, probability: float, factor: float) -> None:
    verdict = policy.judge(np.array([probability]))
    assert verdict.factor[0] == factor
    assert verdict.keep[0]


def test_a_dropping_policy_drops_only_what_is_unsafe() -> None:
    verdict = attrs.evolve(NSFW_POLICY, drops=True).judge(np.array([0.9, 0.6, 0.1]))
    assert verdict.keep.tolist() == [False, True, True]


def test_two_classifiers_multiply() -> None:
    both = NSFW_POLICY.judge(np.array([0.6, 0.9])).and_(TOXICITY_POLICY.judge(np.array([0.9, 0.1])))
    np.testing.assert_allclose(both.factor, [0.07, 0.1])


def test_a_saved_classifier_keeps_its_version_and_answers(tmp_path: Path) -> None:
    classifier = trained("2026-11-20")
    classifier.save(tmp_path / "toxicity.npz")
    loaded = SafetyClassifier.load(tmp_path / "toxicity.npz")
    assert (loaded.name, loaded.version) == ("toxicity", "2026-11-20")
    np.testing.assert_array_equal(loaded.probability(RUDE), classifier.probability(RUDE))


def test_foreign_files_and_impossible_policies_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.ones(1))
    with pytest.raises(ValueError, match=r"other\.npz: expected an archive of format"):
        SafetyClassifier.load(tmp_path / "other.npz")
    with pytest.raises(ValueError, match=r"expected at most unsafe=0\.5, got 0\.8"):
        SafetyPolicy(0.5, 0.8, 0.1, 0.7)
