"""TwHIN: what is learnt, from what, and that naive twins agree."""

from __future__ import annotations

from types import SimpleNamespace

import attrs
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from components.embeddings.twhin.config import Negatives, Optimisation, Relation, TwhinConfig
from components.embeddings.twhin.embeddings import TwhinEmbeddings
from components.embeddings.twhin.encoder import TwhinEncoder
from components.embeddings.twhin.evaluate import LinkPrediction, evaluate, filtered_ranks
from components.embeddings.twhin.graph import NegativeSampler, TypedGraph
from components.embeddings.twhin.network import collisions, margin_loss, ranking_loss
from components.embeddings.twhin.train import TwhinTrainer, train

SMALL = TwhinConfig(
    dimensions=8,
    negatives=Negatives(count=16),
    optimisation=Optimisation(epochs=6, batch_size=32, learning_rate=0.05, relation_learning_rate=0.05),
    checkpoint_every=2,
)


def relations(seed: int = 0, users: int = 40, posts: int = 60) -> list[Relation]:
    """Two communities; their members follow each other and like the community's posts."""
    rng = np.random.default_rng(seed)
    user, post = rng.integers(0, users, 400), rng.integers(0, posts, 400)
    other = rng.integers(0, users, 400)
    likes = np.stack([user, 1000 + post], axis=1)[user % 2 == post % 2]
    follows = np.stack([user, other], axis=1)[(user % 2 == other % 2) & (user != other)]
    return [Relation("follow", "user", "user", follows), Relation("like", "user", "post", likes)]


def test_gradients_reach_entities_and_relations():
    trainer = TwhinTrainer(relations(), SMALL, None)
    batches = trainer.graph.batches(32, np.random.default_rng(0))
    for name in ("user", "post"):
        batch = next(batch for batch in batches if batch.target == name)
        trainer.network.zero_grad()
        trainer.batch_loss(batch, np.random.default_rng(0)).backward()
        gradient = trainer.network.relations.grad
        assert gradient is not None
        assert gradient[batch.triples[0, 1]].abs().sum() > 0


def test_relations_move_away_from_where_they_began():
    trained = train(relations(), SMALL)
    assert all(np.linalg.norm(relation.vector) > 0.01 for relation in trained.relations.values())


def test_negatives_are_of_the_type_that_is_asked_for():
    graph = TypedGraph.of(relations())
    sampler, rng = NegativeSampler(graph, 0.5), np.random.default_rng(0)
    for type, index in graph.indexes.items():
        drawn = sampler.draw(type, 1000, rng) - graph.starts[type]
        assert drawn.min() >= 0
        assert drawn.max() < len(index)


def test_log_q_is_how_often_negatives_are_drawn():
    graph = TypedGraph.of(relations())
    sampler = NegativeSampler(graph, 0.75)
    drawn = sampler.draw("post", 200_000, np.random.default_rng(0))
    span = slice(graph.starts["post"], graph.starts["post"] + len(graph.indexes["post"]))
    share = np.bincount(drawn, minlength=graph.entities)[span] / len(drawn)
    np.testing.assert_allclose(share, np.exp(sampler.log_q[span]), atol=0.003)


def test_with_log_q_the_sampled_loss_estimates_the_full_softmax():
    torch.manual_seed(0)
    queries, items = torch.randn(4, 6), torch.randn(50, 6)
    truth, q = torch.tensor([3, 7, 11, 49]), torch.softmax(torch.randn(50), dim=0)
    drawn = torch.multinomial(q, 200_000, replacement=True)
    clash = collisions(truth.numpy(), drawn.numpy())
    log_expected = torch.log(q[drawn] * len(drawn))
    sampled = ranking_loss(queries, items[truth], items[drawn], log_expected, clash)
    full = functional.cross_entropy(queries @ items.T, truth)
    assert sampled.item() == pytest.approx(full.item(), rel=0.02)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.booleans())
def test_the_loss_equals_its_naive_twin(seed, with_rivals):
    rng = np.random.default_rng(seed)
    b, n, d = rng.integers(1, 6), rng.integers(1, 8), 3
    queries, truths, rivals = (rng.normal(size=(b, d)).astype(np.float32) for _ in range(3))
    negatives, log_expected = (
        rng.normal(size=(n, d)).astype(np.float32),
        rng.normal(size=n).astype(np.float32),
    )
    truth_ids, negative_ids = rng.integers(0, 4, b), rng.integers(0, 4, n)
    losses = []
    for i in range(b):
        own = float(queries[i] @ truths[i])
        total = np.exp(own)
        for j in range(n):
            if negative_ids[j] != truth_ids[i]:
                total += np.exp(float(queries[i] @ negatives[j]) - log_expected[j])
        if with_rivals:
            total += np.exp(float(queries[i] @ rivals[i]))
        losses.append(np.log(total) - own)
    found = ranking_loss(
        torch.from_numpy(queries),
        torch.from_numpy(truths),
        torch.from_numpy(negatives),
        torch.from_numpy(log_expected),
        collisions(truth_ids, negative_ids),
        torch.from_numpy(rivals) if with_rivals else None,
    )
    assert found.item() == pytest.approx(np.mean(losses), rel=1e-4, abs=1e-5)


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_filtered_ranks_equal_their_naive_twin(seed):
    rng = np.random.default_rng(seed)
    queries, candidates = (rng.integers(-2, 3, (6, 2)).astype(np.float32) for _ in range(2))
    test, known = rng.integers(-1, 6, (5, 2)), rng.integers(0, 6, (8, 2))
    for (query, truth), rank in zip(test, filtered_ranks(queries, candidates, test, known), strict=True):
        if min(query, truth) < 0:
            assert rank == len(candidates)
            continue
        skip = {tuple(pair) for pair in known.tolist()} - {(query, truth)}
        scores = [float(queries[query] @ candidates[c]) for c in range(6) if (query, c) not in skip]
        own = float(queries[query] @ candidates[truth])
        better, equal = sum(s > own for s in scores), sum(s == own for s in scores)
        assert rank == better + (equal + 1) / 2


def test_ranks_are_summed_up_as_defined():
    found = LinkPrediction.of(np.array([1.0, 2.0, 10.0, 20.0]))
    assert found.mrr == pytest.approx((1 + 0.5 + 0.1 + 0.05) / 4)
    assert (found.hits_1, found.hits_3, found.hits_10, found.ranks) == (0.25, 0.5, 0.75, 4)


def test_vectors_have_length_1_and_unknown_ids_have_none():
    trained = train(relations(), SMALL)
    for type, table in trained.entities.items():
        np.testing.assert_allclose(np.linalg.norm(table.vectors, axis=1), 1.0, atol=1e-5)
        assert not trained.vectors(type, [999_999]).any()
    assert trained.score("like", [[999_999, 1000]]).tolist() == [0.0]


def test_a_seed_decides_everything():
    first, second = train(relations(), SMALL), train(relations(), SMALL)
    other = train(relations(), attrs.evolve(SMALL, seed=1))
    np.testing.assert_array_equal(first.entities["user"].vectors, second.entities["user"].vectors)
    assert not np.array_equal(first.entities["user"].vectors, other.entities["user"].vectors)


class KilledError(Exception):
    """Stands for a process that ends in the middle."""


@pytest.mark.parametrize("epoch", [1, 3, 5])
def test_a_killed_training_goes_on_to_the_same_result(tmp_path, epoch):
    def kill(progress):
        if progress.done == epoch:
            raise KilledError

    path = tmp_path / "twhin.pt"
    with pytest.raises(KilledError):
        train(relations(), SMALL, checkpoint=path, listener=kill)
    resumed = train(relations(), SMALL, checkpoint=path)
    whole = train(relations(), SMALL)
    for type in whole.entities:
        np.testing.assert_array_equal(resumed.entities[type].vectors, whole.entities[type].vectors)
    assert [file.name for file in tmp_path.iterdir()] == ["twhin.pt"]


def test_a_checkpoint_of_other_edges_is_refused(tmp_path):
    train(relations(), SMALL, checkpoint=tmp_path / "c.pt")
    follow, like = relations()
    swapped = Relation("follow", "user", "user", follow.edges[:, ::-1])
    with pytest.raises(ValueError, match="expected a checkpoint of"):
        train([swapped, like], SMALL, checkpoint=tmp_path / "c.pt")


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "c.pt"
    train(relations(), SMALL, checkpoint=path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="got a damaged file"):
        train(relations(), SMALL, checkpoint=path)


def test_saved_embeddings_come_back(tmp_path):
    trained = train(relations(), SMALL)
    trained.save(tmp_path / "twhin.npz")
    loaded = TwhinEmbeddings.load(tmp_path / "twhin.npz")
    edges = relations()[1].edges
    np.testing.assert_array_equal(loaded.score("like", edges), trained.score("like", edges))
    assert TwhinConfig.from_dict(dict(loaded.config)) == SMALL


def test_a_warm_start_keeps_the_vectors_it_finds():
    old = train(relations(), SMALL)
    trainer = TwhinTrainer(relations(), SMALL, None)
    trainer.warm_start(old)
    np.testing.assert_allclose(
        trainer.embeddings().entities["post"].vectors, old.entities["post"].vectors, atol=1e-6
    )


def test_planted_communities_are_found():
    trained = train(
        relations(), attrs.evolve(SMALL, optimisation=attrs.evolve(SMALL.optimisation, epochs=20))
    )
    users, posts = trained.entities["user"].index.ids, trained.entities["post"].index.ids
    scores = trained.query("like", users) @ trained.vectors("post", posts).T
    same = users[:, None] % 2 == posts % 2
    assert scores[same].mean() > scores[~same].mean() + 0.5


def test_what_was_learnt_ranks_true_edges_high():
    trained = train(
        relations(), attrs.evolve(SMALL, optimisation=attrs.evolve(SMALL.optimisation, epochs=20))
    )
    like = relations()[1]
    found, chance = evaluate(trained, [like], []), 10 / 60
    assert found.hits_10 > 2 * chance
    assert found.ranks == 2 * len(like.edges)


@pytest.mark.parametrize(
    "edges",
    [[], [[1, 1]], [[1, 2], [1, 2], [1, 2]], [[1, 1], [1, 2], [3, 3]]],
    ids=["empty", "self loop", "duplicates", "all"],
)
def test_odd_graphs_are_survived(edges):
    trained = train([Relation("follow", "user", "user", edges)], SMALL)
    vectors = trained.entities["user"].vectors
    assert len(vectors) == len(np.unique(np.array(edges)))
    assert np.isfinite(vectors).all()
    assert not trained.vectors("user", [77]).any()


def test_relations_must_have_names_of_their_own():
    twice = Relation("follow", "user", "user", [[1, 2]])
    with pytest.raises(ValueError, match="each name once"):
        train([twice, twice], SMALL)


def test_an_unknown_relation_is_named_with_the_known_ones():
    with pytest.raises(KeyError, match="expected a relation of \\['follow', 'like'\\], got 'love'"):
        train(relations(), SMALL).query("love", [1])


FAR = TwhinConfig(
    16,
    objective="distance",
    margin=3.0,
    negatives=Negatives(32, 0.0),
    optimisation=Optimisation(60, 64, 0.02, 0.02),
)


def test_distances_learn_the_next_number_of_a_chain():
    chain = Relation("next", "number", "number", [(one, one + 1) for one in range(40)])
    embeddings = train([chain], FAR)
    found = evaluate(embeddings, [chain], [])
    assert found.mrr > 0.7
    assert not embeddings.cosine
    scores = embeddings.score("next", [(3, 4), (3, 30), (3, 999)])
    assert scores[0] > scores[1]
    assert scores[2] == -np.inf
    assert np.array_equal(embeddings.relations["next"].vector, train([chain], FAR).relations["next"].vector)


def test_distances_survive_being_saved(tmp_path):
    chain = Relation("next", "number", "number", [(one, one + 1) for one in range(10)])
    embeddings = train([chain], FAR)
    embeddings.save(tmp_path / "chain.npz")
    again = TwhinEmbeddings.load(tmp_path / "chain.npz")
    assert np.array_equal(again.score("next", chain.edges), embeddings.score("next", chain.edges))


@given(st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_the_margin_loss_is_the_loop_that_people_would_write(seed):
    rng = np.random.default_rng(seed)
    queries, truths, negatives = (rng.normal(size=(n, 3)).astype(np.float32) for n in (4, 4, 5))
    clash = (np.array([1]), np.array([2]))
    expected = []
    for row in range(4):
        near = np.abs(queries[row] - truths[row]).sum()
        far = np.array([np.abs(queries[row] - one).sum() for one in negatives])
        weights = np.exp(-0.5 * far) / np.exp(-0.5 * far).sum()
        if row == 1:
            weights[2] = 0.0
        against = sum(w * np.log1p(np.exp(-(d - 2.0))) for w, d in zip(weights, far, strict=True))
        expected.append((np.log1p(np.exp(-(2.0 - near))) + against) / 2.0)
    tensors = (torch.from_numpy(one) for one in (queries, truths, negatives))
    assert float(margin_loss(*tensors, clash, 2.0, 0.5)) == pytest.approx(np.mean(expected), rel=1e-4)


def test_distances_cannot_be_searched_by_inner_product():
    likes = Relation("like", "user", "post", [(1, 10), (2, 11)])
    stores = SimpleNamespace(users=SimpleNamespace(ids=np.array([1, 2])))
    with pytest.raises(ValueError, match="cosines to search by inner product"):
        TwhinEncoder.of(stores, train([likes], FAR))
