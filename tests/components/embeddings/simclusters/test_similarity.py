from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from components.embeddings.simclusters import similarity
from components.embeddings.simclusters.config import SimilarityConfig
from components.embeddings.simclusters.similarity import producer_similarity, producers_of
from components.graph.edges import adjacency

USERS = 9
edges = st.lists(st.tuples(st.integers(0, USERS - 1), st.integers(0, USERS - 1)), max_size=60)


def followers_of(listed):
    followers = {user: set() for user in range(USERS)}
    for source, end in listed:
        if source != end:
            followers[end].add(source)
    return followers


def naive(listed, least, neighbours, floor, *, squared):
    followers = {user: who for user, who in followers_of(listed).items() if len(who) >= least}
    kept = {}
    for one, fans in followers.items():
        near = [
            (-len(fans & others) / sqrt(len(fans) * len(others)), other)
            for other, others in followers.items()
            if other != one and fans & others
        ]
        near = [(value, other) for value, other in near if -value >= floor]
        # The library works in single precision, where equal cosines are equal.
        near = sorted((float(np.float32(value)), other) for value, other in near)
        for value, other in near[:neighbours]:
            for pair in ((one, other), (other, one)):
                kept[pair] = 10 * value**2 if squared else -value
    return kept


@given(edges, st.integers(1, 3), st.sampled_from([0.0, 0.45]), st.booleans())
def test_similarity_is_the_cosine_of_sets_of_followers(listed, least, floor, squared):
    follows = adjacency(np.array(listed, dtype=np.int64).reshape(-1, 2), USERS)
    producers = producers_of(follows, least)
    config = SimilarityConfig(min_followers=least, neighbours=USERS, min_similarity=floor, squared=squared)
    found = producer_similarity(follows, producers, config).tocoo()
    pairs = zip(producers[found.row].tolist(), producers[found.col].tolist(), strict=True)
    expected = naive(listed, least, USERS, floor, squared=squared)
    assert dict(zip(pairs, found.data.tolist(), strict=True)) == pytest.approx(expected, rel=1e-5)


@given(edges, st.integers(1, 3))
def test_an_edge_that_either_end_keeps_is_kept(listed, neighbours):
    follows = adjacency(np.array(listed, dtype=np.int64).reshape(-1, 2), USERS)
    whole = producer_similarity(follows, np.arange(USERS), SimilarityConfig(neighbours=USERS))
    cut = producer_similarity(follows, np.arange(USERS), SimilarityConfig(neighbours=neighbours))
    assert abs(cut - cut.T).nnz == 0
    assert (cut.diagonal() == 0).all()
    for row in range(USERS):
        full = whole[[row]].toarray().ravel()
        kept = set(np.flatnonzero(cut[[row]].toarray().ravel()).tolist())
        best = sorted(np.flatnonzero(full).tolist(), key=lambda other: (-full[other], other))[:neighbours]
        assert kept >= set(best)


@given(edges)
def test_blocks_do_not_change_the_product(listed):
    follows = adjacency(np.array(listed, dtype=np.int64).reshape(-1, 2), USERS)
    whole = producer_similarity(follows, np.arange(USERS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity, "PRODUCTS_A_BLOCK", 2)
        assert abs(whole - producer_similarity(follows, np.arange(USERS))).nnz == 0


def test_without_producers_there_is_an_empty_graph():
    follows = sparse.csr_array((4, 4))
    assert producer_similarity(follows, producers_of(follows, 1)).shape == (0, 0)


def test_progress_ends_with_all_producers():
    heard = []
    producer_similarity(adjacency([[0, 1], [0, 2]], 3), np.arange(3), listener=heard.append)
    assert (heard[-1].done, heard[-1].total) == (3, 3)
