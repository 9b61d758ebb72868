from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.ann.exact import ExactIndex
from components.ann.fast_scan import FastScanConfig, FastScanIndex, recall_of
from components.ann.index import NO_ID, Hits


def fast(dimensions):
    return FastScanIndex(dimensions, FastScanConfig(exact_below=1_000))


def naive(vectors: dict[int, np.ndarray], query, k, allowed=None):
    usable = [id for id in vectors if allowed is None or id in allowed]
    scored = sorted((-float(np.float32(vectors[id] @ query)), id) for id in usable)
    return [id for _, id in scored[:k]]


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["add", "remove"]), st.sets(st.integers(0, 15), max_size=8)), max_size=8
)


@settings(max_examples=30)
@given(OPERATIONS, st.integers(1, 20), st.none() | st.sets(st.integers(0, 20)), st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("make", [ExactIndex, fast])
def test_search_after_any_history_equals_sorting_all_scores(make, operations, k, allowed, seed):
    rng = np.random.default_rng(seed)
    index, vectors = make(3), {}
    for name, ids in operations:
        chosen = sorted(ids)
        if name == "add":
            fresh = rng.integers(-4, 5, (len(chosen), 3)).astype(np.float32)
            index.add(chosen, fresh)
            vectors.update(zip(chosen, fresh, strict=True))
        else:
            assert index.remove(chosen) == sum(vectors.pop(id, None) is not None for id in chosen)
    query = rng.integers(-4, 5, 3).astype(np.float32)
    hits = index.search(query[None], k, None if allowed is None else sorted(allowed))
    expected = naive(vectors, query, k, allowed)
    assert len(index) == len(vectors)
    assert hits.ids.shape == hits.scores.shape == (1, k)
    got = [id for id in hits.ids[0].tolist() if id != NO_ID]
    assert len(got) == len(expected)
    # At the edge of the list equal scores may stand for one another.
    assert [vectors[id] @ query for id in got] == [vectors[id] @ query for id in expected]
    assert np.isneginf(hits.scores[0, len(got) :]).all()


CHANGES = st.lists(
    st.tuples(st.booleans(), st.integers(0, 1_500), st.integers(1, 600)), min_size=1, max_size=5
)


@settings(max_examples=15)
@given(CHANGES, st.integers(1, 8), st.none() | st.integers(2, 20), st.integers(0, 2**32 - 1))
def test_a_quantised_index_that_reranks_everything_is_exact_after_any_history(changes, k, every, seed):
    rng = np.random.default_rng(seed)
    exact, index = ExactIndex(4), FastScanIndex(4, FastScanConfig(rerank=2_500, exact_below=1_000))
    history = [(True, 0, 1_100), *changes]
    for adds, first, count in history:
        ids, vectors = np.arange(first, first + count), rng.normal(size=(count, 4)).astype(np.float32)
        for each in (exact, index):
            each.add(ids, vectors) if adds else each.remove(ids)
    queries = rng.normal(size=(3, 4)).astype(np.float32)
    allowed = None if every is None else np.arange(0, 2_500, every)
    assert len(index) == len(exact)
    hits, expected = index.search(queries, k, allowed), exact.search(queries, k, allowed)
    assert np.array_equal(hits.ids != NO_ID, expected.ids != NO_ID)
    assert np.allclose(hits.scores, expected.scores, rtol=1e-5)


@pytest.mark.parametrize("make", [ExactIndex, fast])
def test_an_index_names_what_is_wrong_with_its_input(make):
    index = make(4)
    for ids, vectors, message in [
        ([1], np.zeros((1, 3)), "shape"),
        ([1, 1], np.zeros((2, 4)), "once"),
        ([-1], np.zeros((1, 4)), "non-negative"),
        ([1], np.full((1, 4), np.nan), "finite"),
        ([1, 2], np.zeros((1, 4)), "2 rows"),
    ]:
        with pytest.raises(ValueError, match=message):
            index.add(ids, vectors)
    assert len(index) == 0
    with pytest.raises(ValueError, match="at least 1"):
        index.search(np.zeros((1, 4)), 0)


@pytest.mark.parametrize("make", [ExactIndex, fast])
def test_no_queries_and_no_vectors_give_empty_answers(make):
    index = make(4)
    assert index.search(np.zeros((0, 4)), 3).ids.shape == (0, 3)
    assert (index.search(np.zeros((2, 4)), 3).ids == NO_ID).all()


def clustered(count, dimensions=32, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(50, dimensions))
    vectors = centres[rng.integers(0, 50, count)] + 0.5 * rng.normal(size=(count, dimensions))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def quantised():
    vectors = clustered(5_000)
    exact, index = ExactIndex(32), fast(32)
    for each in (exact, index):
        each.add(np.arange(5_000), vectors)
    return exact, index, vectors


def test_quantised_search_finds_nearly_all_that_exact_search_finds(quantised):
    exact, index, vectors = quantised
    queries = vectors[:50] + 0.01
    assert recall_of(index.search(queries, 10), exact.search(queries, 10)) > 0.98
    health = index.health(k=10)
    assert health.quantised
    assert health.recall > 0.98
    assert health.size == 5_000


@pytest.mark.parametrize("share", [0.01, 0.5])
def test_quantised_search_answers_only_allowed_ids_and_enough_of_them(quantised, share):
    exact, index, vectors = quantised
    allowed = np.random.default_rng(1).choice(5_000, int(share * 5_000), replace=False)
    hits = index.search(vectors[:20], 10, allowed)
    assert np.isin(hits.ids, allowed).all()
    assert recall_of(hits, exact.search(vectors[:20], 10, allowed)) > 0.95


def test_quantised_search_forgets_the_removed_and_sees_the_new():
    vectors = clustered(3_000)
    index = fast(32)
    index.add(np.arange(2_000), vectors[:2_000])
    assert index.remove(np.arange(1_500)) == 1_500
    index.add(np.arange(2_000, 3_000), vectors[2_000:])
    hits = index.search(vectors[[0, 1_600, 2_500]], 1)
    assert hits.ids[0, 0] >= 1_500
    assert hits.ids[1:, 0].tolist() == [1_600, 2_500]
    assert index.health().dead_share < 0.25


def test_a_query_far_from_all_that_is_allowed_is_answered_in_full(quantised):
    exact, index, vectors = quantised
    allowed = np.argsort(vectors @ vectors[0])[:1_000]  # what a scan for this query finds last
    hits = index.search(vectors[:1], 10, allowed)
    assert np.array_equal(hits.ids, exact.search(vectors[:1], 10, allowed).ids)


@pytest.mark.parametrize("make", [ExactIndex, fast])
@pytest.mark.parametrize("count", [0, 500, 1_500])
def test_a_saved_index_answers_the_same_and_goes_on(make, count, tmp_path):
    vectors = clustered(1_600)
    index = make(32)
    index.add(np.arange(count), vectors[:count])
    index.remove(np.arange(100))
    index.save(tmp_path / "index.npz")
    restored = type(index).load(tmp_path / "index.npz")
    for each in (index, restored):
        each.add([7, 5_000], vectors[1_500:1_502])
    assert len(restored) == len(index)
    queries = vectors[1_490:1_510]
    assert np.array_equal(restored.search(queries, 5).ids, index.search(queries, 5).ids)


def test_half_precision_storage_answers_nearly_the_same():
    vectors = clustered(2_000)
    answers = []
    for stored in ("float16", "float32"):
        index = FastScanIndex(32, FastScanConfig(exact_below=1_000, stored=stored))
        index.add(np.arange(2_000), vectors)
        answers.append(index.search(vectors[:20], 10))
    assert recall_of(*answers) > 0.95


def test_a_file_that_is_no_index_is_named(tmp_path):
    ExactIndex(3).save(tmp_path / "exact.npz")
    with pytest.raises(ValueError, match="fast-scan-index/1"):
        FastScanIndex.load(tmp_path / "exact.npz")


def test_equal_seeds_give_equal_quantised_answers():
    vectors = clustered(2_000)
    answers = []
    for _ in range(2):
        index = fast(32)
        index.add(np.arange(2_000), vectors)
        answers.append(index.search(vectors[:20], 5).ids)
    assert np.array_equal(*answers)


def test_recall_counts_found_neighbours_and_ignores_padding():
    truth = Hits(np.array([[1, 2], [3, NO_ID]]), np.zeros((2, 2), np.float32))
    got = Hits(np.array([[2, 9], [3, NO_ID]]), np.zeros((2, 2), np.float32))
    assert recall_of(got, truth) == pytest.approx(2 / 3)


def test_a_missing_faiss_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=r'pip install "mixer\[ann\]"'):
        FastScanIndex(4)
