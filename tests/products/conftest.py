from __future__ import annotations

import anyio
import attrs
import pytest

from components.datasets import generate
from components.rankers.light import LogisticRanker
from components.stores.from_dataset import stores_of
from components.stores.types import Account, Post
from mixer.params import Params
from products.follow_recs import training as follow_training
from products.follow_recs.flow import FollowRecs
from products.for_you import training as timeline_training
from products.for_you.flow import ForYou


@pytest.fixture(scope="session")
def whole_world():
    return generate("tiny", seed=0)


@pytest.fixture(scope="session")
def world(whole_world):
    return whole_world.dataset


@pytest.fixture(scope="session")
def truth(whole_world):
    """The probability of every action, which the ranker never sees."""
    return whole_world.truth


@pytest.fixture(scope="session")
def stores(world):
    return stores_of(world)


@pytest.fixture(scope="session")
def timeline_model(stores):
    return trained(timeline_training, stores)


@pytest.fixture(scope="session")
def follow_model(stores):
    return trained(follow_training, stores)


@pytest.fixture
def for_you(stores, timeline_model):
    return ForYou(stores, LogisticRanker(timeline_model, timeline_training.INPUTS, Post.score))


@pytest.fixture
def follow_recs(stores, follow_model):
    return FollowRecs(stores, LogisticRanker(follow_model, follow_training.INPUTS, Account.score))


def trained(module, stores, **settings):
    training = attrs.evolve(module.Training(), **{"requests": 150, **settings})
    return anyio.run(module.train, stores, Params.of({}), training)


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A cache of its own for all command lines, so that the world is made once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def clean_environment(cache, monkeypatch):
    monkeypatch.setenv("MIXER_CACHE", str(cache))
    monkeypatch.setenv("COLUMNS", "160")
