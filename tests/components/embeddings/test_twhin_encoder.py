"""From data to relations, and from embeddings to vectors as of a moment."""

from __future__ import annotations

import attrs
import numpy as np
import pytest

from components.datasets import Dataset, Table
from components.datasets.leaks import assert_features_ignore_the_future
from components.datasets.world import generate
from components.embeddings.twhin.config import Negatives, Optimisation, TwhinConfig
from components.embeddings.twhin.embeddings import TwhinEmbeddings
from components.embeddings.twhin.encoder import TwhinEncoder
from components.embeddings.twhin.relations import relations_of
from components.embeddings.twhin.train import train
from components.stores.from_dataset import stores_of

CONFIG = TwhinConfig(
    dimensions=16, temperature=0.1, negatives=Negatives(count=64), optimisation=Optimisation(epochs=3)
)


@pytest.fixture(scope="module")
def world():
    return generate("tiny", seed=3).dataset


@pytest.fixture(scope="module")
def cut(world):
    return int(np.quantile(world.engagements["time_ms"], 0.8))


@pytest.fixture(scope="module")
def encoder(world, cut):
    return TwhinEncoder.of(stores_of(world), train(relations_of(world, cut), CONFIG))


def test_relations_join_the_types_they_are_about(world, cut):
    ends = {r.name: (r.source, r.target) for r in relations_of(world, cut)}
    assert ends["follow"] == ("user", "user")
    assert ends["like"] == ends["author"] == ("user", "post")
    assert ends["about"] == ("post", "topic")


def test_relations_ignore_the_future(world, cut):
    def edges(data):
        return {relation.name: relation.edges for relation in relations_of(data, cut)}

    assert_features_ignore_the_future(edges, world, cut)


def test_an_engagement_at_the_moment_itself_is_not_known(world):
    first = int(world.engagements["time_ms"].min())
    assert "like" not in {relation.name for relation in relations_of(world, first)}


def test_nothing_has_no_relations():
    assert relations_of(Dataset("empty", {"users": Table({"user_id": [1]})}, 10), 10) == []


def test_vectors_have_length_1_and_unknown_users_have_none(encoder):
    stores = encoder.stores
    vectors = encoder.user_vectors(np.append(stores.users.ids, -5))
    assert vectors.shape == (len(stores.users) + 1, encoder.dimensions)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors[:-1], axis=1), 1.0, atol=1e-5)
    assert not vectors[-1].any()


def test_posts_of_training_keep_their_vectors(encoder, cut):
    rows = np.flatnonzero(encoder.stores.posts.created_ms < cut)[:50]
    trained = encoder.embeddings.vectors("post", encoder.stores.posts.index.ids[rows])
    np.testing.assert_array_equal(encoder.post_vectors(rows, cut), trained)


def test_a_post_is_unknown_until_after_it_was_made(encoder, cut):
    row = np.flatnonzero(encoder.stores.posts.created_ms >= cut)[:1]
    created = int(encoder.stores.posts.created_ms[row[0]])
    assert not encoder.post_vectors(row, created).any()
    assert encoder.post_vectors(row, created + 1).any()


def test_a_new_post_equals_its_naive_twin(encoder, cut):
    stores, at_ms = encoder.stores, encoder.stores.now_ms
    engaged = stores.engagements.reverse
    rows = np.flatnonzero(stores.posts.created_ms >= cut)
    rows = rows[np.argsort(-engaged.degrees(rows))][:5]
    for row, vector in zip(rows, encoder.post_vectors(rows, at_ms), strict=True):
        total = encoder.user_vectors(stores.users.ids[[stores.posts.author[row]]])[0].astype(np.float64)
        for user, time_ms in zip(engaged.of(row, at_ms), engaged.times_of(row, at_ms), strict=True):
            weight = 0.5 ** ((at_ms - time_ms) / encoder.half_life_ms)
            total += weight * encoder.user_vectors(stores.users.ids[[user]])[0]
        np.testing.assert_allclose(vector, total / np.linalg.norm(total), atol=1e-5)


def test_new_posts_ignore_engagements_at_and_after_the_moment(world, encoder, cut):
    at_ms = (cut + world.now_ms) // 2
    rows = np.flatnonzero(encoder.stores.posts.created_ms < at_ms)
    past = attrs.evolve(encoder, stores=stores_of(world.as_of(at_ms)))
    np.testing.assert_array_equal(
        encoder.post_vectors(rows, at_ms),
        past.post_vectors(past.stores.posts.index.rows_of(encoder.stores.posts.index.ids[rows]), at_ms),
    )


def test_embeddings_without_a_fitting_relation_are_refused(encoder):
    only = TwhinEmbeddings(encoder.embeddings.entities, {"follow": encoder.embeddings.relations["follow"]})
    with pytest.raises(ValueError, match="expected a relation from users to posts"):
        TwhinEncoder.of(encoder.stores, only)
