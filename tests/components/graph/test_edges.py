from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.graph.edges import adjacency, checked_edges, rank_within, scale_rows, top_per_row

EDGES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=20)


@given(EDGES, st.booleans())
def test_adjacency_equals_setting_entries_one_by_one(edges, directed):
    expected = np.zeros((6, 6))
    for u, v in edges:
        if u != v:
            expected[u, v] = 1.0
            if not directed:
                expected[v, u] = 1.0
    assert np.array_equal(adjacency(edges, 6, directed=directed).toarray(), expected)


def test_weights_of_duplicate_edges_add_up_and_zero_weights_vanish():
    matrix = adjacency([[0, 1], [0, 1], [1, 0]], 2, [0.5, 2.0, 0.0])
    assert matrix.toarray().tolist() == [[0.0, 2.5], [0.0, 0.0]]
    assert matrix.nnz == 1


@given(EDGES, st.integers(0, 4), st.integers(0, 2**32 - 1))
def test_top_per_row_equals_sorting_each_row(edges, k, seed):
    weights = np.random.default_rng(seed).integers(1, 4, len(edges))
    matrix = adjacency(edges, 6, weights)
    kept = top_per_row(matrix, k).toarray()
    for row, full in zip(kept, matrix.toarray(), strict=True):
        order = sorted(np.flatnonzero(full), key=lambda column: (-full[column], column))[:k]
        assert np.flatnonzero(row).tolist() == sorted(int(column) for column in order)
        assert all(row[column] == full[column] for column in order)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([[0, 1, 2]], r"shape \(n, 2\)"),
        ([[0.5, 1.0]], "integers"),
        ([[0, 9]], "0 to 3"),
        ([[-1, 0]], "0 to 3"),
    ],
)
def test_bad_edges_are_named(edges, message):
    with pytest.raises(ValueError, match=message):
        adjacency(edges, 4)


@pytest.mark.parametrize("weights", [[1.0], [-1.0, 1.0], [np.nan, 1.0]])
def test_bad_weights_are_named(weights):
    with pytest.raises(ValueError, match="weights"):
        adjacency([[0, 1], [1, 0]], 2, weights)


def test_no_edges_are_fine():
    assert checked_edges([]).shape == (0, 2)
    assert adjacency([], 0).shape == (0, 0)
    assert top_per_row(adjacency([], 3), 2).nnz == 0
    assert rank_within(np.zeros(0, np.int64)).tolist() == []


def test_rows_are_scaled_by_their_own_factor():
    matrix = adjacency([[0, 1], [1, 0]], 2)
    assert scale_rows(matrix, np.array([2.0, 3.0])).toarray().tolist() == [[0.0, 2.0], [3.0, 0.0]]
