from __future__ import annotations

from math import log10, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from components.embeddings.simclusters.config import InterestConfig, ProducerConfig
from components.embeddings.simclusters.interests import SCORES, interested_in, producer_vectors
from components.embeddings.simclusters.signals import Signals

USERS, CLUSTERS = 8, 4
pairs = st.lists(st.tuples(st.integers(0, USERS - 1), st.integers(0, USERS - 1)), max_size=50)
homes = st.lists(st.integers(-1, CLUSTERS - 1), min_size=USERS, max_size=USERS)


def known_for_of(home):
    matrix = np.zeros((USERS, CLUSTERS))
    for user, cluster in enumerate(home):
        if cluster >= 0:
            matrix[user, cluster] = (user + 1) / 10
    return sparse.csr_array(matrix)


def naive(follows, likes, home, least):
    """Scores by (user, cluster), straight from the definitions."""
    followed = {(u, p) for u, p in follows if u != p}
    liked = {}
    for u, p in likes:
        if u != p:
            liked[u, p] = liked.get((u, p), 0) + 1
    logs = {pair: log10(1 + count) for pair, count in liked.items()}
    kinds = [dict.fromkeys(followed, 1.0), liked, logs]
    scores, support = {}, {}
    for u, p in followed | set(liked):
        if home[p] >= 0:
            support.setdefault((u, home[p]), set()).add(p)
    for which, weights in enumerate(kinds):
        length = {p: sqrt(sum(v**2 for (_, q), v in weights.items() if q == p)) for _, p in weights}
        for (u, p), value in weights.items():
            if home[p] >= 0 and len(support[u, home[p]]) >= least:
                entry = scores.setdefault((u, home[p]), [0.0] * 6)
                entry[2 * which] += value * (p + 1) / 10
                entry[2 * which + 1] += value / length[p] * (p + 1) / 10
    return scores


@given(pairs, pairs, homes, st.integers(1, 3))
def test_scores_are_sums_over_followed_and_liked_producers(follows, likes, home, least):
    signals = Signals.build(np.arange(USERS), follows, likes)
    found = interested_in(signals, known_for_of(home), InterestConfig(min_producers=least))
    expected = naive(follows, likes, home, least)
    rows = np.repeat(np.arange(USERS), np.diff(found.support.indptr))
    entries = zip(rows.tolist(), found.support.indices.tolist(), strict=True)
    assert dict(zip(entries, found.scores.tolist(), strict=True)) == {
        pair: pytest.approx(values, rel=1e-5) for pair, values in expected.items()
    }


@given(pairs, pairs, homes)
def test_columns_are_divided_by_their_length_over_all_users(follows, likes, home):
    signals = Signals.build(np.arange(USERS), follows, likes)
    found = interested_in(signals, known_for_of(home))
    for score in SCORES:
        plain, divided = found.matrix(score).toarray(), found.matrix(score, by_cluster=True).toarray()
        length = np.sqrt((plain**2).sum(axis=0))
        assert divided == pytest.approx(plain / np.where(length > 0, length, 1.0), rel=1e-4)


@given(pairs, pairs, homes, st.integers(1, 3))
def test_a_user_keeps_the_clusters_of_most_likes_then_of_most_follows(follows, likes, home, clusters):
    signals = Signals.build(np.arange(USERS), follows, likes)
    known_for = known_for_of(home)
    whole = interested_in(signals, known_for)
    cut = interested_in(signals, known_for, InterestConfig(clusters=clusters))
    order = [whole.matrix(name).toarray() for name in ("favourite", "log_favourite", "follow")]
    for user in range(USERS):
        span = slice(whole.support.indptr[user], whole.support.indptr[user + 1])
        ranked = sorted(
            whole.support.indices[span].tolist(), key=lambda c: [-m[user, c] for m in order] + [c]
        )
        kept = cut.support.indices[cut.support.indptr[user] : cut.support.indptr[user + 1]]
        # Scores are kept in single precision, in which a near tie may look like one.
        assert len(kept) == min(clusters, len(ranked))
        assert [order[0][user, c] for c in sorted(kept, key=ranked.index)] == pytest.approx(
            [order[0][user, c] for c in ranked[:clusters]], rel=1e-5
        )
    assert cut.norms == pytest.approx(whole.norms)


@given(pairs, homes, st.integers(1, 3), st.sampled_from([0.0, 0.5]))
def test_producers_are_cosines_of_their_audience_with_those_who_care(follows, home, least, floor):
    signals = Signals.build(np.arange(USERS), follows)
    interests = interested_in(signals, known_for_of(home), InterestConfig(min_producers=1)).matrix("follow")
    config = ProducerConfig(min_consumers=least, min_cosine=floor)
    found = producer_vectors(signals.follows, interests, config).toarray()
    audience, dense = signals.follows.toarray(), interests.toarray().astype(np.float64)
    for producer in range(USERS):
        fans = audience[:, producer]
        for cluster in range(CLUSTERS):
            lengths = sqrt(fans.sum()) * sqrt((dense[:, cluster] ** 2).sum())
            cosine = fans @ dense[:, cluster] / lengths if lengths else 0.0
            if abs(cosine - floor) > 1e-6:
                expected = cosine if fans.sum() >= least and cosine >= floor else 0.0
                assert found[producer, cluster] == pytest.approx(expected, abs=1e-5)


def test_producers_and_clusters_keep_their_best():
    rng = np.random.default_rng(0)
    audience = sparse.csr_array((rng.random((30, 20)) < 0.6).astype(float))
    interests = sparse.csr_array(rng.random((30, 6)))
    config = ProducerConfig(min_consumers=1, clusters=3, producers=5)
    found = producer_vectors(audience, interests, config)
    assert np.diff(found.indptr).max() == 3
    assert np.bincount(found.indices, minlength=6).max() == 5


def test_an_unknown_score_is_refused():
    empty = interested_in(Signals.build([], []), sparse.csr_array((0, 1)))
    with pytest.raises(ValueError, match=r"expected a score of follow, .* got 'likes'"):
        empty.matrix("likes")
