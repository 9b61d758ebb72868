from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from components.stores.tally import looked_up, tally


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(1e-3, 1e3))))
def test_a_tally_is_what_bincount_says_of_what_occurs(listed):
    columns, weights = np.array([c for c, _ in listed], dtype=np.int32), np.array([w for _, w in listed])
    for given_weights in (None, weights):
        everything = np.bincount(columns, weights=given_weights, minlength=10)
        distinct, sums = tally(columns, given_weights)
        assert distinct.tolist() == np.unique(columns).tolist()
        assert sums.tolist() == everything[distinct].tolist()


@given(st.lists(st.integers(0, 9)), st.lists(st.integers(-1, 11)))
def test_what_is_looked_up_is_what_bincount_says_of_any_column(listed, asked):
    everything = np.bincount(np.array(listed, dtype=np.int64), minlength=12)
    found = looked_up(tally(np.array(listed, dtype=np.int32)), np.array(asked, dtype=np.int64))
    assert found.tolist() == [everything[column] if column >= 0 else 0 for column in asked]
