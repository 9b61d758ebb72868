from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.graph.edges import adjacency
from components.graph.walks import (
    SalsaExpansionConfig,
    personalised_pagerank,
    salsa,
    salsa_expansion,
    triangular_loops,
    two_hop,
    without,
)

NODES = 7
EDGES = st.lists(st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1)), max_size=30)


def following(edges):
    return {u: {v for w, v in edges if w == u and v != u} for u in range(NODES)}


@given(EDGES)
def test_two_hops_equal_counting_paths_to_strangers(edges):
    follows = following(edges)
    got = two_hop(adjacency(edges, NODES), adjacency(edges, NODES), NODES).toarray()
    for viewer in range(NODES):
        for candidate in range(NODES):
            paths = sum(candidate in follows[friend] for friend in follows[viewer])
            stranger = candidate != viewer and candidate not in follows[viewer]
            assert got[viewer, candidate] == (paths if stranger else 0)


def test_two_hops_multiply_weights_and_keep_the_best():
    first = adjacency([[0, 1], [0, 2]], 6, [0.9, 0.2])
    second = adjacency([[1, 3], [2, 3], [2, 4], [1, 5]], 6, [1.0, 1.0, 3.0, 0.1])
    best = two_hop(first, second, 2)
    assert best.indices.tolist() == [3, 4]
    assert best.data.tolist() == pytest.approx([1.1, 0.6])


@given(EDGES)
def test_triangular_loops_equal_the_definition(edges):
    follows = following(edges)
    got = triangular_loops(adjacency(edges, NODES)).toarray()
    for v in range(NODES):
        for u in range(NODES):
            loop = u != v and v in follows[u] and u not in follows[v]
            loop = loop and any(u in follows[w] for w in follows[v])
            degree = len(follows[u]) + sum(u in follows[w] for w in follows)
            assert got[v, u] == (pytest.approx(1 / max(1, degree)) if loop else 0.0)


@settings(max_examples=25)
@given(EDGES, st.integers(0, NODES - 1))
def test_personalised_pagerank_solves_its_equation(edges, seed):
    dense = adjacency(edges, NODES).toarray()
    home = np.eye(NODES)[seed]
    totals = dense.sum(axis=1, keepdims=True)
    walk = np.where(totals > 0, dense / np.maximum(totals, 1e-12), home)
    exact = np.linalg.solve(np.eye(NODES) - 0.85 * walk.T, 0.15 * home)
    assert np.allclose(personalised_pagerank(adjacency(edges, NODES), [seed]).shares, exact, atol=1e-6)


@settings(max_examples=25)
@given(EDGES, st.sets(st.integers(0, NODES - 1), min_size=1))
def test_salsa_equals_a_walk_step_by_step(edges, seeds):
    follows = following(edges)
    home = {u: 1 / len(seeds) if u in seeds else 0.0 for u in range(NODES)}
    hubs, authorities = dict(home), {}
    for step in range(31):
        authorities = dict.fromkeys(range(NODES), 0.0)
        for u in range(NODES):
            for v in follows[u]:
                authorities[v] += hubs[u] / len(follows[u])
        if step == 30:
            break
        back = dict.fromkeys(range(NODES), 0.0)
        for v, share in authorities.items():
            pointing = [u for u in range(NODES) if v in follows[u]]
            for u in pointing:
                back[u] += share / len(pointing)
        lost = sum(hubs[u] for u in range(NODES) if not follows[u])
        hubs = {u: 0.8 * (back[u] + lost * home[u]) + 0.2 * home[u] for u in range(NODES)}
    got = salsa(adjacency(edges, NODES), sorted(seeds), restart=0.2, iterations=30)
    assert np.allclose(got.hubs, [hubs[u] for u in range(NODES)])
    assert np.allclose(got.authorities, [authorities[u] for u in range(NODES)])
    assert got.hubs.sum() == pytest.approx(1.0)


def test_expansion_wants_two_connectors_sums_scores_and_names_three():
    similar = adjacency(
        [[0, 5], [1, 5], [2, 5], [3, 5], [0, 6], [1, 6], [2, 7], [0, 1]],
        8,
        [0.1, 0.4, 0.3, 0.2, 0.9, 0.9, 5.0, 9.0],
    )
    found = salsa_expansion(similar, [0, 1, 2, 3])
    assert found.candidates.tolist() == [6, 5]
    assert found.scores.tolist() == pytest.approx([1.8, 1.0])
    assert [proof.tolist() for proof in found.connectors] == [[0, 1], [1, 2, 3]]
    assert salsa_expansion(similar, [2]).candidates.tolist() == [7, 5]
    assert salsa_expansion(similar, []).candidates.tolist() == []
    one_each = SalsaExpansionConfig(neighbours=1, connectors=1)
    assert salsa_expansion(similar, [1, 2], one_each).candidates.tolist() == [7, 6]


def test_expansion_defaults_are_the_published_ones():
    config = SalsaExpansionConfig()
    assert (config.neighbours, config.connectors, config.proofs, config.results) == (2000, 2, 3, 200)


@pytest.mark.parametrize(("seeds", "weights"), [([], None), ([0], [0.0]), ([0], [-1.0]), ([0], [1.0, 2.0])])
def test_walks_need_a_seed_of_positive_weight(seeds, weights):
    for walk in (personalised_pagerank, salsa):
        with pytest.raises(ValueError, match="seeds"):
            walk(adjacency([[0, 1]], 2), seeds, weights)
    with pytest.raises(ValueError, match="0 to 1"):
        salsa(adjacency([[0, 1]], 2), [2])


def test_walks_of_empty_graphs_are_empty():
    empty = adjacency([], 0)
    assert two_hop(empty, empty, 3).shape == (0, 0)
    assert triangular_loops(empty).shape == (0, 0)
    assert triangular_loops(adjacency([], 4)).nnz == 0
    assert without(adjacency([[0, 1]], 2), adjacency([[0, 1]], 2)).nnz == 0
