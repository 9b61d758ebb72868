"""Spectral embeddings: exact at full rank, harmless on odd graphs, and good at predicting links."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.io import loadmat

from components.embeddings.spectral import spectral_embedding
from components.evaluation.classification import auc
from components.graph.edges import adjacency
from components.graph.link_prediction import hide_edges


def test_inner_products_give_the_adjacency_back_when_nothing_is_cut_off():
    groups = np.repeat([0, 1, 2], 10)
    graph = adjacency(np.argwhere(groups[:, None] == groups), 30, directed=False)
    noisy = sparse.csr_array(graph + sparse.eye_array(30))
    left, right = spectral_embedding(noisy, 3)
    np.testing.assert_allclose(left @ right.T, noisy.toarray(), atol=1e-8)


def test_a_graph_without_edges_has_vectors_of_zeros():
    left, right = spectral_embedding(adjacency([], 5), 3)
    assert not left.any()
    assert not right.any()
    assert left.shape == (5, 3)


def test_isolated_nodes_are_similar_to_nothing():
    left, _ = spectral_embedding(adjacency([[0, 1], [1, 2], [0, 2]], 5, directed=False), 2)
    assert left[:3].any()
    assert np.abs(left[3:]).max() < 1e-12


def test_the_seed_decides():
    graph = adjacency([[0, 1], [1, 2], [2, 3], [3, 4]], 6, directed=False)
    np.testing.assert_array_equal(spectral_embedding(graph, 3)[0], spectral_embedding(graph, 3)[0])


def test_polblogs_links_are_predicted_with_an_auc_of_92_5(shared):
    network = loadmat(shared / "data" / "polblogs" / "PB.mat")["net"]
    edges, nodes, found = np.argwhere(network.toarray()), network.shape[0], []
    for seed in range(5):
        split = hide_edges(edges, nodes, seed=seed)
        left, right = spectral_embedding(adjacency(split.train, nodes, directed=False), 16)
        scores = (left[split.pairs[:, 0]] * right[split.pairs[:, 1]]).sum(axis=1)
        found.append(100 * auc(split.labels, scores))
    assert np.mean(found) >= 92.5, found
