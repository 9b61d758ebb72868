"""Impressions and dismissals on disk answer like those in memory, whatever ends the process."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.datasets import DataError, Table
from components.stores.impressions import ImpressionStore
from components.stores.live.dismissals import Dismissals
from components.stores.live.impressions import DurableImpressions

ROOT = Path(__file__).resolve().parents[4]
DAY = 86_400_000
VIEWERS = st.integers(0, 4)
IDS = st.lists(st.integers(-3, 6), max_size=5)
RECORDS = st.lists(st.tuples(VIEWERS, IDS, st.integers(0, 4_000)), max_size=12)
SMALL = {"ttl_s": 5.0, "per_viewer": 4, "viewers": 3}


@settings(max_examples=30)
@given(records=RECORDS, reopened=st.sets(st.integers(0, 11)))
def test_impressions_on_disk_and_in_memory_answer_the_same(records, reopened):
    with TemporaryDirectory() as folder:
        path, memory, now = Path(folder) / "impressions", ImpressionStore(**SMALL), 0
        disk = DurableImpressions(path, **SMALL)
        for at, (viewer, ids, later) in enumerate(records):
            now += later
            memory.record(viewer, ids, now)
            disk.record(viewer, ids, now)
            if at in reopened:
                disk.close()
                disk = DurableImpressions(path, **SMALL)
            asked = np.arange(-3, 7)
            for moment in (now - 1, now, now + 3_000):
                for other in range(5):
                    assert disk.shown(other, moment).tolist() == memory.shown(other, moment).tolist()
                    expected = memory.counts(other, asked, moment).tolist()
                    assert disk.counts(other, asked, moment).tolist() == expected
        disk.close()


def test_constants_are_the_published_ones(tmp_path):
    with (
        DurableImpressions(tmp_path / "impressions") as impressions,
        Dismissals(tmp_path / "d") as dismissals,
    ):
        assert (impressions.ttl_s, impressions.per_viewer) == (2 * 86_400, 5_000)
        dismissals.record(1, [5], 0)
        assert dismissals.dismissed(1, 180 * DAY - 1).tolist() == [5]
        assert dismissals.dismissed(1, 180 * DAY).tolist() == []
        dismissals.record(2, np.arange(120), 0)
        assert dismissals.dismissed(2, 0).tolist() == list(range(20, 120))


def run_and_die(path: Path, then: str) -> None:
    code = f"""
import os, sys
from components.stores.live.impressions import DurableImpressions
store = DurableImpressions(sys.argv[1])
store.record(1, [10, 11], 1_000)
store.record(1, [12], 2_000)
{then}
os._exit(9)
"""
    command = [sys.executable, "-c", code, str(path)]
    ended = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert ended.returncode == 9


@pytest.mark.parametrize(
    "then",
    [
        pytest.param("", id="between two records"),
        pytest.param(
            "store._events._connection.execute('BEGIN IMMEDIATE')\n"
            "store._events._insert(store._events._connection, 1, [(99, 3_000)])",
            id="in the middle of one",
        ),
    ],
)
def test_a_crash_loses_nothing_that_was_recorded_and_keeps_nothing_half_done(tmp_path, then):
    path = tmp_path / "impressions"
    run_and_die(path, then)
    with DurableImpressions(path) as store:
        assert store.shown(1, 3_000).tolist() == [10, 11, 12]
        store.record(1, [13], 3_000)
        assert store.shown(1, 3_000).tolist() == [10, 11, 12, 13]


def test_a_record_that_fails_half_way_leaves_nothing(tmp_path, monkeypatch):
    with DurableImpressions(tmp_path / "impressions") as store:
        store.record(1, [10], 1_000)

        def fail(*_: object) -> None:
            raise RuntimeError("stop")

        with monkeypatch.context() as patch:
            patch.setattr(store._events, "_expire_sometimes", fail)
            with pytest.raises(RuntimeError, match="stop"):
                store.record(1, [11], 2_000)
        assert store.shown(1, 3_000).tolist() == [10]
        store.record(1, [12], 3_000)
        assert store.shown(1, 3_000).tolist() == [10, 12]


def test_threads_and_two_connections_lose_no_record(tmp_path):
    path = tmp_path / "impressions"
    stores = [DurableImpressions(path), DurableImpressions(path)]

    def work(number: int) -> None:
        for at in range(10):
            stores[number % 2].record(number % 3, [number * 100 + at], 1_000)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        shown = sorted(id for viewer in range(3) for id in store.shown(viewer, 1_000).tolist())
        assert shown == [number * 100 + at for number in range(4) for at in range(10)]
        store.close()


def test_many_may_open_a_new_file_at_once(tmp_path):
    wrong: list[BaseException] = []

    def work(path: Path, start: threading.Barrier, number: int) -> None:
        start.wait()
        try:
            with DurableImpressions(path) as store:
                store.record(1, [number], 1_000)
        except DataError as error:
            wrong.append(error)

    for attempt in range(10):
        path, start = tmp_path / str(attempt), threading.Barrier(4)
        threads = [threading.Thread(target=work, args=(path, start, number)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with DurableImpressions(path) as store:
            assert sorted(store.shown(1, 1_000).tolist()) == [0, 1, 2, 3]
    assert not wrong


def test_what_no_longer_counts_is_deleted(tmp_path):
    path = tmp_path / "impressions"
    with DurableImpressions(path, ttl_s=60.0) as store:
        store.record(1, [10], 0)
        store.record(2, [11], 3_600_000)
        with closing(sqlite3.connect(path)) as file:
            assert file.execute("SELECT id FROM events").fetchall() == [(11,)]
        store.expire(3_600_000 + 60_000)
        with closing(sqlite3.connect(path)) as file:
            assert file.execute("SELECT COUNT(*) FROM events").fetchone() == (0,)


def test_a_batch_of_the_log_counts_once_however_often_it_comes(tmp_path):
    rows = {"viewer_id": [1, 2, 1, 1], "post_id": [10, 10, 11, 10], "time_ms": [5, 6, 7, 8]}
    batch = {"impressions": Table({name: np.array(values) for name, values in rows.items()})}
    with DurableImpressions(tmp_path / "impressions") as store:
        for _ in range(2):
            store.apply(batch)
            store.apply({})
        assert store.shown(1, 10).tolist() == [10, 11, 10]
        assert store.shown(2, 10).tolist() == [10]


def relations(**columns: list[int]) -> dict[str, Table]:
    return {"relations": Table({name: np.array(values) for name, values in columns.items()})}


def test_dismissals_come_from_the_log_and_are_taken_back_by_it(tmp_path):
    taken_back = Table(
        {
            "of": ["relations", "relations"],
            "user_id": np.array([1, 1]),
            "subject_id": np.array([7, 9]),
            "kind": np.array([2, 1]),
            "time_ms": np.array([6, 6]),
        }
    )
    with Dismissals(tmp_path / "dismissals") as store:
        store.apply(relations(user_id=[1, 1, 1], subject_id=[7, 8, 9], kind=[2, 0, 2], time_ms=[3, 4, 5]))
        assert store.dismissed(1, 10).tolist() == [7, 9]
        store.apply({"deletions": taken_back})
        assert store.dismissed(1, 10).tolist() == [9]


def test_dismissals_are_distinct_and_can_be_taken_back(tmp_path):
    with Dismissals(tmp_path / "dismissals") as store:
        for time, id in enumerate([7, 8, 7, 9]):
            store.record(1, [id], time)
        assert store.dismissed(1, 10).tolist() == [8, 7, 9]
        store.take_back(1, [9, 77], 10)
        assert store.dismissed(1, 10).tolist() == [8, 7]
        store.record(1, [9], 11)
        assert store.dismissed(1, 11).tolist() == [8, 7, 9]
        store.expire(11 + 180 * DAY)
        assert store.dismissed(1, 11).tolist() == []


def test_a_file_of_something_else_is_named(tmp_path):
    path = tmp_path / "impressions"
    path.write_bytes(b"x" * 5_000)
    with pytest.raises(DataError, match="impressions: expected a SQLite file, got"):
        DurableImpressions(path)


def test_a_file_of_another_version_is_refused(tmp_path):
    path = tmp_path / "impressions"
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA user_version = 7")
    with pytest.raises(DataError, match="expected a file of version 1, got 7"):
        DurableImpressions(path)


def test_room_for_nobody_is_refused(tmp_path):
    with pytest.raises(ValueError, match="room for 1 viewer with 1 event at least, got 0, 5"):
        DurableImpressions(tmp_path / "impressions", viewers=0, per_viewer=5)
