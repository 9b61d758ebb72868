"""The event log: what goes in comes out, in order of time, whatever the crash."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.datasets import DataError, Dataset, EventLog, Table, generate, load
from components.datasets.schema import CLOCKS, SCHEMA

IDS = st.integers(-(2**62), 2**62)
TIMES = st.integers(1, 10**14)
POST = {"table": "posts", "post_id": 10, "author_id": 1, "created_ms": 100}
USER = {"table": "users", "user_id": 1}


def like(time_ms: int, viewer: int = 1) -> dict[str, object]:
    return {"table": "engagements", "viewer_id": viewer, "post_id": 10, "action": 0, "time_ms": time_ms}


def same(one: Dataset, two: Dataset) -> None:
    """Equal tables, up to the order of rows that no time tells apart."""
    for name in SCHEMA:
        expected, got = (
            sorted(zip(*(map(repr, data[name][column].tolist()) for column in SCHEMA[name]), strict=True))
            for data in (one, two)
        )
        assert expected == got, name


def times(log: EventLog, **options: int) -> list[list[int]]:
    return [
        stretch["engagements"]["time_ms"].tolist()
        for stretch in log.replay(**options)
        if "engagements" in stretch
    ]


@st.composite
def data_sets(draw) -> Dataset:
    users = draw(st.lists(IDS, min_size=1, max_size=4, unique=True))
    posts = draw(st.lists(st.tuples(IDS, st.sampled_from(users), TIMES, st.text(max_size=5)), max_size=4))
    posts = list({post[0]: post for post in posts}.values())
    post_ids = [post[0] for post in posts]
    acts = st.tuples(
        st.sampled_from(users), st.sampled_from(posts or [None]), st.floats(width=32), st.integers(0, 10**6)
    )
    events = draw(st.lists(acts, max_size=6)) if posts else []
    pairs = st.tuples(st.sampled_from(users), st.sampled_from(users), st.one_of(st.just(0), TIMES))
    follows = draw(st.lists(pairs, max_size=4))
    scores = (
        draw(st.lists(st.tuples(st.sampled_from(post_ids), st.floats(0, 1, width=32)), max_size=3))
        if posts
        else []
    )
    likes = draw(st.lists(st.tuples(st.sampled_from(users), IDS), max_size=3))
    integers = lambda values: np.array(values, dtype=np.int64)
    tables = {
        "users": Table({"user_id": integers(users), "name": [f"u{user}" for user in users]}),
        "posts": Table(
            {
                "post_id": integers(post_ids),
                "author_id": integers([post[1] for post in posts]),
                "created_ms": integers([post[2] for post in posts]),
                "text": np.array([post[3] for post in posts], dtype=object),
            }
        ),
        "engagements": Table(
            {
                "viewer_id": integers([event[0] for event in events]),
                "post_id": integers([event[1][0] for event in events]),
                "action": np.zeros(len(events), np.int8),
                "time_ms": integers([event[1][2] + event[3] for event in events]),
                "dwell_s": np.array(
                    [event[2] if np.isfinite(event[2]) else np.nan for event in events], np.float32
                ),
            }
        ),
        "follows": Table(dict(zip(SCHEMA["follows"], integers(follows).reshape(-1, 3).T, strict=True))),
        "labels": Table(
            {
                "post_id": integers([score[0] for score in scores]),
                "label": np.array(["nsfw"] * len(scores), dtype=object),
                "score": np.array([score[1] for score in scores], np.float32),
            }
        ),
        "undated": Table(
            {
                "user_id": integers([one[0] for one in likes]),
                "entity_id": integers([one[1] for one in likes]),
                "weight": np.ones(len(likes), np.float32),
            }
        ),
    }
    return Dataset("drawn", tables, 10**15)


class TestRoundTrip:
    @given(data_sets(), st.integers(1, 5))
    def test_a_data_set_survives_its_log(self, tmp_path_factory, data, batch):
        log = EventLog(tmp_path_factory.mktemp("log") / "events.jsonl", lateness_ms=0)
        log.write(data)
        same(data, log.to_dataset(now_ms=data.now_ms))
        seen = 0
        for stretch in log.replay(batch=batch):
            moments = [rows[CLOCKS[name]] for name, rows in stretch.items() if name in CLOCKS]
            dated = np.concatenate([np.empty(0, np.int64), *moments])
            dated = dated[dated > 0]
            assert (dated >= seen).all()
            seen = max(seen, int(dated.max(initial=0)))

    def test_a_world_survives_its_log_and_loads_by_its_path(self, tmp_path):
        data = generate("tiny", 5).dataset
        EventLog(tmp_path / "world.jsonl").write(data)
        again = load(tmp_path / "world.jsonl")
        same(data, again)
        assert again.name == "world"
        latest = max(int(data[name][clock].max(initial=0)) for name, clock in CLOCKS.items())
        assert again.now_ms == latest + 1

    def test_what_was_replayed_can_be_appended_to_another_log(self, tmp_path):
        one, two = EventLog(tmp_path / "one.jsonl"), EventLog(tmp_path / "two.jsonl", lateness_ms=10**12)
        data = generate("tiny", 5).dataset
        data = data.as_of(data.now_ms - 5 * 86_400_000)
        one.write(data)
        for stretch in one.replay():
            for name, rows in stretch.items():
                columns = [rows[column] for column in rows]
                two.append(
                    {"table": name, **dict(zip(rows, row, strict=True))} for row in zip(*columns, strict=True)
                )
        assert len(two.to_dataset().engagements) == len(data.engagements)


class TestOrder:
    @settings(max_examples=30)
    @given(st.lists(st.integers(0, 20), min_size=1, max_size=30), st.integers(1, 7))
    def test_lateness_within_the_window_is_sorted(self, tmp_path_factory, jitter, batch):
        log = EventLog(tmp_path_factory.mktemp("log") / "events.jsonl", lateness_ms=20)
        moments = [1000 + 3 * number + late for number, late in enumerate(jitter)]
        log.append([USER, POST, *map(like, moments)])
        stretches = times(log, batch=batch)
        assert [time for stretch in stretches for time in stretch] == sorted(moments)
        for before, after in pairwise(stretches):
            assert before[-1] < after[0]

    @pytest.mark.parametrize("batch", [1, 2, 100])
    def test_a_record_that_is_too_late_is_an_error_that_names_its_line(self, tmp_path, batch):
        log = EventLog(tmp_path / "events.jsonl", lateness_ms=50)
        log.append([like(1000), like(950), like(949)])
        with pytest.raises(DataError, match=r"line 3: 949 is more than 50 ms late"):
            list(log.replay(batch=batch))

    def test_replay_can_begin_later(self, tmp_path):
        log = EventLog(tmp_path / "events.jsonl")
        log.append([USER, POST, like(1000), like(2000), like(3000)])
        assert times(log, from_ms=2000) == [[2000, 3000]]
        assert not any("posts" in stretch for stretch in log.replay(from_ms=2000))

    def test_undated_records_count_from_the_record_before_them(self, tmp_path):
        log = EventLog(tmp_path / "events.jsonl", lateness_ms=0)
        label = {"table": "labels", "post_id": 10, "label": "nsfw", "score": 0.5}
        log.append([USER, POST, like(1000), label, like(2000)])
        assert [[*stretch] for stretch in log.replay(from_ms=1000, batch=1)] == [
            ["engagements", "labels"],
            ["engagements"],
        ]


class TestAppend:
    def test_a_torn_last_line_is_skipped_and_repaired(self, tmp_path):
        log = EventLog(tmp_path / "events.jsonl")
        log.append([USER, POST, like(1000)])
        whole = log.path.read_bytes()
        for cut in range(whole.rindex(b"\n", 0, -1) + 2, len(whole) - 1):
            log.path.write_bytes(whole[:cut])
            assert times(log) == []
            assert log.append([like(2000)]) == 1
            assert times(log) == [[2000]]
            assert log.path.read_bytes().count(b"\n") == 3

    def test_only_a_lost_line_end_loses_nothing(self, tmp_path):
        log = EventLog(tmp_path / "events.jsonl")
        log.append([USER, POST, like(1000)])
        log.path.write_bytes(log.path.read_bytes()[:-1])
        assert times(log) == [[1000]]
        log.append([like(2000)])
        assert times(log) == [[1000, 2000]]

    def test_a_torn_line_longer_than_what_is_looked_at_is_removed(self, tmp_path):
        log = EventLog(tmp_path / "events.jsonl")
        log.append([USER])
        with log.path.open("ab") as file:
            file.write(b'{"text":"' + b"x" * 200_000)
        log.append([POST])
        assert len(log.path.read_bytes()) < 200

    def test_numbers_of_numpy_and_nothing_are_welcome(self, tmp_path):
        log = EventLog(tmp_path / "events.jsonl")
        log.append([{**like(1000), "viewer_id": np.int64(3), "dwell_s": np.nan}])
        assert json.loads(log.path.read_text()) == like(1000, 3)

    @pytest.mark.parametrize(
        ("record", "message"),
        [
            ({"table": "likes"}, "record 2: expected a table of users, .*, got 'likes'"),
            ({"table": "users"}, "record 2: mandatory 'user_id' is missing"),
            ({"user_id": 3}, "record 2: "),
            ({"table": "users", "user_id": "x"}, "record 2: expected a record"),
            ({"table": "users", "user_id": 3, "nmae": "x"}, "record 2: .*nmae"),
            ({**like(1), "action": 1000}, "record 2: expected a record"),
            ({**like(1), "action": object()}, "expected numbers and text"),
        ],
    )
    def test_what_is_no_record_is_refused_and_nothing_written(self, tmp_path, record, message):
        log = EventLog(tmp_path / "events.jsonl")
        with pytest.raises(DataError, match=message):
            log.append([USER, record])
        assert log.path.read_bytes() == b""

    def test_every_damaged_line_is_named(self, tmp_path):
        log = EventLog(tmp_path / "events.jsonl")
        log.append([USER, POST, like(1000)])
        lines = log.path.read_text().splitlines()
        log.path.write_text("\n".join([lines[0], "{", lines[1], "", "[1]", lines[2], ""]))
        with pytest.raises(DataError) as caught:
            list(log.replay())
        assert [problem.split(": ")[1] for problem in caught.value.problems] == ["line 2", "line 4", "line 5"]

    def test_no_log_is_named(self, tmp_path):
        with pytest.raises(DataError, match="found nothing there"):
            list(EventLog(tmp_path / "none.jsonl").replay())


class TestDeletions:
    def test_a_deleted_post_goes_with_all_about_it(self, tmp_path):
        log = EventLog(tmp_path / "events.jsonl")
        other = {**POST, "post_id": 11}
        log.append(
            [
                USER,
                POST,
                other,
                like(1000),
                {"table": "deletions", "of": "posts", "post_id": 10, "time_ms": 2000},
            ]
        )
        data = log.to_dataset()
        assert data.posts["post_id"].tolist() == [11]
        assert len(data.engagements) == 0
        *_, stretch = log.replay()
        assert stretch["deletions"]["follower_id"].tolist() == [-1]

    def test_a_follow_taken_back_can_be_made_again(self, tmp_path):
        log = EventLog(tmp_path / "events.jsonl")
        users = [{"table": "users", "user_id": user} for user in (1, 2, 3)]
        follow = lambda who, when: {
            "table": "follows",
            "follower_id": 1,
            "followee_id": who,
            "created_ms": when,
        }
        gone = lambda who, when: {
            "table": "deletions",
            "of": "follows",
            "follower_id": 1,
            "followee_id": who,
            "time_ms": when,
        }
        log.append([*users, follow(2, 10), follow(3, 11), gone(2, 20), gone(3, 21), follow(2, 30)])
        follows = log.to_dataset().follows
        assert follows["followee_id"].tolist() == [2]
        assert follows["created_ms"].tolist() == [30]

    def test_a_mute_taken_back_leaves_the_block(self, tmp_path):
        log = EventLog(tmp_path / "events.jsonl")
        relation = {"user_id": 1, "subject_id": 1}
        log.append(
            [
                USER,
                *({"table": "relations", **relation, "kind": kind, "time_ms": 5} for kind in (0, 1)),
                {"table": "deletions", "of": "relations", **relation, "kind": 1, "time_ms": 6},
            ]
        )
        assert log.to_dataset().relations["kind"].tolist() == [0]
