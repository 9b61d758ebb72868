"""Live stores fed the log of a data set are the stores of that data set, whenever and however they are fed."""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.datasets import DataError, Dataset, EventLog, Table, generate
from components.stores.from_dataset import stores_of
from components.stores.live.recent_posts import RecentLimits
from components.stores.live.state import LiveLimits
from components.stores.live.stores import LiveStores
from tests.components.stores.live.histories import POSTS, USERS, assert_equal, data_set_of, histories

ALL = LiveLimits(engagements=100_000)
FEW = LiveLimits(edges=2, engagements=2, keep_ms=15, recent=RecentLimits(retention_ms=10))
USER = {"table": "users", "user_id": 1}


def post(id: int, time_ms: int, **columns: object) -> dict[str, object]:
    return {"table": "posts", "post_id": id, "author_id": 1, "created_ms": time_ms, **columns}


def like(time_ms: int, viewer: int = 1, id: int = 10) -> dict[str, object]:
    return {"table": "engagements", "viewer_id": viewer, "post_id": id, "action": 0, "time_ms": time_ms}


@cache
def tiny() -> Dataset:
    return generate("tiny").dataset


def log_in(folder: str | Path, *records: dict[str, object]) -> EventLog:
    log = EventLog(Path(folder) / "events.jsonl", lateness_ms=5)
    log.append(records)
    return log


def assert_same(live: LiveStores, other: LiveStores) -> None:
    """Everything that a reader can ask gets the same answer."""
    assert live.position == other.position
    assert_equal(live.view(), other.view())
    for id in (*USERS, *POSTS):
        for one, two in ((live.follows, other.follows), (live.engagements, other.engagements)):
            assert one.of(id).tolist() == two.of(id).tolist()
            assert one.reverse_of(id).tolist() == two.reverse_of(id).tolist()
    now = live.position.time_ms + 1
    assert live.recent.of_authors(USERS, now).tolist() == other.recent.of_authors(USERS, now).tolist()


def test_the_tiny_world_gives_the_stores_of_its_data_set(tmp_path):
    log = EventLog(tmp_path / "events.jsonl")
    log.write(tiny())
    followed, applied = LiveStores(ALL), LiveStores(ALL)
    lines = followed.follow(log, batch=3_000)
    for batch in log.replay(batch=3_000):
        applied.apply(batch)
    expected = attrs.evolve(stores_of(tiny()), now_ms=followed.position.time_ms + 1)
    assert lines == log.path.read_bytes().count(b"\n")
    assert_equal(followed.view(), expected)
    assert_equal(applied.view(), expected)


@given(records=histories(lateness_ms=5), cut=st.integers(0, 40), batch=st.integers(1, 50))
def test_a_random_history_gives_the_stores_of_its_data_set(records, cut, batch):
    with TemporaryDirectory() as folder:
        live, log = LiveStores(ALL), log_in(folder, *records[:cut])
        live.follow(log, batch=batch)
        live.view()
        log.append(records[cut:])
        assert live.follow(log, batch=batch) == len(records[cut:])
        assert live.follow(log) == 0
        assert_equal(live.view(), attrs.evolve(stores_of(data_set_of(log)), now_ms=live.view().now_ms))


@given(records=histories(lateness_ms=5), batch=st.integers(1, 50))
def test_stretches_of_a_replay_give_the_same_as_following(records, batch):
    with TemporaryDirectory() as folder:
        log = log_in(folder, *records)
        followed, applied = LiveStores(ALL), LiveStores(ALL)
        followed.follow(log)
        for stretch in log.replay(batch=batch):
            applied.apply(stretch)
        assert_equal(applied.view(), followed.view())


@settings(max_examples=20)
@pytest.mark.parametrize("limits", [ALL, FEW], ids=["all", "few"])
@given(records=histories(lateness_ms=5), kills=st.sets(st.integers(1, 30)), batch=st.integers(1, 8))
def test_a_restart_at_any_batch_ends_where_an_uninterrupted_run_does(limits, records, kills, batch):
    with TemporaryDirectory() as folder:
        snapshot = Path(folder) / "snapshot"
        log, never_killed, live = log_in(folder, *records), LiveStores(limits), LiveStores(limits)
        never_killed.follow(log, batch=batch)
        live.snapshot(snapshot)
        for kill in sorted(kills):
            run_until_killed(live, log, kill, batch)
            live = LiveStores.restore(
                snapshot
            )  # what was applied after the snapshot is lost, and comes again
            run_until_killed(live, log, kill, batch)
            live.snapshot(snapshot)
        live = LiveStores.restore(snapshot)
        live.follow(log, batch=batch)
        assert live.limits == limits
        assert_same(live, never_killed)


class Killed(Exception):  # noqa: N818 - it is no error
    pass


def run_until_killed(live: LiveStores, log: EventLog, lines: int, batch: int) -> None:
    def kill(_: object) -> None:
        if live.position.lines >= lines:
            raise Killed

    with suppress(Killed):
        live.follow(log, kill, batch=batch)


def test_listeners_get_every_batch_once(tmp_path):
    log, seen = log_in(tmp_path, USER, post(10, 1), *(like(time) for time in range(1, 8))), []
    live = LiveStores()
    live.follow(log, lambda batch: seen.extend(batch.get("engagements", {"time_ms": []})["time_ms"]), batch=2)
    assert seen == list(range(1, 8))


def test_an_older_batch_is_refused_and_changes_nothing():
    live = LiveStores()
    live.apply(
        {
            "users": Table({"user_id": [1]}),
            "posts": Table({"post_id": [10], "author_id": [1], "created_ms": [5]}),
        }
    )
    before = live.view()
    late = {"engagements": Table({"viewer_id": [1], "post_id": [10], "action": [0], "time_ms": [5]})}
    with pytest.raises(DataError, match=r"expected times after 5.* got 5"):
        live.apply(late)
    assert live.view() is before


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"likes": Table({"user_id": [1]})}, "expected a table of .*, got 'likes'"),
        (
            {"posts": Table({"post_id": [1], "created_ms": [3]})},
            r"posts.author_id: mandatory column is missing",
        ),
    ],
)
def test_a_batch_that_is_not_of_the_schema_is_refused_and_changes_nothing(batch, message):
    live = LiveStores()
    live.apply({"users": Table({"user_id": [1]})})
    before = live.view()
    with pytest.raises(DataError, match=message):
        live.apply({"users": Table({"user_id": [2]}), **batch})
    assert live.view() is before


def test_another_log_is_refused(tmp_path):
    (tmp_path / "other").mkdir()
    live = LiveStores()
    live.follow(log_in(tmp_path, USER, post(10, 1)))
    with pytest.raises(
        DataError, match=r"other.*expected the log of which \d+ bytes were applied.*got another"
    ):
        live.follow(log_in(tmp_path / "other", USER, post(11, 1)))
    with pytest.raises(DataError, match="expected an event log, found nothing there"):
        live.follow(EventLog(tmp_path / "nothing"))


def test_a_torn_last_line_waits_for_its_end(tmp_path):
    log, live = log_in(tmp_path, USER, post(10, 1)), LiveStores()
    with log.path.open("a") as file:
        file.write('{"table": "posts", "post_id": 11, "author_id": 1')
    live.follow(log)
    assert live.view().posts.index.ids.tolist() == [10]
    with log.path.open("a") as file:
        file.write(', "created_ms": 2}\n')
    live.follow(log)
    assert live.view().posts.index.ids.tolist() == [10, 11]


def test_a_damaged_line_is_named_and_what_came_before_stays(tmp_path):
    log, live = log_in(tmp_path, USER, post(10, 1)), LiveStores()
    live.follow(log)
    with log.path.open("a") as file:
        file.write("nonsense\n")
    with pytest.raises(DataError, match=r"events.jsonl: line 3: expected a record, got 'nonsense'"):
        live.follow(log)
    assert live.position.lines == 2


def test_a_view_is_kept_until_something_happens_and_never_changes(tmp_path):
    log, live = log_in(tmp_path, USER, post(10, 100), like(101)), LiveStores()
    live.follow(log)
    first = live.view()
    assert live.view() is first
    log.append(
        [
            post(11, 150),
            like(160, id=11),
            {"table": "deletions", "of": "posts", "post_id": 10, "time_ms": 161},
        ]
    )
    live.follow(log)
    assert live.view(behind_ms=100) is first
    second = live.view(behind_ms=10)
    assert second is not first
    assert (first.posts.index.ids.tolist(), second.posts.index.ids.tolist()) == ([10], [11])
    assert (first.engagements.edges, second.engagements.edges) == (1, 1)


def test_a_view_of_nothing_is_empty():
    view = LiveStores().view()
    assert (len(view.users), len(view.posts), view.engagements.edges, view.now_ms) == (0, 0, 0, 0)


def test_of_a_user_the_last_record_counts_and_of_a_post_the_first(tmp_path):
    changed = {**USER, "name": "new", "language": "fr"}
    log = log_in(
        tmp_path,
        USER,
        {"table": "users", "user_id": 2},
        post(10, 1, text="a"),
        changed,
        post(10, 2, text="b"),
    )
    live = LiveStores()
    live.follow(log)
    view = live.view()
    assert (view.users.ids.tolist(), view.names.tolist()) == ([1, 2], ["new", ""])
    assert (view.posts.text.tolist(), view.posts.created_ms.tolist()) == (["a"], [1])


def test_a_post_is_seen_once_its_author_is_known(tmp_path):
    log, live = log_in(tmp_path, post(10, 1)), LiveStores()
    live.follow(log)
    assert len(live.view().posts) == 0
    log.append([USER])
    live.follow(log)
    assert len(live.view().posts) == 1


def test_what_is_older_than_the_limit_is_forgotten(tmp_path):
    day = 86_400_000
    records = [post(at, 1 + at * day) for at in range(10)] + [like(1 + 9 * day, id=at) for at in range(10)]
    log, live = log_in(tmp_path, USER, *records), LiveStores(LiveLimits(keep_ms=2 * day))
    live.follow(log, batch=1)
    view = live.view()
    assert view.posts.index.ids.tolist() == [8, 9]
    assert view.posts.index.ids[view.engagements.of(0)].tolist() == [8, 9]
    assert live.recent.of_authors([1], view.now_ms).tolist() == [9, 8]


def test_a_viewer_keeps_the_newest_engagements(tmp_path):
    records = [post(at, 1) for at in range(5)] + [like(2 + at, id=at) for at in range(5)]
    log, live = log_in(tmp_path, USER, *records), LiveStores(LiveLimits(engagements=3))
    live.follow(log)
    view = live.view()
    assert (
        view.posts.index.ids[view.engagements.of(0)].tolist() == live.engagements.of(1).tolist() == [2, 3, 4]
    )


def test_readers_see_whole_batches_while_events_come_in():
    """Each batch holds a post with its like and a follow; a reader that saw half of one would count them apart."""
    live, wrong, done = LiveStores(ALL), [], threading.Event()
    live.apply({"users": Table({"user_id": np.arange(300)})})

    def read() -> None:
        least = 0
        while not done.is_set() or least < 299:
            view = live.view()
            with live.lock:
                direct = (len(live.recent), len(live.follows), len(live.engagements))
            counts = (len(view.posts), view.follows.edges, view.engagements.edges)
            if len({*counts}) > 1 or len({*direct}) > 1 or counts[0] < least:
                wrong.append((counts, direct, least))
            least = counts[0]

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for at in range(1, 300):
        live.apply(
            {
                "posts": Table({"post_id": [at], "author_id": [at], "created_ms": [at]}),
                "engagements": Table({"viewer_id": [0], "post_id": [at], "action": [0], "time_ms": [at]}),
                "follows": Table({"follower_id": [0], "followee_id": [at], "created_ms": [at]}),
            }
        )
    done.set()
    for reader in readers:
        reader.join()
    assert not wrong


@settings(max_examples=25)
@given(data=st.data())
def test_a_snapshot_with_any_byte_changed_or_cut_off_is_refused(data):
    with TemporaryDirectory() as folder:
        live, path = LiveStores(), Path(folder) / "snapshot"
        live.follow(log_in(folder, USER, post(10, 1, text="é")))
        live.snapshot(path)
        whole = path.read_bytes()
        at = data.draw(st.integers(0, len(whole) - 1))
        changed = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
        path.write_bytes(data.draw(st.sampled_from([changed, whole[:at]])))
        with pytest.raises(DataError, match=r"snapshot: expected .* got "):
            LiveStores.restore(path)


def test_a_snapshot_that_fails_leaves_the_one_before(tmp_path, monkeypatch):
    log, live, path = log_in(tmp_path, USER, post(10, 1)), LiveStores(), tmp_path / "snapshot"
    live.follow(log)
    live.snapshot(path)
    log.append([post(11, 2)])
    live.follow(log)

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="no space"):
        live.snapshot(path)
    assert LiveStores.restore(path).position.lines == 2
    assert {file.name for file in tmp_path.iterdir()} == {"snapshot", "events.jsonl"}


def test_a_missing_snapshot_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        LiveStores.restore(tmp_path / "nowhere")
