"""Data sets: opening and splitting 10 million engagements, and replaying an event log; time and peak memory.

Each step runs in a process of its own, so that its peak is its own. Limits: the events are drawn uniformly, one
machine, files in the page cache. ``MIXER_BENCH_ENGAGEMENTS`` sets another number of engagements.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.machine import describe, emit
from benchmarks.steps import all_measured, ran_step
from components.datasets import Dataset, EventLog, Table, generate, split_by_time

if TYPE_CHECKING:
    from pathlib import Path

ENGAGEMENTS = int(os.environ.get("MIXER_BENCH_ENGAGEMENTS", "10000000"))


def make(folder: Path) -> dict[str, float]:
    rng = np.random.default_rng(0)
    users, posts = ENGAGEMENTS // 100, ENGAGEMENTS // 10
    created = np.sort(rng.integers(1, 10**9, posts))
    post = rng.integers(0, posts, ENGAGEMENTS)
    delay = rng.integers(0, 10**8, ENGAGEMENTS)
    tables = {
        "users": Table({"user_id": np.arange(users)}),
        "posts": Table(
            {
                "post_id": np.arange(posts),
                "author_id": rng.integers(0, users, posts),
                "created_ms": created,
                "text": [f"post number {number}" for number in range(posts)],
            }
        ),
        "engagements": Table(
            {
                "viewer_id": rng.integers(0, users, ENGAGEMENTS),
                "post_id": post,
                "action": rng.integers(0, 10, ENGAGEMENTS).astype(np.int8),
                "time_ms": created[post] + delay,
            }
        ).sort_by("time_ms"),
    }
    begin = time.perf_counter()
    Dataset("made", tables, 2 * 10**9, checked=True).save(folder / "data")
    size = sum(path.stat().st_size for path in (folder / "data").iterdir())
    return {"seconds": round(time.perf_counter() - begin, 2), "file_mb": round(size / 1e6)}


def open_and_check(folder: Path) -> dict[str, float]:
    begin = time.perf_counter()
    data = Dataset.open(folder / "data")
    assert len(data.engagements) == ENGAGEMENTS
    return {"seconds": round(time.perf_counter() - begin, 2)}


def open_and_split(folder: Path) -> dict[str, float]:
    begin = time.perf_counter()
    data = Dataset.open(folder / "data")
    split = split_by_time(data)
    parts = (split.train, split.calibration.data, split.test.data)
    assert sum(len(part.engagements) for part in parts) == ENGAGEMENTS
    cold = sum(len(part) for part in split.segments(split.test).values())
    assert cold == len(split.test.data.engagements)
    return {"seconds": round(time.perf_counter() - begin, 2)}


def write_log(folder: Path) -> dict[str, float]:
    data = generate("small").dataset
    begin = time.perf_counter()
    EventLog(folder / "events.jsonl").write(data)
    seconds = time.perf_counter() - begin
    events = sum(len(table) for table in data.tables.values())
    return {"events": events, "events_per_second": round(events / seconds)}


def replay_log(folder: Path) -> dict[str, float]:
    next(EventLog(folder / "events.jsonl").replay(batch=10))  # imports are not what is measured
    begin = time.perf_counter()
    stretches = EventLog(folder / "events.jsonl").replay()
    events = sum(len(table) for stretch in stretches for table in stretch.values())
    return {"events": events, "events_per_second": round(events / (time.perf_counter() - begin))}


STEPS = (make, open_and_check, open_and_split, write_log, replay_log)


def main() -> None:
    if not ran_step(STEPS):
        rows = all_measured("datasets", STEPS)
        emit({"machine": describe("numpy", "pyarrow"), f"{ENGAGEMENTS:,} engagements; a log": rows})


if __name__ == "__main__":
    main()
