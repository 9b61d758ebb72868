"""Splits by time, and checks that nothing knows the future."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.datasets import (
    DataError,
    Dataset,
    LeakError,
    Table,
    assert_features_ignore_the_future,
    assert_no_leak,
    generate,
    split_at,
    split_by_time,
)
from components.stores.from_dataset import stores_of

TIMES = st.lists(st.integers(0, 50), min_size=1, max_size=40)


def engaged(times: list[int], viewers: list[int] | None = None) -> Dataset:
    count = len(times)
    return Dataset(
        "engaged",
        {
            "users": Table({"user_id": [1, 2, 3]}),
            "posts": Table({"post_id": [10, 11], "author_id": [1, 1], "created_ms": [0, 0]}),
            "engagements": Table(
                {
                    "viewer_id": viewers or [2] * count,
                    "post_id": [10 + time % 2 for time in times],
                    "action": [0] * count,
                    "time_ms": times,
                }
            ),
        },
        max(times) + 1,
    )


@pytest.fixture(scope="module")
def data() -> Dataset:
    return generate("tiny", 3).dataset


class TestSplits:
    @given(TIMES, st.integers(1, 48))
    def test_every_engagement_is_in_exactly_one_part_and_in_order(self, times, first):
        data = engaged([*times, 60])
        split = split_at(data, first, first + 1)
        parts = [
            part.engagements["time_ms"] for part in (split.train, split.calibration.data, split.test.data)
        ]
        assert sorted(np.concatenate(parts).tolist()) == sorted([*times, 60])
        assert (parts[0] < first).all()
        assert (parts[1] == first).all()
        assert (parts[2] > first).all()

    def test_shares_are_shares_of_actions(self, data):
        split = split_by_time(data, 0.2, 0.1)
        total = len(data.engagements)
        assert len(split.train.engagements) == pytest.approx(0.7 * total, abs=3)
        assert len(split.calibration.data.engagements) == pytest.approx(0.2 * total, abs=3)
        assert len(split.test.data.engagements) == pytest.approx(0.1 * total, abs=3)

    def test_what_is_known_for_a_prediction_has_no_leak(self, data):
        split = split_by_time(data)
        for period in (split.calibration, split.test):
            assert_no_leak(period.known, period.begin_ms)
            assert (period.data.posts["created_ms"] < period.end_ms).all()

    def test_cold_users_and_posts_are_told_apart(self):
        data = engaged([1, 3, 12, 13, 20, 21, 22], [2, 2, 2, 3, 3, 2, 3])
        split = split_at(data, 10, 15)  # train has seen viewer 2 and post 11
        sizes = {name: len(part) for name, part in split.segments(split.test).items()}
        assert sizes == {"warm": 1, "cold users": 0, "cold posts": 0, "cold both": 2}
        sizes = {name: len(part) for name, part in split.segments(split.calibration).items()}
        assert sizes == {"warm": 0, "cold users": 1, "cold posts": 1, "cold both": 0}
        assert "0 cold users, 0 cold posts, 2 cold both" in split.in_words()

    def test_segments_partition_the_period(self, data):
        split = split_by_time(data)
        parts = split.segments(split.test).values()
        assert sum(len(part) for part in parts) == len(split.test.data.engagements)

    def test_impossible_splits_are_refused(self, data):
        with pytest.raises(ValueError, match=r"sum to less than 1, got 0\.5 and 0\.6"):
            split_by_time(data, 0.5, 0.6)
        with pytest.raises(ValueError, match="expected calibration_ms < test_ms"):
            split_at(data, 20, 10)
        with pytest.raises(DataError, match="too few distinct moments"):
            split_by_time(engaged([5, 5, 5]))
        with pytest.raises(DataError, match="got none"):
            split_by_time(Dataset("empty", {}, 1))

    def test_interactions_between_users_are_split_too(self, higgs):
        split = split_by_time(higgs, 0.1, 0.1)
        assert len(split.test.data.interactions) == pytest.approx(0.1 * len(higgs.interactions), rel=0.01)
        assert 0.1 < split.cold_users(split.test.data.interactions, "interactions").mean() < 0.9


class TestLeaks:
    @pytest.mark.parametrize("table", ["follows", "engagements", "posts", "impressions", "relations"])
    def test_a_planted_row_of_the_future_is_found(self, data, table):
        cutoff = data.now_ms - 3 * 86_400_000
        past = data.as_of(cutoff)
        assert_no_leak(past, cutoff)
        clock = "created_ms" if table in ("follows", "posts") else "time_ms"
        times = np.array(past[table][clock])
        times[-1] = cutoff
        planted = {**past.tables, table: past[table].with_columns(**{clock: times})}
        with pytest.raises(
            LeakError, match=rf"{table}.{clock}: 1 at or after the cutoff, first in row {len(times) - 1}"
        ):
            assert_no_leak(planted, cutoff)

    @pytest.mark.parametrize(
        ("table", "columns"),
        [
            ("interactions", {"actor_id": [1], "subject_id": [2], "kind": [0]}),
            ("muted_words", {"user_id": [1], "words": ["rain"]}),
        ],
    )
    def test_a_planted_row_of_any_dated_table_is_found(self, table, columns):
        assert_no_leak({table: Table({**columns, "time_ms": [9]})}, 10)
        with pytest.raises(
            LeakError, match=rf"{table}.time_ms: 1 at or after the cutoff, first in row 0: 10"
        ):
            assert_no_leak({table: Table({**columns, "time_ms": [10]})}, 10)

    def test_a_label_of_a_later_post_is_found(self, data):
        cutoff = data.now_ms - 3 * 86_400_000
        late = data.posts["post_id"][-1:]
        labels = Table({"post_id": late, "label": ["nsfw"], "score": np.float32([1])})
        labelled = Dataset("labelled", {**data.tables, "labels": labels}, data.now_ms)
        assert_no_leak(labelled.as_of(cutoff), cutoff)
        with pytest.raises(
            LeakError, match=rf"labels.post_id: 1 of posts that are not known yet.* {late[0]}"
        ):
            assert_no_leak({**labelled.as_of(cutoff).tables, "labels": labels}, cutoff)

    def test_a_split_whose_past_holds_the_targets_is_found(self, data):
        split = split_by_time(data)
        for period in (split.calibration, split.test):
            assert len(period.data.engagements)
            assert_no_leak(period.known, period.begin_ms)
            for leaking in (data, period.data):
                with pytest.raises(LeakError, match=r"engagements.time_ms: \d+ at or after the cutoff"):
                    assert_no_leak(leaking, period.begin_ms)

    def test_a_graph_that_holds_a_later_follow_is_found(self, data):
        cutoff = data.now_ms - 3 * 86_400_000
        since = np.array(data.follows["created_ms"])
        since[:5] = cutoff
        grown = Dataset(
            "grown", {**data.tables, "follows": data.follows.with_columns(created_ms=since)}, data.now_ms
        )

        def followers(given: Dataset) -> dict[str, np.ndarray]:
            graph = stores_of(given).follows
            return {"followers": np.bincount(graph.ends, minlength=200)}

        assert_features_ignore_the_future(lambda given: followers(given.as_of(cutoff)), grown, cutoff)
        with pytest.raises(LeakError, match=r"followers: \d+ rows change when the future is there"):
            assert_features_ignore_the_future(followers, grown, cutoff)

    def test_undated_preferences_leak(self):
        undated = Table({"user_id": [1], "entity_id": [2], "weight": np.float32([1])})
        with pytest.raises(LeakError, match="undated: 1 preferences without a date"):
            assert_no_leak({"undated": undated}, 10)

    def test_features_say_when_they_were_known(self):
        assert_no_leak(Table({"likes": [1, 2], "time_ms": [8, 9]}), 10)
        with pytest.raises(
            LeakError, match=r"features.last_like_ms: 1 at or after the cutoff, first in row 1: 10"
        ):
            assert_no_leak(Table({"likes": [1, 2], "last_like_ms": [8, 10]}), 10)
        with pytest.raises(LeakError, match="expected a column ending in _ms, got likes"):
            assert_no_leak(Table({"likes": [1, 2]}), 10)

    def test_features_made_from_the_future_are_found_by_what_they_do(self, data):
        cutoff = data.now_ms - 3 * 86_400_000

        def honest(given: Dataset) -> dict[str, np.ndarray]:
            before = given.engagements.between("time_ms", 0, cutoff)
            return {"likes": np.bincount(before["viewer_id"], minlength=201)}

        def leaking(given: Dataset) -> dict[str, np.ndarray]:
            return (
                honest(given)
                | {"popularity": np.bincount(given.follows["followee_id"], minlength=201)}
                | {"all likes": np.bincount(given.engagements["viewer_id"], minlength=201)}
            )

        assert_features_ignore_the_future(honest, data, cutoff)
        with pytest.raises(LeakError, match=r"all likes: \d+ rows change when the future is there") as caught:
            assert_features_ignore_the_future(leaking, data, cutoff)
        assert len(caught.value.problems) == 2  # what was made honestly is not named

    def test_features_that_change_shape_or_appear_are_found(self, data):
        cutoff = data.now_ms - 3 * 86_400_000
        with pytest.raises(LeakError, match=r"posts: shape .* becomes"):
            assert_features_ignore_the_future(lambda given: {"posts": given.posts["post_id"]}, data, cutoff)
        late = lambda given: {"late": [1]} if given.now_ms == data.now_ms else {"early": [1]}
        with pytest.raises(LeakError, match="late: made with the future only; early: made without"):
            assert_features_ignore_the_future(late, data, cutoff)
