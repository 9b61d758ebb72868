from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import metrics as reference

from components.evaluation import (
    InvalidInputError,
    auc,
    average_precision,
    grouped_auc,
    log_loss,
    nrce,
    precision_at_recall,
    rce,
)

# Few distinct values, so that ties are common; weights of 0 included.
SCORE = st.integers(0, 8).map(lambda i: i / 8) | st.floats(0, 1, allow_subnormal=False)
WEIGHT = st.sampled_from([0.0, 0.25, 1.0, 3.0]) | st.floats(0.01, 100)
ROWS = st.lists(st.tuples(st.integers(0, 1), SCORE, WEIGHT), min_size=2, max_size=60)


def columns(rows):
    label, score, weight = np.array(rows, np.float64).T
    assume((weight * label).any() and (weight * (1 - label)).any())
    return label, score, weight


@given(ROWS)
def test_auc_agrees_with_scikit_learn(rows):
    label, score, weight = columns(rows)
    used = weight > 0
    expected = reference.roc_auc_score(label[used], score[used], sample_weight=weight[used])
    assert auc(label, score, weight) == pytest.approx(expected, abs=1e-9)


@given(ROWS)
def test_auc_counts_pairs_with_ties_as_one_half(rows):
    label, score, weight = columns(rows)
    positive, negative = label == 1, label == 0
    gap = score[positive][:, None] - score[negative][None, :]
    mass = weight[positive][:, None] * weight[negative][None, :]
    assert auc(label, score, weight) == pytest.approx(
        (mass * (np.sign(gap) + 1) / 2).sum() / mass.sum(), abs=1e-9
    )


@given(ROWS)
def test_average_precision_agrees_with_scikit_learn(rows):
    label, score, weight = columns(rows)
    expected = reference.average_precision_score(label, score, sample_weight=weight)
    assert average_precision(label, score, weight) == pytest.approx(expected, abs=1e-9)


@given(ROWS, st.sampled_from([0.1, 0.5, 0.9]))
def test_precision_at_recall_agrees_with_scikit_learn(rows, target):
    label, score, weight = columns(rows)
    p, r, _ = reference.precision_recall_curve(label, score, sample_weight=weight)
    expected = p[:-1][r[:-1] >= target - 1e-12].max()
    assert precision_at_recall(label, score, weight, recall=target) == pytest.approx(expected, abs=1e-9)


@given(ROWS)
def test_log_loss_agrees_with_scikit_learn(rows):
    label, p, weight = columns(rows)
    expected = reference.log_loss(label, np.clip(p, 1e-7, 1 - 1e-7), sample_weight=weight)
    assert log_loss(label, p, weight) == pytest.approx(expected, abs=1e-9)


def relative_cross_entropy(label, p, weight):
    mean = np.full(len(label), np.average(label, weights=weight))
    model = reference.log_loss(label, np.clip(p, 1e-7, 1 - 1e-7), sample_weight=weight)
    return 100 * (1 - model / reference.log_loss(label, mean, sample_weight=weight))


@given(ROWS)
def test_rce_and_nrce_agree_with_scikit_learn_cross_entropies(rows):
    label, p, weight = columns(rows)
    assume(weight @ p > 0)
    scaled = p * (np.average(label, weights=weight) / np.average(p, weights=weight))
    assert rce(label, p, weight) == pytest.approx(
        relative_cross_entropy(label, p, weight), rel=1e-9, abs=1e-9
    )
    assert nrce(label, p, weight) == pytest.approx(
        relative_cross_entropy(label, scaled, weight), rel=1e-9, abs=1e-9
    )


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1), SCORE, WEIGHT), max_size=60))
def test_grouped_auc_is_the_auc_of_each_group(rows):
    group, label, score, weight = np.array(rows, np.float64).reshape(-1, 4).T
    group = group.astype(np.int64)
    values, mean = grouped_auc(label, score, group, weight)
    masks = [group == g for g in np.unique(group)]
    expected = np.array([auc(label[m], score[m], weight[m]) for m in masks])
    np.testing.assert_allclose(values, expected, atol=1e-9)
    size, defined = np.array([weight[m].sum() for m in masks]), ~np.isnan(expected)
    if defined.any():
        assert mean == pytest.approx(np.average(expected[defined], weights=size[defined]))
    else:
        assert math.isnan(mean)


@given(ROWS, st.randoms(use_true_random=False))
def test_no_metric_depends_on_the_order_of_rows(rows, random):
    label, score, weight = columns(rows)
    shuffled = list(range(len(rows)))
    random.shuffle(shuffled)
    for metric in (auc, average_precision, precision_at_recall, log_loss, rce):
        here, there = (metric(label[i], score[i], weight[i]) for i in (slice(None), shuffled))
        assert here == pytest.approx(there, rel=1e-9, abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 1), SCORE, st.integers(0, 3)), min_size=2, max_size=30))
def test_an_integer_weight_is_that_many_copies_of_the_row(rows):
    label, score, weight = columns(rows)
    copies = [np.repeat(column, weight.astype(int)) for column in (label, score)]
    for metric in (auc, average_precision, precision_at_recall, log_loss, rce):
        assert metric(label, score, weight) == pytest.approx(metric(*copies), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_auc_of_shuffled_labels_is_one_half(seed):
    rng = np.random.default_rng(seed)
    score = rng.random(100_000)
    label = (rng.random(100_000) < score).astype(float)
    assert auc(label, score) > 0.8
    assert auc(rng.permutation(label), score) == pytest.approx(0.5, abs=0.01)


def test_predicting_the_mean_label_has_rce_zero():
    assert rce([1, 0, 0, 0], [0.25] * 4) == pytest.approx(0.0, abs=1e-12)


def test_nrce_forgives_a_wrong_mean_and_rce_does_not():
    rng = np.random.default_rng(5)
    p = rng.beta(1, 30, 20_000)
    label = (rng.random(20_000) < p).astype(float)
    assert rce(label, np.minimum(p * 10, 1)) < 0 < nrce(label, np.minimum(p * 10, 1))
    assert rce(label, p) == pytest.approx(nrce(label, p), abs=0.5)


@pytest.mark.parametrize("label", [[1, 1], [0, 0], []])
@pytest.mark.parametrize("metric", [auc, average_precision, precision_at_recall, rce, nrce])
def test_one_class_is_undefined(metric, label):
    assert math.isnan(metric(label, [0.2, 0.7][: len(label)]))


def test_a_class_without_weight_is_undefined():
    assert math.isnan(auc([1, 0], [0.2, 0.7], [1.0, 0.0]))
    assert math.isnan(log_loss([1], [0.5], [0.0]))
    assert math.isnan(nrce([1, 0], [0.0, 0.0]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: auc([1, 2], [0.1, 0.2]), r"label: expected only 0 and 1, row 1 holds 2\.0"),
        (lambda: auc([1, 0], [0.1, math.nan]), "score: expected finite numbers, row 1 holds nan"),
        (lambda: auc([1, 0], [0.1]), "label 2, score 1"),
        (lambda: auc(["a"], [0.1]), "label: expected numbers, got dtype <U1"),
        (lambda: auc([1, 0], [0.1, 0.2], [1.0, -1.0]), "weight: expected values >= 0"),
        (lambda: auc([1, 0], [0.1, 0.2], [1.0]), "rows 2, weight 1"),
        (lambda: rce([1, 0], [0.1, 1.2]), r"probability: expected values within \[0, 1\], row 1 holds 1\.2"),
        (
            lambda: precision_at_recall([1, 0], [0.1, 0.2], recall=1.0),
            "recall: expected a number strictly between",
        ),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call()
