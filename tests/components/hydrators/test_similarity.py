from __future__ import annotations

import attrs
import numpy as np
import pytest

from components.datasets import generate
from components.embeddings.simclusters.config import load_config
from components.embeddings.simclusters.model import row_cosines, take_rows
from components.embeddings.simclusters.search import SimClustersSearch
from components.embeddings.simclusters.signals import Signals
from components.embeddings.simclusters.train import train
from components.hydrators.similarity import SimClustersSimilarity, Similarity
from components.sources.nearest import NearestPosts
from components.stores.from_dataset import stores_of
from components.stores.types import Controls, Post
from components.stores.vectors import RecentVectors
from mixer import Candidates
from tests.components.sources.test_nearest import HOUR_MS, Hashed, viewer_of


@pytest.fixture(scope="module")
def stores():
    return stores_of(generate("tiny", seed=3).dataset)


@pytest.fixture(scope="module")
def search(stores):
    model = train(Signals.of(stores), load_config("small", ["similarity.min_followers=3"]), seed=0)
    return SimClustersSearch(model, stores, max_age_ms=None)


def batch_of(stores, rows):
    """Candidates, of which every third was found twice."""
    twice = np.concatenate([rows, rows[::3]])
    return Candidates(Post, {Post.id: stores.posts.index.ids[twice], Post.row: twice})


def impersonal(viewer):
    return attrs.evolve(viewer, controls=Controls(personalised=False))


@pytest.mark.parametrize("max_age_h", [0.4, 48.0])
def test_a_similarity_is_an_inner_product_whatever_was_kept(stores, max_age_h):
    encoder, viewer = Hashed(stores), viewer_of(stores)
    now_ms, wanted = viewer.request.now_ms, encoder._of(8)
    begin_ms = now_ms - now_ms % HOUR_MS - max_age_h * HOUR_MS
    batch = batch_of(stores, np.arange(0, len(stores.posts), 2))
    hydrator = Similarity(RecentVectors(stores, encoder, max_age_h), Post.twhin_similarity)
    for _ in range(2):  # made, and looked up
        found = hydrator.hydrate(viewer, batch)[Post.twhin_similarity]
        known = 0
        for post, row, value in zip(
            batch.ids.tolist(), batch[Post.row].tolist(), found.tolist(), strict=True
        ):
            vector, young = encoder._of(post), begin_ms <= stores.posts.created_ms[row] < now_ms
            expected = float(vector @ wanted) if young and vector.any() else np.nan
            assert value == pytest.approx(expected, rel=1e-5, abs=1e-5, nan_ok=True)
            known += not np.isnan(value)
        assert 0 < known < len(batch)
    assert hydrator.name == "twhin_similarity"
    assert all((stores.posts.created_ms[asked] < at_ms).all() for asked, at_ms in encoder.asked)


def test_a_similarity_is_what_the_source_over_the_same_vectors_scores(stores):
    vectors, viewer = RecentVectors(stores, Hashed(stores)), viewer_of(stores)
    found = NearestPosts(vectors, 50).fetch(viewer)
    assert len(found) == 50
    column = Similarity(vectors, Post.two_tower_similarity).hydrate(viewer, found)[Post.two_tower_similarity]
    assert np.allclose(column, found[Post.source_score], rtol=1e-5)


def test_vectors_are_made_once_a_request_at_most(stores):
    encoder, viewer = Hashed(stores), viewer_of(stores)
    vectors = RecentVectors(stores, encoder)
    NearestPosts(vectors, 50).fetch(viewer)
    made = len(encoder.asked)
    vectors.products(viewer, np.arange(len(stores.posts)))
    assert len(encoder.asked) == made == 2  # the hours before, and the hour of the request


def test_who_is_unknown_or_wants_nothing_personal_is_near_nothing(stores, search):
    vectors, batch = RecentVectors(stores, Hashed(stores)), batch_of(stores, np.arange(50))
    one = Similarity(vectors, Post.twhin_similarity)
    stranger = viewer_of(stores, user=10)  # no vector
    for viewer in (stranger, impersonal(viewer_of(stores))):
        assert np.isnan(one.hydrate(viewer, batch)[Post.twhin_similarity]).all()
    two = SimClustersSimilarity(search)
    for viewer in (viewer_of(stores, user=10**9), impersonal(viewer_of(stores))):
        assert np.isnan(two.hydrate(viewer, batch)[Post.simclusters_similarity]).all()


def test_similar_communities_are_a_cosine(stores, search):
    viewer = viewer_of(stores)
    batch = batch_of(stores, np.arange(0, len(stores.posts), 5))
    found = SimClustersSimilarity(search).hydrate(viewer, batch)[Post.simclusters_similarity]
    posts = take_rows(search.index(viewer.request.now_ms).vectors, batch[Post.row])
    users = search.model.consumers(np.full(len(batch), viewer.user_id))
    known = ~np.isnan(found)
    assert 0 < known.sum() < len(batch)
    assert found[known] == pytest.approx(row_cosines(users, posts)[known], rel=1e-5)
    assert (found[known] >= 0).all()
    assert (found[known] <= 1.0001).all()
    assert (posts.sum(axis=1)[~known] == 0).all()
