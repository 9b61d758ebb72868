"""Two towers: features, the loss, training, and vectors of what is new."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from components.datasets.splits import split_by_time
from components.datasets.world import generate
from components.embeddings.two_tower.config import HardNegatives, Towers, TwoTowerConfig
from components.embeddings.two_tower.encoder import TwoTowerEncoder
from components.embeddings.two_tower.examples import Examples
from components.embeddings.two_tower.features import POST_FIELDS, Features, hashed_values
from components.embeddings.two_tower.frequency import StreamingFrequency
from components.embeddings.two_tower.model import TwoTowerModel
from components.embeddings.two_tower.network import TwoTowerNetwork, retrieval_loss
from components.embeddings.two_tower.train import TwoTowerTrainer, train
from components.stores.from_dataset import stores_of
from components.stores.graph import Graph
from components.stores.ids import IdIndex
from components.stores.posts import PostStore
from components.stores.stores import ENGAGEMENT, Stores

SMALL = TwoTowerConfig(
    towers=Towers(dimensions=8, buckets=4096, hidden=16, history=5),
    negatives=HardNegatives(popular=16, hardest=4),
    epochs=3,
    batch_size=64,
    learning_rate=0.02,
)


@pytest.fixture(scope="module")
def world():
    return generate("tiny", seed=3).dataset


@pytest.fixture(scope="module")
def stores(world):
    return stores_of(world)


@pytest.fixture(scope="module")
def cut(world):
    return split_by_time(world).test.begin_ms


@pytest.fixture(scope="module")
def model(stores, cut):
    return train(stores, cut, SMALL)


def planted(users: int = 200, posts: int = 100, engagements: int = 4000) -> Stores:
    """Even users engage with even posts, odd with odd; each parity has posts ten times as popular as the rest."""
    rng = np.random.default_rng(0)
    popularity = np.where(np.arange(posts) < 10, 10.0, 1.0)
    user, time_ms = rng.integers(0, users, engagements), np.arange(engagements) + 1000
    post = np.empty(engagements, dtype=np.int64)
    for parity in (0, 1):
        fitting = popularity * (np.arange(posts) % 2 == parity)
        mine = user % 2 == parity
        post[mine] = rng.choice(posts, int(mine.sum()), p=fitting / fitting.sum())
    index = IdIndex.of(np.arange(users))
    store = PostStore.build(index, np.arange(posts), np.arange(posts), np.zeros(posts, dtype=np.int64))
    graph = Graph.build(user, post, time_ms, shape=(users, posts))
    return Stores(index, np.full(users, "", dtype=object), store, {ENGAGEMENT: graph}, 10**6)


def test_hashes_are_the_same_in_every_process():
    assert hashed_values("post", [1, 2, -1], 1000).tolist() == [628, 876, 0]
    assert hashed_values("language", ["en", "", "de"], 1000).tolist() == [721, 0, 88]


def test_the_same_value_of_two_fields_is_two_things():
    assert hashed_values("post", [7], 2**20)[0] != hashed_values("author", [7], 2**20)[0]


def test_features_stay_within_the_table(stores):
    features = Features.of(stores, 64)
    assert features.posts.shape == (len(stores.posts), len(POST_FIELDS))
    assert features.posts.min() >= 0
    assert max(features.posts.max(), features.users.max()) < 64


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_history_is_what_came_strictly_before(seed):
    rng = np.random.default_rng(seed)
    users = IdIndex.of(np.arange(4))
    store = PostStore.build(users, np.arange(6), np.zeros(6, dtype=np.int64), np.zeros(6, dtype=np.int64))
    edges = (rng.integers(0, 4, 30), rng.integers(0, 6, 30), rng.integers(1, 8, 30))
    graph = Graph.build(*edges, shape=(4, 6))
    examples = Examples(Stores(users, np.full(4, ""), store, {ENGAGEMENT: graph}, 10), before_ms=6)
    rows = rng.permutation(len(examples.edges))
    posts, which = examples.history(rows, 3)
    for position, row in enumerate(rows):
        edge = examples.edges[row]
        assert graph.time_ms[edge] < 6
        before = graph.of(int(graph.sources[edge]), int(graph.time_ms[edge]))[-3:]
        assert posts[which == position].tolist() == before.tolist()


def test_streaming_frequency_finds_the_chance_to_be_in_a_batch():
    rng, chance = np.random.default_rng(0), np.array([0.9, 0.3, 0.05])
    frequency = StreamingFrequency(3, rate=0.02)
    for _ in range(5000):
        frequency.observe(np.flatnonzero(rng.random(3) < chance))
    np.testing.assert_allclose(np.exp(frequency.log_q(np.arange(3))), chance, rtol=0.25)


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_the_loss_equals_its_naive_twin(seed):
    rng = np.random.default_rng(seed)
    b, c = int(rng.integers(1, 5)), int(rng.integers(3, 8))
    scores, log_q, truth = rng.normal(size=(b, c)), rng.normal(size=c), rng.integers(0, c, b)
    hard, losses = HardNegatives(hardest=2, weight=0.5), []
    for i in range(b):
        logits = scores[i] - log_q
        own, others = logits[truth[i]], np.sort(np.delete(logits, truth[i]))[::-1]
        every = np.log(np.exp(logits).sum()) - own
        losses.append(every + 0.5 * (np.log(np.exp(own) + np.exp(others[:2]).sum()) - own))
    found = retrieval_loss(torch.from_numpy(scores), torch.from_numpy(truth), torch.from_numpy(log_q), hard)
    assert found.item() == pytest.approx(np.mean(losses))


def test_gradients_of_the_loss_are_right():
    torch.manual_seed(0)
    users, posts = torch.randn(3, 4, dtype=torch.float64), torch.randn(5, 4, dtype=torch.float64)
    truth, log_q = torch.tensor([0, 4, 2]), torch.randn(5, dtype=torch.float64)

    def loss(users, posts):
        return retrieval_loss(users @ posts.T, truth, log_q, HardNegatives(hardest=2))

    assert torch.autograd.gradcheck(loss, (users.requires_grad_(), posts.requires_grad_()))


def test_gradients_reach_both_towers_and_the_table(stores, cut):
    trainer = TwoTowerTrainer(Examples(stores, cut), SMALL, None)
    trainer.batch_loss(np.arange(64), np.random.default_rng(0)).backward()
    for name, parameter in trainer.network.named_parameters():
        if (
            ".hidden." not in name
        ):  # the correction starts at nothing, and lets gradients through once it is not
            assert parameter.grad is not None, name
            assert parameter.grad.to_dense().abs().sum() > 0, name


def test_a_user_without_history_gets_a_vector():
    network = TwoTowerNetwork(SMALL.towers, 0)
    none = torch.zeros((0, 5), dtype=torch.int32), torch.zeros(0, dtype=torch.int64)
    vectors = network.users(torch.tensor([[3, 4]], dtype=torch.int32), *none)
    assert torch.linalg.norm(vectors).item() == pytest.approx(1.0, abs=1e-5)


def test_log_q_keeps_popular_posts_from_being_punished(monkeypatch):
    stores = planted()
    config = attrs.evolve(
        SMALL,
        epochs=4,
        id_dropout=0.0,
        negatives=HardNegatives(popular=64, hardest=0),
        towers=attrs.evolve(SMALL.towers, temperature=0.2),
    )

    def lead_of_popular() -> float:
        encoder = TwoTowerEncoder.of(stores, train(stores, 10**6, config))
        scores = encoder.user_vectors(np.arange(0, 200, 2)) @ encoder.post_vectors(np.arange(100), 10**6).T
        return float(scores[:, 0:10:2].mean() - scores[:, 10::2].mean())

    corrected = lead_of_popular()
    monkeypatch.setattr(
        StreamingFrequency, "log_q", lambda self, batch: np.zeros(len(batch), dtype=np.float32)
    )
    assert corrected > lead_of_popular() + 0.1


def test_planted_taste_is_found():
    stores = planted()
    encoder = TwoTowerEncoder.of(stores, train(stores, 10**6, SMALL))
    users, posts = np.arange(200), np.arange(100)
    scores = encoder.user_vectors(users) @ encoder.post_vectors(posts, 10**6).T
    same = users[:, None] % 2 == posts % 2
    assert scores[same].mean() > scores[~same].mean() + 0.5


def test_a_seed_decides_everything(stores, cut, model):
    again = train(stores, cut, SMALL).network.table.weight
    other = train(stores, cut, attrs.evolve(SMALL, seed=1)).network.table.weight
    assert torch.equal(model.network.table.weight, again)
    assert not torch.equal(model.network.table.weight, other)


class KilledError(Exception):
    """Stands for a process that ends in the middle."""


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_killed_training_goes_on_to_the_same_result(tmp_path, stores, cut, model, epoch):
    def kill(progress):
        if progress.done == epoch:
            raise KilledError

    path = tmp_path / "towers.pt"
    with pytest.raises(KilledError):
        train(stores, cut, SMALL, checkpoint=path, listener=kill)
    resumed = train(stores, cut, SMALL, checkpoint=path).network.state_dict()
    for name, value in model.network.state_dict().items():
        assert torch.equal(value, resumed[name]), name


def test_a_checkpoint_of_other_data_is_refused(tmp_path, stores, cut):
    train(stores, cut, SMALL, checkpoint=tmp_path / "c.pt")
    with pytest.raises(ValueError, match="expected a checkpoint of"):
        train(stores, cut - 3_600_000, SMALL, checkpoint=tmp_path / "c.pt")


def test_a_saved_model_comes_back(tmp_path, stores, cut, model):
    model.save(tmp_path / "towers.npz")
    loaded = TwoTowerModel.load(tmp_path / "towers.npz")
    rows = np.arange(50)
    np.testing.assert_array_equal(
        TwoTowerEncoder.of(stores, loaded).post_vectors(rows, cut),
        TwoTowerEncoder.of(stores, model).post_vectors(rows, cut),
    )
    assert (loaded.config, loaded.before_ms) == (SMALL, cut)


def test_nothing_to_learn_from_is_survived(stores):
    encoder = TwoTowerEncoder.of(stores, train(stores, 0, SMALL))
    assert np.isfinite(encoder.user_vectors(stores.users.ids)).all()


def test_vectors_have_length_1_and_unknown_users_have_none(stores, model):
    encoder = TwoTowerEncoder.of(stores, model)
    vectors = encoder.user_vectors(np.append(stores.users.ids, -5))
    np.testing.assert_allclose(np.linalg.norm(vectors[:-1], axis=1), 1.0, atol=1e-5)
    assert not vectors[-1].any()
    assert vectors.dtype == np.float32


def test_encoders_ignore_the_future(world, stores, cut, model):
    now = TwoTowerEncoder.of(stores, model)
    past = TwoTowerEncoder.of(stores_of(world.as_of(cut)), model)
    ids = stores.users.ids
    np.testing.assert_allclose(now.user_vectors(ids), past.user_vectors(ids), atol=1e-6)
    rows = np.flatnonzero(stores.posts.created_ms < cut)
    there = past.stores.posts.index.rows_of(stores.posts.index.ids[rows])
    np.testing.assert_allclose(now.post_vectors(rows, cut), past.post_vectors(there, cut), atol=1e-6)


def test_a_new_post_is_known_by_its_content_and_unknown_before_it_was_made(stores, cut, model):
    encoder = TwoTowerEncoder.of(stores, model)
    row = np.flatnonzero(stores.posts.created_ms >= cut)[:1]
    created = int(stores.posts.created_ms[row[0]])
    assert not encoder.post_vectors(row, created).any()
    assert np.linalg.norm(encoder.post_vectors(row, created + 1)) == pytest.approx(1.0, abs=1e-5)
