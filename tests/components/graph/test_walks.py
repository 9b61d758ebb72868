from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.graph.edges import adjacency
from components.graph.walks import personalised_pagerank, salsa

NODES = 7
EDGES = st.lists(st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1)), max_size=30)


def following(edges):
    return {u: {v for w, v in edges if w == u and v != u} for u in range(NODES)}


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


@pytest.mark.parametrize("walk", [personalised_pagerank, salsa])
def test_walks_need_a_seed_in_the_graph(walk):
    with pytest.raises(ValueError, match="seeds: expected one at least"):
        walk(adjacency([[0, 1]], 2), [])
    with pytest.raises(ValueError, match="0 to 1"):
        walk(adjacency([[0, 1]], 2), [2])
