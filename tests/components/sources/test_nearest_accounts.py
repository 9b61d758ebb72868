from __future__ import annotations

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from components.embeddings.twhin.config import Optimisation, Relation, TwhinConfig
from components.embeddings.twhin.train import train as train_twhin
from components.sources.people.nearest import NearestAccounts, SimClustersAccounts, TwhinAccounts
from components.stores.types import Account, Controls
from tests.components.sources.small_stores import small_stores


@attrs.frozen
class Space:
    values: np.ndarray
    name: str = "space"

    def nearness(self, user_id):
        return self.values.copy()


@given(small_stores(), st.data(), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_it_equals_its_twin(small, data, cap):
    stores = small.stores()
    count = len(stores.users)
    values = np.array(data.draw(st.lists(st.floats(-2, 2, width=32), min_size=count, max_size=count)))
    row = data.draw(st.integers(-1, count - 1))
    expected = sorted(
        (place for place in range(count) if values[place] > 0 and place != row),
        key=lambda place: (-values[place], place),
    )[:cap]
    found = NearestAccounts(stores, Space(values), cap).fetch(small.viewer(stores, row))
    assert found[Account.row].tolist() == expected
    assert found[Account.source_score].tolist() == values[expected].astype(np.float32).tolist()


@given(small_stores())
@settings(max_examples=20, deadline=None)
def test_who_wants_nothing_personal_gets_nothing(small):
    stores = small.stores()
    viewer = attrs.evolve(small.viewer(stores, -1), controls=Controls(personalised=False))
    assert not len(NearestAccounts(stores, Space(np.ones(len(stores.users)))).fetch(viewer))


@pytest.fixture(scope="module")
def circles():
    """Two circles of thirty who follow most of each other."""
    pairs = [(a, b) for a in range(60) for b in range(60) if a != b and a // 30 == b // 30 and (a + b) % 5]
    return np.array(pairs) + 1


def test_translations_lead_to_ones_own_circle(circles, stores_of_users):
    config = TwhinConfig(16, optimisation=Optimisation(epochs=40))
    embeddings = train_twhin([Relation("follow", "user", "user", circles)], config)
    nearness = TwhinAccounts.of(stores_of_users, embeddings).nearness(3)
    assert nearness[:30].mean() > nearness[30:].mean() + 0.3
    assert not TwhinAccounts.of(stores_of_users, embeddings).nearness(99).any()


class Communities:
    """User 2 is interested in both communities; 1 and 2 are known for one each, 3 for both, the others for none."""

    def consumers(self, ids):
        return sparse.csr_array([[3.0, 4.0] if one == 2 else [0.0, 0.0] for one in ids])

    def authors(self, ids):
        known = {1: [2.0, 0.0], 2: [0.0, 5.0], 3: [3.0, 4.0]}
        return sparse.csr_array([known.get(one, [0.0, 0.0]) for one in ids.tolist()])


def test_communities_know_their_own(stores_of_users):
    space = SimClustersAccounts.of(stores_of_users, Communities())
    assert space.nearness(2)[:4].tolist() == pytest.approx([3.0, 4.0, 5.0, 0.0])
    assert not space.nearness(99).any()


def test_without_a_relation_between_people_there_is_no_space(stores_of_users):
    likes = Relation("like", "user", "post", np.array([[1, 5], [2, 6]]))
    embeddings = train_twhin([likes], TwhinConfig(4, optimisation=Optimisation(epochs=1)))
    assert TwhinAccounts.of(stores_of_users, embeddings) is None


@pytest.fixture(scope="module")
def stores_of_users():
    from components.stores.ids import IdIndex
    from components.stores.posts import PostStore
    from components.stores.stores import Stores

    users = IdIndex(np.arange(1, 61))
    return Stores(users, np.full(60, "", object), PostStore.build(users, [], [], []), {}, 1)
