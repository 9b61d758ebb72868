from __future__ import annotations

from math import log, log1p, sqrt

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from components.embeddings.simclusters.config import PostConfig
from components.embeddings.simclusters.index import PostClusters, SearchOptions
from components.units import HOUR_MS

POSTS, CLUSTERS = 7, 4
CREATED = np.arange(POSTS) * HOUR_MS
AT = POSTS * HOUR_MS
# Eighths are exact in single precision, so that ties are ties on both sides.
sums = arrays(np.float64, (POSTS, CLUSTERS), elements=st.integers(0, 8).map(lambda n: n / 8))
sources = arrays(np.float64, (CLUSTERS,), elements=st.integers(0, 3).map(float))
scorings = st.sampled_from(["cosine", "stored_cosine", "no_source_norm", "log_cosine", "dot"])
ANY = SearchOptions(max_age_ms=None)


def naive(matrix, source, options, per_cluster=1600):
    """Scores by post, accumulated in dictionaries cluster by cluster."""
    best = sorted((c for c in range(CLUSTERS) if source[c]), key=lambda c: (-source[c], c))[
        : options.clusters
    ]
    length = sqrt(sum(source[c] ** 2 for c in best))
    dot, squares = {}, {}
    for c in best:
        listed = sorted((p for p in range(POSTS) if matrix[p, c]), key=lambda p: (-matrix[p, c], p))
        for p in listed[: min(options.posts, per_cluster)]:
            age = AT - CREATED[p]
            if age >= options.min_age_ms and (options.max_age_ms is None or age <= options.max_age_ms):
                dot[p] = dot.get(p, 0.0) + source[c] * matrix[p, c]
                squares[p] = squares.get(p, 0.0) + matrix[p, c] ** 2
    if options.scoring == "stored_cosine":
        squares = {p: max(value, (matrix[p] ** 2).sum()) for p, value in squares.items()}
    formula = {
        "cosine": lambda p: dot[p] / (length * sqrt(squares[p])),
        "stored_cosine": lambda p: dot[p] / (length * sqrt(squares[p])),
        "no_source_norm": lambda p: dot[p] / sqrt(squares[p]),
        "log_cosine": lambda p: dot[p] / (log1p(length) * log(1 + squares[p])),
        "dot": lambda p: dot[p],
    }[options.scoring]
    return {p: formula(p) for p in dot if formula(p) >= options.min_score}


@given(
    sums,
    sources,
    scorings,
    st.integers(1, 5),
    st.integers(1, 8),
    st.integers(0, 7),
    st.sampled_from([0, 0.6]),
)
def test_a_search_scores_posts_as_a_walk_over_the_clusters_does(
    matrix, source, scoring, clusters, posts, max_age_h, min_score
):
    options = SearchOptions(
        clusters=clusters,
        posts=posts,
        max_age_ms=max_age_h * HOUR_MS,
        min_age_ms=2 * HOUR_MS,
        scoring=scoring,
    )
    index = PostClusters.build(sparse.csr_array(matrix), CREATED, PostConfig(), AT)
    rows, scores = index.search(sparse.csr_array(source[None]), 100, options)
    expected = naive(matrix, source, options)
    assert dict(zip(rows.tolist(), scores.tolist(), strict=True)) == pytest.approx(expected, rel=1e-5)
    assert [(-score, row) for row, score in zip(rows.tolist(), scores.tolist(), strict=True)] == sorted(
        (-score, row) for row, score in zip(rows.tolist(), scores.tolist(), strict=True)
    )
    strict = index.search(sparse.csr_array(source[None]), 100, attrs.evolve(options, min_score=min_score))
    assert strict[0].tolist() == [
        row for row, score in zip(rows, scores, strict=True) if score >= np.float32(min_score)
    ]


@given(sums, sources, st.integers(1, 8), scorings)
def test_the_best_k_are_the_first_k_of_all(matrix, source, k, scoring):
    index = PostClusters.build(sparse.csr_array(matrix), CREATED, PostConfig(), AT)
    options = SearchOptions(max_age_ms=None, scoring=scoring)
    every = index.search(sparse.csr_array(source[None]), POSTS, options)
    some = index.search(sparse.csr_array(source[None]), k, options)
    assert some[0].tolist() == every[0][:k].tolist()
    assert some[1].tolist() == every[1][:k].tolist()


@given(sums, st.integers(1, 4))
def test_a_cluster_lists_its_best_posts_first(matrix, keep):
    index = PostClusters.build(sparse.csr_array(matrix), CREATED, PostConfig(posts=keep), AT)
    for cluster in range(CLUSTERS):
        column = matrix[:, cluster]
        expected = sorted(np.flatnonzero(column).tolist(), key=lambda post: (-column[post], post))[:keep]
        rows, values = index.top_posts(cluster, 10)
        assert rows.tolist() == expected
        assert values.tolist() == column[expected].tolist()


def test_a_post_seen_in_one_cluster_scores_that_clusters_share_of_the_source():
    index = PostClusters.build(sparse.csr_array(np.diag([0.1, 0.5])), CREATED[:2], PostConfig(), AT)
    rows, scores = index.search(sparse.csr_array([[3.0, 4.0]]), 5, ANY)
    assert rows.tolist() == [1, 0]
    assert scores == pytest.approx([0.8, 0.6])


def test_posts_below_the_least_indexed_value_are_not_in_the_index():
    sums = sparse.csr_array(np.array([[0.0009], [0.001]]))
    index = PostClusters.build(sums, CREATED[:2], PostConfig(), AT)
    assert index.top_posts(0, 5)[0].tolist() == [1]


def test_excluded_posts_and_empty_sources_find_nothing():
    index = PostClusters.build(sparse.csr_array([[1.0]]), CREATED[:1], PostConfig(), AT)
    assert index.search(sparse.csr_array([[1.0]]), 5, ANY, exclude=np.array([0]))[0].tolist() == []
    assert index.search(sparse.csr_array((1, 1)), 5, ANY)[0].tolist() == []


def test_a_source_of_another_space_is_refused():
    index = PostClusters.build(sparse.csr_array([[1.0]]), CREATED[:1], PostConfig(), AT)
    with pytest.raises(ValueError, match=r"expected shape \(1, 1\), got \(1, 2\)"):
        index.search(sparse.csr_array([[1.0, 1.0]]), 5)
