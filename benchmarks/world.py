"""Synthetic worlds: how long one takes and how much memory, by size; and how fast simulated days pass.

Each size runs in a process of its own, so that its peak is its own. ``--full`` adds the medium world (100,000 users,
1,000,000 posts). Limits: one machine, one run; growth is against the size before.
"""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from typing import Any

import anyio

from benchmarks.machine import describe, emit
from benchmarks.steps import measured, ran_step
from components.datasets import generate
from components.simulation import Simulation, baselines, interleave

SIZES = ("tiny", "small", "medium")
DAYS = 2


def made(size: str) -> dict[str, Any]:
    begin = time.perf_counter()
    data = generate(size).dataset
    seconds = time.perf_counter() - begin
    names = ("users", "follows", "posts", "impressions", "engagements")
    return {"seconds": round(seconds, 2), **{name: len(data[name]) for name in names}}


def lived(size: str) -> dict[str, Any]:
    simulation = Simulation(generate(size))
    known = baselines(simulation)
    arms = {name: known[name] for name in ("random", "newest")}
    begin = time.perf_counter()
    anyio.run(lambda: interleave(simulation, arms, DAYS))
    seconds = time.perf_counter() - begin
    sessions = sum(len(day.sessions.viewer) for day in simulation.days)
    return {"seconds": round(seconds, 2), "sessions": sessions, "sessions_per_s": round(sessions / seconds)}


def grown(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many times the time, memory and impressions of each size are those of the size before."""
    return [
        {
            "from": before["size"],
            "to": after["size"],
            **{name: round(after[name] / before[name], 1) for name in ("impressions", "seconds", "peak_mb")},
        }
        for before, after in pairwise(rows)
    ]


def main() -> None:
    if ran_step((made, lived), str):
        return
    sizes = SIZES if "--full" in sys.argv else SIZES[:2]
    worlds = [{"size": size, **measured("world", "made", size)} for size in sizes]
    simulated = [{"size": size, **measured("world", "lived", size)} for size in sizes[:2]]
    emit(
        {
            "machine": describe("numpy"),
            "worlds": worlds,
            "growth": grown(worlds),
            f"{DAYS} simulated days": simulated,
        }
    )


if __name__ == "__main__":
    main()
