from __future__ import annotations

import anyio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.models.logistic import LogisticModel
from components.rankers.light import LogisticRanker, feature_matrix
from components.rankers.two_heads import TwoHeads
from components.stores.types import Account
from mixer import Candidates, Target

INPUTS = (Account.followers, Account.connectors)


def model(*coefficients):
    names = tuple(key.name for key in INPUTS)
    return LogisticModel(np.array(coefficients), -1.0, np.zeros(2), np.ones(2), names)


FOLLOW, ENGAGEMENT = model(0.5, 0.1), model(-0.4, 0.9)
FEATURES = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=12)


@given(FEATURES, st.sampled_from([0.0, 0.5, 3.0, 100.0]))
def test_a_follow_is_worth_more_when_engagement_comes_of_it(rows, weight):
    followers, connectors = np.array(rows, dtype=np.float32).reshape(-1, 2).T
    batch = Candidates(
        Account,
        {
            Account.id: np.arange(len(rows)),
            Account.followers: followers,
            Account.connectors: connectors.astype(np.int32),
        },
    )
    ranker = TwoHeads(LogisticRanker(FOLLOW, INPUTS, Account.score), ENGAGEMENT, weight)
    ranked = anyio.run(ranker.rank, Target(), batch)
    features = feature_matrix(ranked, INPUTS)
    follow, engaged = FOLLOW.predict_proba(features), ENGAGEMENT.predict_proba(features)
    scores = ranked[Account.score]
    assert scores == pytest.approx(follow * (1 + weight * engaged) / (1 + weight), rel=1e-5)
    assert ranked[Account.follow_probability] == pytest.approx(follow, rel=1e-5)
    assert ranked[Account.engagement_probability] == pytest.approx(engaged, rel=1e-5)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)
    assert sorted(ranked.ids.tolist()) == list(range(len(rows)))
