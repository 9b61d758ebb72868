from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from components.embeddings.simclusters.communities import (
    MIN_BLOCKS,
    NONE,
    Partition,
    detect_communities,
    initial_partition,
    membership,
)
from components.embeddings.simclusters.config import CommunityConfig, Temperature
from components.graph.edges import adjacency

NODES = 8
graphs = st.lists(
    st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1), st.floats(0.05, 1.0)), max_size=24
).map(
    lambda listed: adjacency(
        np.array([edge[:2] for edge in listed], dtype=np.int64).reshape(-1, 2),
        NODES,
        [edge[2] for edge in listed],
        directed=False,
    )
)


def log_likelihood(graph, cluster, vertex, candidate, weight):
    """As published, with n and the degree written out."""
    near = {
        int(other): float(value)
        for other, value in zip(
            graph.indices[graph.indptr[vertex] : graph.indptr[vertex + 1]],
            graph.data[graph.indptr[vertex] : graph.indptr[vertex + 1]],
            strict=True,
        )
    }
    members = [
        v for v in range(graph.shape[0]) if v != vertex and candidate != NONE and cluster[v] == candidate
    ]
    tp = [near[v] for v in members if v in near]
    tn = (graph.shape[0] - len(members)) - (len(near) - len(tp))
    return weight * sum(tp) + tn * (sum(near.values()) / len(near) if near else 0.0)


def naive_epoch(graph, start, config, seed, epoch):
    """One producer at a time, with dictionaries; draws the same random numbers in the same order."""
    rng = np.random.default_rng([seed, epoch])
    cluster, accepted = start.copy(), 0
    heat = config.temperature
    scale = config.scale if heat is None else 1 / (heat.start * heat.ratio ** (epoch + 1))
    for vertex in rng.permutation(len(cluster)).tolist():
        near = graph.indices[graph.indptr[vertex] : graph.indptr[vertex + 1]]
        candidates = sorted({NONE, *cluster[near].tolist()})
        value = {c: log_likelihood(graph, cluster, vertex, c, config.weight) for c in candidates}
        noise = dict(zip(candidates, rng.gumbel(size=len(candidates)).tolist(), strict=True))
        proposal = max(candidates, key=lambda c: value[c] + noise[c])
        log_u = math.log1p(-rng.random(1)[0])
        here = cluster[vertex]
        gain = value[proposal] - log_likelihood(graph, cluster, vertex, here, config.weight)
        if proposal != here and log_u < scale * gain:
            cluster[vertex], accepted = proposal, accepted + 1
    return cluster, accepted


@settings(max_examples=60)
@given(graphs, st.integers(1, 5), st.integers(0, 3), st.sampled_from([None, Temperature()]))
def test_an_epoch_equals_a_naive_one_vertex_after_another(graph, clusters, seed, temperature):
    config = CommunityConfig(
        clusters=clusters, epochs=3, block=1, weight=3.0, temperature=temperature, min_acceptance=0.0
    )
    start = initial_partition(graph, config)
    expected = start.cluster
    for epoch in range(3):
        expected, accepted = naive_epoch(graph, expected, config, seed, epoch)
    found = detect_communities(graph, config, seed)
    assert found.cluster.tolist() == expected.tolist()
    assert found.acceptance == accepted / NODES


def test_the_temperature_schedule_is_the_published_one():
    assert (Temperature().start, Temperature().ratio) == (100.0, 0.95)


def random_graph(nodes=400, seed=3):
    rng = np.random.default_rng(seed)
    group = np.arange(nodes) // 20
    pairs = rng.integers(0, nodes, (nodes * 150, 2))
    keep = (group[pairs[:, 0]] == group[pairs[:, 1]]) | (rng.random(len(pairs)) < 0.005)
    pairs = pairs[keep]
    return adjacency(pairs, nodes, rng.random(len(pairs)), directed=False), group


def test_equal_seeds_give_equal_clusters_and_others_differ():
    graph, _ = random_graph()
    config = CommunityConfig(clusters=30, min_acceptance=0.0)
    first, again, other = (detect_communities(graph, config, seed).cluster for seed in (0, 0, 1))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_going_on_from_a_saved_epoch_gives_the_same_clusters():
    graph, _ = random_graph()
    config = CommunityConfig(clusters=30, epochs=4, min_acceptance=0.0)
    saved = []
    whole = detect_communities(graph, config, 5, save=saved.append)
    resumed = detect_communities(graph, config, 5, start=saved[1])
    assert saved[1].epoch == 2
    assert resumed.cluster.tolist() == whole.cluster.tolist()


def test_planted_communities_of_producers_are_found():
    from sklearn.metrics import normalized_mutual_info_score as nmi

    graph, group = random_graph()
    found = detect_communities(graph, CommunityConfig(clusters=40, epochs=20), 0)
    assert nmi(group, found.cluster) > 0.9


def test_optimisation_stops_when_hardly_any_move_is_accepted():
    graph, _ = random_graph()
    config = CommunityConfig(clusters=40, epochs=200, weight=1e6)
    found = detect_communities(graph, config, 0)
    assert found.epoch < 200
    assert found.acceptance < 0.01


def test_parallel_moves_keep_sizes_right(monkeypatch):
    graph, _ = random_graph()
    monkeypatch.setattr("components.embeddings.simclusters.communities.MIN_BLOCKS", 2)
    found = detect_communities(graph, CommunityConfig(clusters=30, epochs=6, block=200), 0)
    assert MIN_BLOCKS == 32
    assert found.cluster.min() >= NONE
    assert found.cluster.max() < 30


def test_seeds_take_their_neighbourhoods_and_the_others_fill_empty_clusters():
    star = adjacency([[0, 1], [0, 2], [0, 3], [4, 5]], 8, directed=False)
    start = initial_partition(star, CommunityConfig(clusters=3))
    assert start.cluster.tolist() == [0, 0, 0, 0, 1, 1, 2, NONE]


def test_a_warm_start_keeps_clusters_and_gives_newcomers_the_empty_ones():
    graph = adjacency([[0, 1]], 4, directed=False)
    start = initial_partition(graph, CommunityConfig(clusters=3), np.array([2, 2, NONE, NONE]))
    assert start.cluster.tolist() == [2, 2, 0, 1]


@pytest.mark.parametrize("nodes", [0, 1, 5])
def test_a_graph_without_edges_has_no_members(nodes):
    graph = sparse.csr_array((nodes, nodes))
    found = detect_communities(graph, CommunityConfig(), 0)
    assert membership(graph, found).nnz == 0


def test_membership_is_the_share_of_weight_that_stays_inside():
    graph = adjacency([[0, 1], [0, 2], [3, 4]], 5, [0.6, 0.2, 0.5], directed=False)
    partition = Partition(np.array([0, 0, 1, 0, NONE]), 2)
    scores = membership(graph, partition).toarray()
    assert scores[:, 0].tolist() == pytest.approx([0.75, 1.0, 0.0, 0.0, 0.0])
    assert scores[:, 1].tolist() == [0.0] * 5


def test_overlap_counts_members_who_are_no_neighbours():
    graph = adjacency([[0, 1], [0, 2], [3, 4]], 5, [0.6, 0.2, 0.5], directed=False)
    partition = Partition(np.array([0, 0, 1, 0, NONE]), 2)
    scores = membership(graph, partition, "overlap").toarray()
    # TP .6, FN .2, one stranger (3) at the mean weight .4; then TP .6 and one stranger at .6.
    assert scores[:2, 0].tolist() == pytest.approx([0.5, 0.5])


@given(graphs, st.integers(1, 5), st.integers(0, 2))
def test_a_producer_is_known_for_one_cluster_at_most(graph, clusters, seed):
    found = detect_communities(graph, CommunityConfig(clusters=clusters), seed)
    for kind in ("affiliation", "overlap"):
        scores = membership(graph, found, kind)
        assert np.diff(scores.indptr).max() <= 1
        assert ((scores.data > 0) & (scores.data <= 1 + 1e-9)).all()
