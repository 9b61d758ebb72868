from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.datasets import Action, Dataset, Relation, Table, generate
from components.stores.from_dataset import stores_of
from components.stores.ids import IdIndex
from components.stores.impressions import ImpressionStore
from components.stores.posts import PostStore
from components.stores.types import Viewer, setting
from mixer import Request
from mixer.params import Params, param


@given(st.lists(st.integers(-(2**62), 2**62)), st.lists(st.integers(-(2**62), 2**62)))
def test_an_index_finds_every_known_id_and_no_other(known, asked):
    index = IdIndex.of(known)
    rows = index.rows_of(known + asked)
    assert len(index) == len(set(known))
    for one, row in zip(known + asked, rows.tolist(), strict=True):
        assert (row >= 0) == (one in known)
        assert row < 0 or index.ids[row] == one


def test_posts_are_found_by_id_whatever_their_order():
    store = PostStore.build(
        IdIndex.of([7, 9]), [30, 10, 20], [9, 7, 9], [3, 1, 2], ["c", "a", "b"], topic=[5, -1, 5]
    )
    assert store.text[store.index.rows_of([10, 20, 30])].tolist() == ["a", "b", "c"]
    assert store.by_author.of(store.authors.row_of(9)).tolist() == [1, 2]
    assert store.code("topic").tolist() == [0, 2, 2]
    assert store.code("language").tolist() == [0, 0, 0]
    assert (store.codes("topic"), store.codes("language")) == (3, 1)
    assert store.number("media", 4).tolist() == [4, 4, 4]


posted = st.lists(st.tuples(st.integers(0, 4), st.integers(-3, 9)), max_size=20)
bounds = st.one_of(st.integers(-4, 10), st.floats(-4, 10), st.sampled_from([-np.inf, np.inf]))


@given(posted, bounds, bounds)
def test_posts_of_a_time_span_and_the_newest_of_each_author(listed, begin, end):
    authors, times = ([one[i] for one in listed] for i in range(2))
    store = PostStore.build(IdIndex.of(range(5)), range(len(listed)), authors, times)
    within = [row for row, time in enumerate(times) if begin <= time < end]
    assert store.made_between(begin, end).tolist() == sorted(within, key=lambda row: (times[row], -row))
    newest = {authors[row]: row for row in sorted(within, key=lambda row: (times[row], -row))}
    found = store.newest_between(begin, end)
    assert dict(zip(*(column.tolist() for column in found), strict=True)) == newest
    assert len(found[0]) == len(newest)


@pytest.mark.parametrize(
    ("ids", "authors", "expected"), [([1, 1], [7, 7], "1 repeated"), ([1, 2], [7, 8], "author 8")]
)
def test_impossible_posts_are_refused_by_name(ids, authors, expected):
    with pytest.raises(ValueError, match=expected):
        PostStore.build(IdIndex.of([7]), ids, authors, [0, 0])


def test_impressions_count_until_they_expire():
    store = ImpressionStore(ttl_s=10.0)
    store.record(1, [5, 6], 1_000)
    store.record(1, [5], 8_000)
    assert store.counts(1, np.array([6, 5, 4]), 8_000).tolist() == [1, 2, 0]
    assert store.counts(1, np.array([6, 5, 4]), 12_000).tolist() == [0, 1, 0]
    assert store.shown(2, 8_000).tolist() == []
    assert store.shown(1, 500).tolist() == []


def test_impressions_are_bounded_in_number_and_viewers():
    store = ImpressionStore(per_viewer=3, viewers=2)
    for viewer in (1, 2, 3):
        store.record(viewer, [10, 11, 12, 13], 0)
    assert store.shown(1, 1).tolist() == []
    assert store.shown(3, 1).tolist() == [11, 12, 13]


def test_a_setting_is_a_value_or_what_the_request_says():
    cap = param("test.cap", 5, doc="cap")
    viewer = Viewer(1, request=Request(params=Params.of({cap: 9})))
    assert (setting(viewer, 3), setting(viewer, cap)) == (3, 9)


def test_a_viewer_without_history_says_who_looks_it_up():
    with pytest.raises(ValueError, match="update_target"):
        _ = Viewer(1).history


def test_negative_actions_are_no_engagements_and_the_first_action_dates_a_pair():
    data = Dataset(
        "small",
        {
            "users": Table({"user_id": [1, 2]}),
            "posts": Table({"post_id": [10, 11], "author_id": [2, 2], "created_ms": [0, 0]}),
            "engagements": Table(
                {
                    "viewer_id": [1, 1, 1],
                    "post_id": [10, 10, 11],
                    "action": np.array([Action.REPLY, Action.FAV, Action.REPORT], dtype=np.int8),
                    "time_ms": [9, 5, 6],
                }
            ),
            "relations": Table(
                {
                    "user_id": [2, 1],
                    "subject_id": [1, 2],
                    "kind": np.array([Relation.BLOCK, Relation.DISMISSED], dtype=np.int8),
                    "time_ms": [3, 8],
                }
            ),
        },
        10,
    )
    stores = stores_of(data)
    assert stores.engagements.of(0).tolist() == [0]
    assert stores.engagements.times_of(0).tolist() == [5]
    assert stores.history(1, 4).blocked_by.tolist() == [1]
    assert stores.history(1, 3).blocked_by.tolist() == []
    assert [stores.history(1, now).decided("dismissed").tolist() for now in (8, 9)] == [[], [1]]
    assert stores.called(0) == "1"


def test_acting_upon_somebody_takes_the_place_of_following_where_nobody_follows():
    interactions = Table(
        {"actor_id": [1, 1], "subject_id": [2, 2], "kind": np.zeros(2, np.int8), "time_ms": [7, 4]}
    )
    stores = stores_of(
        Dataset("acts", {"users": Table({"user_id": [1, 2]}), "interactions": interactions}, 10)
    )
    assert (stores.follows.of(0).tolist(), stores.follows.times_of(0).tolist()) == ([1], [4])
    assert stores.interests is stores.follows
    assert stores.engagements.edges == 0


def test_a_history_of_the_past_is_the_history_in_the_past():
    data = generate("tiny", seed=3).dataset
    stores = stores_of(data)
    for moment in np.quantile(data.engagements["time_ms"], [0.2, 0.6]).astype(int).tolist():
        past = stores_of(data.as_of(moment))
        for user in data.users["user_id"][:40].tolist():
            now, then = stores.history(user, moment), past.history(user, moment)
            assert now.follows.tolist() == then.follows.tolist()
            assert now.avoided_mask.tolist() == then.avoided_mask.tolist()
            assert stores.posts.index.ids[now.engaged].tolist() == past.posts.index.ids[then.engaged].tolist()


def test_an_unknown_user_has_no_history():
    stores = stores_of(generate("tiny").dataset)
    history = stores.history(10**9, stores.now_ms)
    assert history.row == -1
    assert not history.follow_mask.any()
    assert not history.engaged_mask.any()


def test_a_history_can_begin_late_or_leave_taste_out():
    stores = stores_of(generate("tiny", seed=4).dataset)
    user = int(stores.users.ids[np.argmax(stores.engagements.degrees(np.arange(len(stores.users))))])
    whole = stores.history(user, stores.now_ms)
    times = stores.engagements.times_of(whole.row, stores.now_ms)
    late = stores.history(user, stores.now_ms, since_ms=int(times[2]))
    assert late.engaged.tolist() == whole.engaged[np.searchsorted(times, times[2]) :].tolist()
    assert late.follows.tolist() == whole.follows.tolist() != []
    plain = stores.history(user, stores.now_ms, personalised=False)
    assert (len(plain.follows), len(plain.engaged)) == (0, 0)
    assert plain.avoided_mask.tolist() == whole.avoided_mask.tolist()
    assert plain.row == whole.row
