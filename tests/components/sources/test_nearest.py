from __future__ import annotations

import attrs
import numpy as np
import pytest

from components.datasets import generate
from components.embeddings.simclusters.config import load_config
from components.embeddings.simclusters.search import SimClustersSearch
from components.embeddings.simclusters.signals import Signals
from components.embeddings.simclusters.train import train
from components.sources.nearest import NearestPosts, SimClustersPosts
from components.stores.from_dataset import stores_of
from components.stores.types import Controls, Post, Viewer
from components.stores.vectors import RecentVectors
from mixer import Request

HOUR_MS = 3_600_000


@attrs.frozen(eq=False)
class Hashed:
    """Random vectors by id, of which some are unknown; remembers which moments it was asked about."""

    stores: object
    asked: list = attrs.field(factory=list)
    name: str = "hashed"

    def user_vectors(self, user_ids):
        return np.stack([self._of(int(user)) for user in user_ids])

    def post_vectors(self, post_rows, at_ms):
        self.asked.append((post_rows, at_ms))
        ids = self.stores.posts.index.ids[post_rows]
        return np.stack([self._of(int(post)) for post in ids]) if len(ids) else np.zeros((0, 4), np.float32)

    def _of(self, id):
        if id % 7 == 3:
            return np.zeros(4, np.float32)
        return np.random.default_rng(id).normal(size=4).astype(np.float32)


@pytest.fixture(scope="module")
def stores():
    return stores_of(generate("tiny", seed=3).dataset)


def viewer_of(stores, user=8, hours_ago=30.3, **fields):
    now_ms = stores.now_ms - int(hours_ago * HOUR_MS)
    viewer = Viewer(user, request=Request(id="r", now_ms=now_ms), **fields)
    return attrs.evolve(viewer, known=stores.history(user, now_ms))


@pytest.mark.parametrize("max_age_h", [0.4, 6.0, 48.0])
def test_the_answer_equals_a_look_at_every_young_post(stores, max_age_h):
    encoder = Hashed(stores)
    source = NearestPosts(RecentVectors(stores, encoder, max_age_h), 25)
    viewer = viewer_of(stores)
    now_ms, wanted = viewer.request.now_ms, encoder._of(8)
    scored = [
        (-float(encoder._of(int(post)) @ wanted), int(post))
        for post, created in zip(stores.posts.index.ids, stores.posts.created_ms, strict=True)
        if now_ms - max_age_h * HOUR_MS <= created < now_ms
    ]
    expected = [post for score, post in sorted(scored) if score < 0][:25]
    found = source.fetch(viewer)
    assert found.ids.tolist() == expected
    assert found[Post.source_score].tolist() == pytest.approx(
        [-score for score, _ in sorted(scored)][: len(found)], rel=1e-5
    )
    assert source.fetch(viewer).ids.tolist() == expected  # from what was kept


def test_nothing_from_the_future_of_the_request_is_looked_at(stores):
    encoder = Hashed(stores)
    viewer = viewer_of(stores)
    NearestPosts(RecentVectors(stores, encoder)).fetch(viewer)
    for rows, at_ms in encoder.asked:
        assert at_ms <= viewer.request.now_ms
        assert (stores.posts.created_ms[rows] < at_ms).all()


def test_posts_are_found_from_the_moment_they_exist_and_hours_are_forgotten(stores):
    encoder = Hashed(stores)
    vectors = RecentVectors(stores, encoder, 1.0, kept=2)
    source = NearestPosts(vectors, 10_000)
    ages = [
        (viewer.request.now_ms - source.fetch(viewer)[Post.created_ms].max()) / HOUR_MS
        for viewer in (viewer_of(stores, hours_ago=hours) for hours in (10.9, 8.1, 6.5, 4.2))
    ]
    assert max(ages) < 0.5
    assert vectors._hour.cache_info().currsize == 2


def test_strangers_to_the_model_and_whoever_wants_no_profile_get_nothing(stores):
    source = NearestPosts(RecentVectors(stores, Hashed(stores)))
    assert len(source.fetch(viewer_of(stores, user=10))) == 0  # no vector
    assert len(source.fetch(viewer_of(stores, controls=Controls(personalised=False)))) == 0
    assert source.name == "hashed"


def test_simclusters_answers_with_young_posts_best_first(stores):
    config = load_config("small", ["similarity.min_followers=3"])
    model = train(Signals.of(stores), config, seed=0)
    source = SimClustersPosts(stores, SimClustersSearch(model, stores, max_age_ms=None), 20, 24.0)
    answers = [source.fetch(viewer_of(stores, user=user)) for user in range(1, 40)]
    assert sum(len(found) for found in answers) > 100
    for found in answers:
        scores, now_ms = found[Post.source_score].tolist(), viewer_of(stores).request.now_ms
        assert scores == sorted(scores, reverse=True)
        assert len(found) <= 20
        assert (
            (now_ms - found[Post.created_ms] > 0) & (now_ms - found[Post.created_ms] <= 24 * HOUR_MS)
        ).all()
    assert len(source.fetch(viewer_of(stores, user=5, controls=Controls(personalised=False)))) == 0
