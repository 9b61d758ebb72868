from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.models.logistic import LogisticRegression
from components.rankers.fatigue import ImpressionFatigue
from components.rankers.light import LogisticRanker, feature_matrix
from components.rankers.training import Examples, fit
from components.stores.requests import PeopleRequest
from components.stores.types import Account
from mixer import Candidates

INPUTS = (Account.followers, Account.connectors)


def accounts(followers, connectors=None):
    count = len(followers)
    columns = {Account.id: np.arange(count), Account.followers: np.array(followers, dtype=np.float32)}
    if connectors is not None:
        columns[Account.connectors] = np.array(connectors, dtype=np.int32)
    return Candidates(Account, columns)


def model():
    rng = np.random.default_rng(0)
    features = rng.gamma(1.0, 3.0, (400, 2))
    labels = rng.random(400) < 1 / (1 + np.exp(3 - features[:, 0]))
    return LogisticRegression().fit(features, labels, feature_names=[key.name for key in INPUTS])


MODEL = model()


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 50)), max_size=30))
def test_the_order_is_by_probability_and_ties_keep_theirs(rows):
    batch = accounts([row[0] for row in rows], [row[1] for row in rows])
    ranked = LogisticRanker(MODEL, INPUTS, Account.score).rank(None, batch)
    scores = MODEL.predict_proba(np.log1p(np.array(rows, dtype=float).reshape(-1, 2))).astype(np.float32)
    expected = sorted(range(len(rows)), key=lambda row: -scores[row])
    assert ranked.ids.tolist() == expected
    assert ranked[Account.score].tolist() == scores[expected].tolist()


def test_a_missing_feature_counts_as_its_mean():
    ranker = LogisticRanker(MODEL, INPUTS, Account.score)
    missing = ranker.rank(None, accounts([np.nan], [1]))[Account.score]
    mean = ranker.rank(None, accounts([np.expm1(MODEL.mean[0])], [1]))[Account.score]
    assert missing == pytest.approx(mean, rel=1e-5)


def test_a_model_of_other_features_is_refused():
    with pytest.raises(ValueError, match="followers"):
        LogisticRanker(MODEL, (Account.connectors, Account.followers), Account.score)


@given(st.lists(st.integers(0, 3), max_size=12))
def test_each_impression_costs_five_positions(counts):
    shown = np.repeat(np.arange(len(counts)), np.array(counts, dtype=np.int64))
    request = PeopleRequest(1, shown=np.random.default_rng(0).permutation(shown))
    ranked = ImpressionFatigue().rank(request, accounts([0] * len(counts)))
    assert ranked.ids.tolist() == sorted(range(len(counts)), key=lambda one: one + 5 * counts[one])
    unread = ImpressionFatigue().rank(PeopleRequest(1), accounts([0] * len(counts)))
    assert unread.ids.tolist() == list(range(len(counts)))


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(0, 10), st.integers(0, 99))
def test_sampled_rows_stand_for_all_candidates(acted, negatives, seed):
    labels = np.array(acted)
    batch = accounts(np.arange(len(labels)))
    rows = Examples.sampled(batch, INPUTS, labels, negatives, np.random.default_rng(seed))
    assert rows.labels.sum() == labels.sum()
    assert len(rows.labels) - labels.sum() == min(negatives, (~labels).sum())
    if negatives or labels.all():
        assert rows.weights.sum() == pytest.approx(len(labels))
    chosen = np.expm1(rows.features[:, 0]).round().astype(int)
    assert labels[chosen].tolist() == rows.labels.astype(bool).tolist()


def test_sampling_negatives_leaves_probabilities_calibrated():
    rng = np.random.default_rng(5)
    batches = [rng.gamma(1.0, 3.0, 500) for _ in range(40)]
    outcomes = [rng.random(500) < 0.02 * (1 + values) for values in batches]
    parts = [
        Examples.sampled(accounts(values), INPUTS, acted, 50, rng)
        for values, acted in zip(batches, outcomes, strict=True)
    ]
    fitted = fit(parts, INPUTS)
    predicted = np.concatenate(
        [fitted.predict_proba(feature_matrix(accounts(values), INPUTS)) for values in batches]
    )
    assert predicted.mean() == pytest.approx(np.concatenate(outcomes).mean(), rel=0.1)


@pytest.mark.parametrize("acted", [[False, False], [True, True]])
def test_nothing_to_learn_is_said_so(acted):
    part = Examples.sampled(accounts([1, 2]), INPUTS, np.array(acted), 5, np.random.default_rng(0))
    with pytest.raises(ValueError, match="acted on"):
        fit([part], INPUTS)
