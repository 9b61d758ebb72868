"""For You with the heavy ranker, trained for a moment on the tiny world."""

from __future__ import annotations

import anyio
import attrs
import numpy as np
import pytest

from components.datasets import Action
from components.evaluation.classification import auc
from components.features.labels import HEADS, LABEL_WINDOW_MS, shown_examples
from components.models.heavy_ranker.load import load_config
from components.models.heavy_ranker.predictor import Predictor
from components.models.weighted_score import APRIL_2023
from components.rankers.heavy import UnderLoad
from components.stores.types import Post, Viewer
from mixer import DebugOptions, Request
from mixer.params import Params
from mixer.rankers import SortBy
from products.for_you.flow import ForYou
from products.for_you.heavy import chosen_weights, features_of, heavy_ranker, is_trained, train_heavy
from products.for_you.params import MUTUAL_REPLY, VIDEO_GATE, WEIGHT_FACTORS, WEIGHT_SET

STEPS = 200
QUICK = load_config(
    "for_you",
    [
        f"training.steps={STEPS}",
        "training.batch_size=256",
        "training.evaluation.metric=auc",
        f"optimizer.schedule.final_step={STEPS}",
        "model.block.width=32",
        "model.block.aggregation=32",
        "model.mlp=[32]",
        "model.tower.hidden=[8]",
    ],
)


def train(stores, data, place, track=iter):
    params = Params.of({})
    return anyio.run(lambda: train_heavy(stores, data, params, 0, track, place, config=QUICK))


@pytest.fixture(scope="module")
def steps():
    """The steps of training that were shown."""
    return []


@pytest.fixture(scope="module")
def folder(stores, world, steps, tmp_path_factory):
    def track(every):
        for step in every:
            steps.append(step)
            yield step

    return train(stores, world, tmp_path_factory.mktemp("heavy") / "checkpoint", track)


@pytest.fixture(scope="module")
def silent(world):
    return attrs.evolve(world, tables={**world.tables, "impressions": nothing_shown(world)})


@pytest.fixture(scope="module")
def replayed(stores, silent, tmp_path_factory):
    """Trained on what the flow would have found."""
    return train(stores, silent, tmp_path_factory.mktemp("replayed") / "checkpoint")


@pytest.fixture(scope="module")
def features(stores, world):
    return features_of(stores, world)


def nothing_shown(world):
    return world["impressions"].take(np.empty(0, np.int64))


@attrs.frozen
class Remembering:
    """Features that remember what was asked of them."""

    features: object
    answers: list = attrs.field(factory=list)

    def rows(self, asked):
        rows = self.features.rows(asked)
        self.answers.append((asked, rows))
        return rows


def test_replayed_requests_are_served_the_features_of_the_training_rows(stores, world, features, folder):
    examples, remembering, compared = shown_examples(stores, world), Remembering(features), 0
    flow = ForYou(stores, attrs.evolve(heavy_ranker(features, folder), features=remembering))
    requests = examples.asked
    chosen = np.linspace(0.4, 0.99, 150) * len(requests.viewer)

    async def replay():
        for request in chosen.astype(int).tolist():
            viewer = int(stores.users.ids[requests.viewer[request]])
            await flow.process(Viewer(viewer, request=Request(now_ms=int(requests.now_ms[request]))))

    anyio.run(replay)
    trained = features.rows(requests)
    for asked, served in remembering.answers:
        same = (requests.viewer == asked.viewer[0]) & (requests.now_ms == asked.now_ms[0])
        for pair in np.flatnonzero(same[requests.request]):
            for place in np.flatnonzero(asked.post == requests.post[pair]):
                compared += 1
                np.testing.assert_array_equal(served.continuous[place], trained.continuous[pair])
                np.testing.assert_array_equal(served.binary[place], trained.binary[pair])
                for name, ids in served.ids.items():
                    np.testing.assert_array_equal(ids[place], trained.ids[name][pair])
    assert compared >= 20


def test_the_terms_of_a_served_score_can_be_explained(stores, features, folder):
    flow = ForYou(stores, heavy_ranker(features, folder))
    request = Request(now_ms=stores.now_ms, debug=DebugOptions(trace=True))
    user = int(stores.users.ids[np.argmax(stores.engagements.degrees(np.arange(len(stores.users))))])

    async def answer():
        return await flow.process(Viewer(user, request=request))

    result = anyio.run(answer)
    post = int(result.candidates.ids[0])
    story = result.trace.story(post)
    ranked = next(event for event in story.events if event.component == "heavy_ranker").values
    total = sum(ranked[name] for name in (*APRIL_2023.weights, "offset"))
    assert total == pytest.approx(ranked["score"], rel=1e-5)


def test_a_checkpoint_is_made_once_and_only_for_its_features(stores, world, silent, features, folder):
    def never(steps):
        raise AssertionError("trained again")

    assert train(stores, world, folder, never) == folder
    assert is_trained(folder, features)
    other = features_of(stores, silent)
    assert not is_trained(folder, other)
    with pytest.raises(ValueError, match="train it anew"):
        heavy_ranker(other, folder)


def test_progress_counts_every_step(folder, steps):
    assert steps == list(range(STEPS))


def test_the_trained_ranker_knows_what_people_like(stores, world, truth, features, folder):
    later = shown_examples(stores, world).during(
        int(np.quantile(world["impressions"]["time_ms"], 0.8)), world.now_ms - LABEL_WINDOW_MS
    )
    predictor = Predictor.load(folder)
    probabilities = predictor.probabilities(later.rows(features))
    users = stores.users.ids[later.asked.viewer[later.asked.request]]
    planted = truth.probability(users, stores.posts.index.ids[later.asked.post], Action.FAV)
    likely = planted > np.median(planted)
    assert auc(likely, probabilities[:, predictor.heads.index(HEADS[Action.FAV])]) > 0.6


def test_without_impressions_the_candidates_of_the_flow_are_the_negatives(stores, silent, replayed):
    predictor = Predictor.load(replayed)
    assert predictor.heads == (HEADS[Action.FAV],)
    ranking = heavy_ranker(features_of(stores, silent), replayed)

    async def answer():
        user = int(stores.users.ids[3])
        return await ForYou(stores, ranking).process(Viewer(user, request=Request(now_ms=stores.now_ms)))

    scores = anyio.run(answer).candidates[Post.score]
    assert len(scores)
    assert (scores > 0).all()


def test_replayed_candidates_are_served_what_the_flow_found_out_about_them(stores, silent, replayed):
    features = features_of(stores, silent)
    remembering = Remembering(features)
    flow = ForYou(stores, attrs.evolve(heavy_ranker(features, replayed), features=remembering))

    async def answer():
        user = int(stores.users.ids[3])
        return await flow.process(Viewer(user, request=Request(now_ms=stores.now_ms)))

    anyio.run(answer)
    ((asked, rows),) = remembering.answers
    column = features.names("continuous").index(f"given.{Post.in_network_score.name}")
    np.testing.assert_array_equal(rows.continuous[:, column], asked.given[Post.in_network_score.name])
    assert np.nanmax(rows.continuous[:, column]) > 0


def test_under_load_the_result_says_that_the_light_ranker_answered(stores, features, folder):
    ranking = UnderLoad(heavy_ranker(features, folder), SortBy(Post.recent_engagements), quality_floor=1.0)

    async def answer():
        user = int(stores.users.ids[3])
        return await ForYou(stores, ranking).process(Viewer(user, request=Request(now_ms=stores.now_ms)))

    result = anyio.run(answer)
    assert any(one.component == "heavy_ranker" and "load" in str(one) for one in result.degradations)


def test_parameters_choose_a_published_set_and_change_single_weights():
    def weights(settings):
        return chosen_weights(Viewer(1, request=Request(params=Params.of(settings))))

    assert weights({}) is APRIL_2023
    assert weights({WEIGHT_SET: "august_2026"}).weights["is_replied"] == 5.0
    changed = weights({WEIGHT_FACTORS["is_replied"]: 0.5}).weights
    assert changed["is_replied"] == 0.5 * APRIL_2023.weights["is_replied"]
    assert changed["is_favorited"] == 0.5


def test_parameters_switch_the_gate_and_the_boost_of_2026():
    def weights(settings):
        chosen = {WEIGHT_SET: "august_2026", **settings}
        return chosen_weights(Viewer(1, request=Request(params=Params.of(chosen))))

    assert weights({}).mutual_boosts == {"is_replied": 15.0}
    assert weights({MUTUAL_REPLY: 0.0}).mutual_boosts == {"is_replied": 0.0}
    assert weights({}).video_gated == {"is_video_playback_50"}
    assert weights({VIDEO_GATE: False}).video_gated == frozenset()
