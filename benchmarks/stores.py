"""Live stores: ingestion of an event log, reading rows, features of a slate, views, snapshots; time and peak memory.

    python -m benchmarks stores [--json]

Each step runs in a process of its own, so that its peak is its own; all use one core. The log is drawn with a seed:
users, posts, follows and engagements in order of time, half of the engagements with the most popular hundredth of the
posts, and 1 in 200 events a deletion. Limits: one machine, files in the page cache; texts are short.
``MIXER_BENCH_EVENTS`` sets another number of events.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.machine import describe, emit
from benchmarks.steps import all_measured, ran_step
from components.datasets import Dataset, EventLog, Table
from components.datasets.event_lines import DELETIONS, records_of
from components.stores.live.dismissals import Dismissals
from components.stores.live.features import FeatureStore
from components.stores.live.impressions import DurableImpressions
from components.stores.live.stores import LiveStores

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

EVENTS = int(os.environ.get("MIXER_BENCH_EVENTS", "1000000"))
FEATURE_IDS, FEATURES, SLATE = 1_000_000, 64, 1_500
MS_PER_EVENT = 100
Result = dict[str, Any]


def make(folder: Path) -> Result:
    rng = np.random.default_rng(0)
    users, posts, follows, deletions = EVENTS // 20, EVENTS // 10, EVENTS // 5, EVENTS // 200
    acts = EVENTS - users - posts - follows - deletions
    end = EVENTS * MS_PER_EVENT
    created = np.sort(rng.integers(1, end, posts))
    popular = rng.choice(posts, posts // 100, replace=False)
    post = np.where(rng.random(acts) < 0.5, rng.choice(popular, acts), rng.integers(0, posts, acts))
    tables = {
        "users": {"user_id": np.arange(users)},
        "posts": {
            "post_id": np.arange(posts),
            "author_id": rng.integers(0, users, posts),
            "created_ms": created,
            "text": [f"post number {number}" for number in range(posts)],
        },
        "follows": {
            "follower_id": rng.integers(0, users, follows),
            "followee_id": rng.integers(0, users, follows),
            "created_ms": np.sort(rng.integers(1, end, follows)),
        },
        "engagements": {
            "viewer_id": rng.integers(0, users, acts),
            "post_id": post,
            "action": np.zeros(acts, np.int8),
            "time_ms": created[post] + rng.integers(0, end // 10, acts),
        },
    }
    gone = rng.choice(posts, deletions, replace=False)
    taken_back = (
        {"table": DELETIONS, "of": "posts", "post_id": int(id), "time_ms": int(created[id]) + 1}
        for id in np.sort(gone)
    )
    data = Dataset("made", {name: Table(table) for name, table in tables.items()}, 2 * end, checked=True)
    records = itertools.chain.from_iterable(records_of(data, 50_000))
    log = EventLog(folder / "events.jsonl")
    events = log.append(heapq.merge(records, taken_back, key=_moment))
    return {"events": events, "log_mb": round(log.path.stat().st_size / 1e6)}


def _moment(record: Mapping[str, Any]) -> int:
    return record.get("time_ms", record.get("created_ms", 0))


def follow_the_log(folder: Path) -> Result:
    live, seconds = _followed(folder)
    begin = time.perf_counter()
    view = live.view()
    built = time.perf_counter() - begin
    live.snapshot(folder / "snapshot")
    snapshot = time.perf_counter() - begin - built
    return {
        "events_per_second": round(live.position.lines / seconds),
        "columns_mb": round(live.nbytes / 1e6),
        "view_s": round(built, 2),
        "view_again_us": _microseconds(live.view),
        "posts": len(view.posts),
        "engagements": view.engagements.edges,
        "snapshot_s": round(snapshot, 2),
        "snapshot_mb": round((folder / "snapshot").stat().st_size / 1e6),
    }


def restore(folder: Path) -> Result:
    begin = time.perf_counter()
    live = LiveStores.restore(folder / "snapshot")
    seconds = time.perf_counter() - begin
    begin = time.perf_counter()
    live.follow(EventLog(folder / "events.jsonl"))
    return {
        "seconds": round(seconds, 2),
        "find_place_in_log_ms": round(1e3 * (time.perf_counter() - begin), 1),
    }


def apply_read_batches(folder: Path) -> Result:
    """Without reading JSON."""
    batches = list(EventLog(folder / "events.jsonl").replay())
    live, begin = LiveStores(), time.perf_counter()
    for batch in batches:
        live.apply(batch)
    return {"events_per_second": round(EVENTS / (time.perf_counter() - begin))}


def read_rows(folder: Path) -> Result:
    live, _ = _followed(folder)
    rng, now = np.random.default_rng(1), live.position.time_ms + 1
    users = EVENTS // 20
    one, hundred, thousand = (functools.partial(rng.integers, 0, users, size) for size in (None, 100, 1_000))
    return {
        "follows_of_us": _microseconds(live.follows.of, one),
        "engagements_of_us": _microseconds(live.engagements.of, one),
        "engagers_of_us": _microseconds(live.engagements.reverse_of, one),
        "expand_100_users_us": _microseconds(live.engagements.expand, hundred),
        "recent_posts_of_1000_authors_us": _microseconds(
            lambda authors: live.recent.of_authors(authors, now), thousand
        ),
    }


def read_while_following(folder: Path) -> Result:
    """One thread reads rows of engagements, one after the other, while another feeds."""
    live, rng, waits, done = LiveStores(), np.random.default_rng(1), [], threading.Event()

    def read() -> None:
        while not done.is_set():
            user, begin = int(rng.integers(EVENTS // 20)), time.perf_counter()
            live.engagements.of(user)
            waits.append(time.perf_counter() - begin)

    reader = threading.Thread(target=read)
    reader.start()
    begin = time.perf_counter()
    live.follow(EventLog(folder / "events.jsonl"))
    seconds = time.perf_counter() - begin
    done.set()
    reader.join()
    return {"events_per_second": round(live.position.lines / seconds), "reads": len(waits), **_spread(waits)}


def get_features(folder: Path) -> Result:
    rng, path = np.random.default_rng(2), folder / "features"
    ids = rng.choice(2**62, FEATURE_IDS, replace=False)
    values = rng.random((FEATURE_IDS, FEATURES), dtype=np.float32)
    begin = time.perf_counter()
    FeatureStore.write(path, ids, [f"feature {number}" for number in range(FEATURES)], values)
    wrote = time.perf_counter() - begin
    begin = time.perf_counter()
    store = FeatureStore.open(path)
    opened = time.perf_counter() - begin
    store.values.sum()  # brings the file into the page cache
    waits = _waits(store.get, lambda: rng.choice(ids, SLATE))
    return {
        "write_s": round(wrote, 2),
        "open_ms": round(opened * 1e3, 1),
        f"get_{SLATE}x{FEATURES}": "of 1 M ids",
        **_spread(waits),
    }


def record_on_disk(folder: Path) -> Result:
    rng, times = np.random.default_rng(3), itertools.count(1_000)
    with DurableImpressions(folder / "impressions") as shown, Dismissals(folder / "dismissals") as dismissed:
        recorded = _waits(
            lambda viewer: shown.record(viewer, rng.integers(0, 2**40, 35), next(times)),
            lambda: int(rng.integers(1_000)),
        )
        return {
            "record_35": "with fsync",
            **_spread(recorded),
            "shown_us": _microseconds(lambda: shown.shown(int(rng.integers(1_000)), 10_000)),
            "dismiss_us": _microseconds(lambda: dismissed.record(1, [int(rng.integers(100))], next(times))),
        }


def _followed(folder: Path) -> tuple[LiveStores, float]:
    log, live = EventLog(folder / "events.jsonl"), LiveStores()
    next(iter(log.replay(batch=10)))  # imports are not what is measured
    begin = time.perf_counter()
    live.follow(log)
    return live, time.perf_counter() - begin


def _waits(
    call: Callable[..., object], argument: Callable[[], Any] | None = None, times: int = 500
) -> list[float]:
    waits: list[float] = []
    for _ in range(times):
        given = () if argument is None else (argument(),)
        begin = time.perf_counter()
        call(*given)
        waits.append(time.perf_counter() - begin)
    return waits


def _microseconds(call: Callable[..., object], argument: Callable[[], Any] | None = None) -> float:
    return round(float(np.median(_waits(call, argument))) * 1e6, 1)


def _spread(waits: list[float]) -> Result:
    p50, p99 = np.percentile(waits, [50, 99]) * 1e6
    return {"p50_us": round(float(p50), 1), "p99_us": round(float(p99), 1)}


STEPS = (
    make,
    follow_the_log,
    restore,
    apply_read_batches,
    read_rows,
    read_while_following,
    get_features,
    record_on_disk,
)


def main() -> None:
    if not ran_step(STEPS):
        rows = all_measured("stores", STEPS)
        emit({"machine": describe("numpy", "pyarrow"), f"{EVENTS:,} events": rows})


if __name__ == "__main__":
    main()
