"""Logistic regression: optimum, explanation, persistence, refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.special import expit

from components.models.logistic import LogisticModel, LogisticRegression

if TYPE_CHECKING:
    from pathlib import Path


def planted(rows: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 3)) * [1.0, 5.0, 0.1] + [0.0, 3.0, -1.0]
    logits = 1.5 * X[:, 0] - 0.4 * (X[:, 1] - 3.0)
    return X, (rng.random(rows) < expit(logits)).astype(float)


def test_planted_weights_are_recovered_on_the_original_scale() -> None:
    X, y = planted(40_000)
    model = LogisticRegression(l2=1e-3).fit(X, y)
    error = np.abs(model.coefficients / model.scale - [1.5, -0.4, 0.0])
    assert (error < [0.08, 0.03, 0.5]).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), l2=st.floats(0.1, 100.0))
def test_gradient_vanishes_at_the_fit(seed: int, l2: float) -> None:
    X, y = planted(200, seed)
    model = LogisticRegression(l2=l2).fit(X, y)
    design = (X - model.mean) / model.scale
    residual = model.predict_proba(X) - y
    np.testing.assert_allclose(design.T @ residual + l2 * model.coefficients, 0.0, atol=1e-2)
    assert residual.sum() == pytest.approx(0.0, abs=1e-2)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_an_integer_weight_equals_repeating_the_row(seed: int) -> None:
    X, y = planted(120, seed)
    weights = np.random.default_rng(seed).integers(1, 4, len(y))
    weighted = LogisticRegression().fit(X, y, weights)
    repeated = LogisticRegression().fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-4)


def test_contributions_and_intercept_add_up_to_the_logit() -> None:
    X, y = planted(500)
    X[3, 1] = np.nan
    model = LogisticRegression().fit(X, y)
    np.testing.assert_allclose(model.contributions(X).sum(axis=1) + model.intercept, model.logits(X))
    assert model.contributions(X)[3, 1] == 0.0


def test_equal_data_give_an_equal_model() -> None:
    X, y = planted(500)
    first, second = LogisticRegression().fit(X, y), LogisticRegression().fit(X, y)
    np.testing.assert_array_equal(first.coefficients, second.coefficients)


def test_a_constant_column_gets_no_weight() -> None:
    X, y = planted(500)
    X[:, 2] = 0.1
    assert LogisticRegression().fit(X, y).coefficients[2] == pytest.approx(0.0, abs=1e-6)


def test_sparse_and_dense_features_give_the_same_model() -> None:
    X, y = planted(500)
    recipe = LogisticRegression(standardise=False)
    dense, thin = recipe.fit(X, y), recipe.fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(dense.predict_proba(X), thin.predict_proba(sparse.csr_array(X)), atol=1e-5)


def test_a_saved_model_answers_the_same(tmp_path: Path) -> None:
    X, y = planted(300)
    model = LogisticRegression().fit(X, y, feature_names=["a", "b", "c"])
    model.save(tmp_path / "deep" / "model.npz")
    loaded = LogisticModel.load(tmp_path / "deep" / "model.npz")
    np.testing.assert_array_equal(model.predict_proba(X), loaded.predict_proba(X))
    assert loaded.feature_names == ("a", "b", "c")
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["model.npz"]


def test_a_foreign_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, something=np.ones(3))
    with pytest.raises(ValueError, match=r"other\.npz: expected an archive of format mixer\.logistic"):
        LogisticModel.load(path)


@pytest.mark.parametrize(
    ("X", "y", "weights", "message"),
    [
        (np.ones(3), [0, 1, 0], None, "2 dimensions"),
        (np.ones((3, 1)), [0, 1], None, r"y: expected shape \(3,\)"),
        (np.ones((3, 1)), [0, 1, 2], None, "labels 0 and 1"),
        (np.ones((3, 1)), [1, 1, 1], None, "single class"),
        (np.ones((3, 1)), [0, 1, 1], [1, -1, 1], "not negative"),
        ([[1.0], [np.inf], [0.0]], [0, 1, 1], None, "row 1, column 0"),
    ],
)
def test_bad_input_names_what_was_expected(X: object, y: object, weights: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LogisticRegression().fit(X, y, weights)  # type: ignore[arg-type]  # wrong on purpose


def test_a_wrong_number_of_features_is_refused() -> None:
    X, y = planted(100)
    with pytest.raises(ValueError, match="expected 3 features, got 2"):
        LogisticRegression().fit(X, y).predict_proba(X[:, :2])
