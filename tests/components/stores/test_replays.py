from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.stores import replays
from components.stores.replays import ReplayStore
from components.stores.types import Controls, Settings, Viewer
from mixer import Request

T_MS = 1_000_000


def viewer_of(user=1, now_ms=T_MS, **fields):
    return Viewer(user, request=Request(id="r", now_ms=now_ms), **fields)


def kept(store, user=1, ids=(5, 6), scores=(0.5, 0.7), now_ms=T_MS, **fields):
    store.keep(viewer_of(user, now_ms, **fields), np.array(ids), np.array(scores, dtype=np.float32))
    return store


@given(st.lists(st.one_of(st.floats(-1, 1, width=32), st.just(float("nan"))), max_size=9), st.integers(1, 5))
def test_the_best_candidates_above_zero_are_kept_best_first(scores, most):
    ids = np.arange(len(scores)) + 10
    found = kept(ReplayStore(most=most), ids=ids, scores=scores).of(viewer_of())
    expected = sorted(
        (-score, number) for number, score in zip(ids.tolist(), scores, strict=True) if score > 0
    )
    assert found.ids.tolist() == [number for _, number in expected][:most]
    assert found.scores.tolist() == [-score for score, _ in expected][:most]


@pytest.mark.parametrize(
    ("later_ms", "there"), [(-1, False), (0, True), (179_999, True), (180_000, False), (10**9, False)]
)
def test_a_replay_serves_for_less_than_three_minutes(later_ms, there):
    store = kept(ReplayStore())
    assert (store.of(viewer_of(now_ms=T_MS + later_ms)) is not None) == there


@pytest.mark.parametrize(
    "other",
    [
        {"controls": Controls(personalised=False)},
        {"controls": Controls(topics=frozenset({3}))},
        {"settings": Settings(age=17)},
        {"user": 2},
    ],
)
def test_who_asks_for_something_else_begins_anew(other):
    store = kept(ReplayStore())
    assert store.of(viewer_of(**other)) is None
    assert store.of(viewer_of()) is not None


def test_the_latest_request_counts_and_viewers_are_bounded():
    store = kept(kept(ReplayStore(viewers=2)), ids=[9], scores=[1.0])
    assert store.of(viewer_of()).ids.tolist() == [9]
    kept(kept(kept(store, user=2), user=1), user=3)
    assert [store.of(viewer_of(user)) is not None for user in (1, 2, 3)] == [True, False, True]


def test_the_published_constants():
    assert (replays.TTL_S, replays.MOST, replays.LEAST) == (180.0, 750, 500)
    store = ReplayStore()
    assert (store.ttl_s, store.most) == (180.0, 750)
