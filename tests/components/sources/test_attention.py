from __future__ import annotations

import attrs
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from components.datasets import Dataset, Table
from components.sources.attention import Reciprocation, TrendingAccounts
from components.stores.from_dataset import stores_of
from components.stores.types import Account, Viewer
from components.units import HOUR_MS
from mixer import Request

NOW = 10 * HOUR_MS
FOLLOWS = st.lists(
    st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(0, 12)),
    max_size=25,
    unique_by=lambda one: one[:2],
)


def asked(source, follows, viewer_id, **fields):
    tables = {
        "users": Table({"user_id": np.arange(1, 7)}),
        "follows": Table(
            {
                "follower_id": np.array([one for one, _, _ in follows], dtype=np.int64),
                "followee_id": np.array([other for _, other, _ in follows], dtype=np.int64),
                "created_ms": np.array([hour * HOUR_MS for _, _, hour in follows], dtype=np.int64),
            }
        ),
    }
    stores = stores_of(Dataset("test", tables, 20 * HOUR_MS))
    viewer = Viewer(viewer_id, request=Request(id="r", now_ms=NOW, **fields))
    return source(stores).fetch(attrs.evolve(viewer, known=stores.history(viewer_id, NOW)))


@given(FOLLOWS, st.integers(1, 8), st.integers(1, 6))
def test_trending_counts_new_followers_of_the_window(follows, hours, cap):
    found = asked(lambda stores: TrendingAccounts(stores, cap, hours), follows, 1)
    counts = {}
    for _, other, hour in follows:
        if 10 - hours <= hour < 10:
            counts[other] = counts.get(other, 0) + 1
    expected = sorted(counts, key=lambda user: (-counts[user], user))[:cap]
    assert found.ids.tolist() == expected
    assert found[Account.source_score].tolist() == [counts[user] for user in expected]


@given(FOLLOWS, st.integers(1, 7), st.integers(1, 6))
def test_reciprocation_is_who_follows_the_viewer_latest_first(follows, viewer, cap):
    found = asked(lambda stores: Reciprocation(stores, cap), follows, viewer)
    since = {one: hour for one, other, hour in follows if other == viewer and hour < 10}
    assert found.ids.tolist() == sorted(since, key=lambda user: (-since[user], user))[:cap]


def test_under_load_sources_give_less():
    follows = [(one, other, 5) for one in range(1, 7) for other in range(1, 7) if one != other]
    found = asked(lambda stores: TrendingAccounts(stores, 6), follows, 1, quality_factor=0.5)
    assert len(found) == 3
