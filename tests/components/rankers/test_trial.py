from __future__ import annotations

import anyio
import attrs
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from components.predicates.timeline import holdout_bucket
from components.rankers.trial import ProducerTrial
from components.stores.types import Account
from mixer import Candidates, Column, Ranker, Target
from mixer.testing import failing


@attrs.frozen
class By(Ranker):
    key: Column

    def rank(self, target, candidates):
        return candidates.sort(self.key)


ORDERS = st.lists(st.integers(0, 10**6), unique=True, min_size=1, max_size=12).flatmap(
    lambda ids: st.tuples(st.just(ids), st.permutations(range(len(ids))), st.permutations(range(len(ids))))
)


def batch(ids, ours, theirs):
    columns = {Account.id: ids, Account.score: ours, Account.popular_score: theirs}
    kinds = {Account.id: np.int64, Account.score: np.float32, Account.popular_score: np.float32}
    return Candidates(Account, {key: np.array(values, dtype=kinds[key]) for key, values in columns.items()})


def ranked(percent, orders):
    ranker = ProducerTrial(By(Account.score), By(Account.popular_score), percent)
    return anyio.run(ranker.rank, Target(), batch(*orders)).ids.tolist()


@given(ORDERS)
def test_accounts_on_trial_stand_where_the_trial_puts_them(orders):
    ids, ours, theirs = orders
    expected, slots = [ids[at] for at in np.argsort(ours)[::-1]], [ids[at] for at in np.argsort(theirs)[::-1]]
    on_trial = {one for one in ids if holdout_bucket(np.array([one]), 0)[0] < 50}
    found = ranked(50.0, orders)
    if on_trial and len(on_trial) < len(ids):
        assert {one: at for at, one in enumerate(found) if one in on_trial} == {
            one: at for at, one in enumerate(slots) if one in on_trial
        }
        assert [one for one in found if one not in on_trial] == [
            one for one in expected if one not in on_trial
        ]
    else:
        assert found == expected


@given(ORDERS)
def test_without_a_trial_production_decides(orders):
    ids, ours, _ = orders
    assert ranked(0.0, orders) == [ids[at] for at in np.argsort(ours)[::-1]]


@given(ORDERS)
def test_a_broken_trial_leaves_it_to_production(orders):
    ids, ours, _ = orders
    ranker = ProducerTrial(By(Account.score), failing(By(Account.popular_score)), 50.0)
    found = anyio.run(ranker.rank, Target(), batch(*orders)).ids.tolist()
    assert found == [ids[at] for at in np.argsort(ours)[::-1]]
