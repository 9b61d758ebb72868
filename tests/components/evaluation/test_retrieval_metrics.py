from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evaluation import InvalidInputError, Truth, source_recall

FETCHED = st.dictionaries(
    st.tuples(st.integers(0, 3), st.integers(0, 2)),
    st.lists(st.integers(0, 15), unique=True, max_size=8),
    max_size=8,
)
TRUTHS = st.dictionaries(st.integers(0, 4), st.sets(st.integers(0, 15), max_size=6), max_size=4)


def flat(fetched):
    rows = [(u, item, s, rank) for (u, s), items in fetched.items() for rank, item in enumerate(items)]
    return np.array(rows, np.int64).reshape(-1, 4).T


@given(FETCHED, TRUTHS, st.integers(1, 9))
def test_source_recall_agrees_with_sets(fetched, relevant, k):
    result = source_recall(*flat(fetched), Truth.of(relevant), k)
    for row, user in enumerate(result.users.tolist()):
        wanted = relevant.get(user, set())
        hits = [wanted & set(fetched.get((user, s), ())[:k]) for s in result.sources.tolist()]
        if not wanted:
            assert np.isnan([*result.recall[row], *result.unique[row], result.union[row]]).all()
            continue
        assert result.union[row] == pytest.approx(len(set().union(*hits)) / len(wanted))
        for column, own in enumerate(hits):
            others = set().union(*hits[:column], *hits[column + 1 :])
            assert result.recall[row, column] == pytest.approx(len(own) / len(wanted))
            assert result.unique[row, column] == pytest.approx(len(own - others) / len(wanted))


@given(FETCHED, TRUTHS, st.integers(1, 9))
def test_the_union_lies_between_the_best_source_and_the_sum(fetched, relevant, k):
    result = source_recall(*flat(fetched), Truth.of(relevant), k)
    defined = ~np.isnan(result.union)
    best = result.recall[defined].max(axis=1, initial=0.0)
    assert (best <= result.union[defined] + 1e-12).all()
    assert (result.union[defined] <= result.recall[defined].sum(axis=1) + 1e-12).all()
    assert (result.unique[defined].sum(axis=1) <= result.union[defined] + 1e-12).all()


def test_pairs_with_gain_zero_are_not_relevant():
    result = source_recall([1], [5], [0], [0], Truth([1, 1], [5, 6], [0.0, 1.0]), k=3)
    assert result.union.tolist() == [0.0]


def test_lengths_that_differ_are_refused():
    with pytest.raises(InvalidInputError, match="user 1, item 1, source 2, rank 1"):
        source_recall([1], [5], [0, 1], [0], Truth([], []), k=3)
