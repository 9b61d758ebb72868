from __future__ import annotations

import numpy as np
import pytest

from components.datasets import generate
from components.embeddings.simclusters.config import PostConfig, load_config
from components.embeddings.simclusters.index import PostClusters
from components.embeddings.simclusters.posts import author_vectors, engagement_weights
from components.embeddings.simclusters.signals import Signals
from components.embeddings.simclusters.train import train
from components.stores.from_dataset import stores_of
from components.units import HOUR_MS


@pytest.fixture(scope="module")
def stores():
    return stores_of(generate("tiny", seed=5).dataset)


def trained(stores, *overrides):
    config = load_config("small", ["similarity.min_followers=3", *overrides])
    return train(Signals.of(stores), config, seed=0)


def test_an_author_counts_as_the_first_to_engage_and_fades(stores):
    model = trained(stores)
    weights, at_ms = engagement_weights(model.interests, model.config.posts), stores.now_ms - 24 * HOUR_MS
    config = PostConfig(author=0.5, half_life_h=8.0)
    since_ms = at_ms - 12 * HOUR_MS
    found = author_vectors(stores, weights, config, at_ms, since_ms=since_ms).toarray()
    dense = weights.toarray()
    for row, created in enumerate(stores.posts.created_ms.tolist()):
        expected = np.zeros(dense.shape[1])
        if since_ms <= created < at_ms:
            expected = 0.5 * 0.5 ** ((at_ms - created) / (8.0 * HOUR_MS)) * dense[stores.posts.author[row]]
        assert found[row] == pytest.approx(expected)


def test_posts_that_nobody_engaged_with_are_found_only_through_their_authors(stores):
    at_ms = stores.now_ms - 24 * HOUR_MS
    engaged = set(stores.engagements.ends[stores.engagements.time_ms < at_ms].tolist())
    published = PostClusters.of(stores, trained(stores), at_ms)
    with_authors = PostClusters.of(stores, trained(stores, "posts.author=1.0"), at_ms)
    assert PostConfig().author == 0.0
    assert set(published.posts.tolist()) <= engaged
    assert set(with_authors.posts.tolist()) - engaged
    assert (stores.posts.created_ms[with_authors.posts] < at_ms).all()
