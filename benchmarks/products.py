"""How long the products take to answer: percentiles, throughput, growth, and where the time goes.

    python -m benchmarks.products [--json] [--full] [--requests 200] [--processes 2] [--seconds 5]

Answers random viewers of a synthetic world in the minute after its last event, first one request after the other, each
viewer once, in one process on one core: For You with the logistic ranker at its default caps, at 150 to 5,000
candidates and for viewers who follow many, with the heavy ranker (a hardly trained network of the served shape) on all
of 1,500 and, as served, on the 500 that the light one chooses, and follow recommendations. Then from ``--processes``
processes at once that share the loaded world, each with one request at a time and with four. ``--full`` adds worlds
of 200,000 and a million posts. Limits: a shared machine moves numbers by tens of percent; the first requests, which
fill caches, are not counted; who asks waits for an answer before asking again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import numpy as np

from benchmarks.asking import Case, Crowd, alone, can_share_memory, together
from benchmarks.machine import describe
from components.datasets import World, generate
from components.datasets.world import WorldSize
from components.models.heavy_ranker.load import load_config
from components.models.runtimes import threads
from components.rankers.light import LogisticRanker, PreRank
from components.stores.from_dataset import stores_of
from components.stores.types import Account, Post, Viewer
from mixer import RecommendationFlow, chain
from mixer.params import Param, Params
from products.follow_recs.flow import FollowRecs
from products.follow_recs.training import INPUTS as ACCOUNT_INPUTS
from products.for_you import params
from products.for_you.flow import ForYou
from products.for_you.heavy import features_of, heavy_ranker, train_heavy
from products.for_you.training import INPUTS as POST_INPUTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from components.models.logistic import LogisticModel
    from components.stores.stores import Stores

WORLDS = ("small",)
FULL = ("small", WorldSize(20_000, 200_000, 14, 50, 100), "medium")
FOLLOWS = (10, 30, 100, 300)
"""Viewers who follow about so many."""
ALIKE = 100
"""How many of those are drawn from."""
TASKS = (1, 4)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.products", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--full", action="store_true", help="also worlds of 200,000 and a million posts")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="that serve at once")
    parser.add_argument("--seconds", type=float, default=5.0, help="for which they do")
    options = parser.parse_args()
    shared = options.processes if can_share_memory() else 0
    if not shared:
        print("processes: none serve at once; that needs a platform that forks", file=sys.stderr)
    crowds = [Crowd(shared, tasks, options.seconds) for tasks in TASKS if shared]
    machine, rows = describe(), []
    with tempfile.TemporaryDirectory() as scratch, threads(1):
        heavy = trained(Path(scratch) / "heavy")
        for size in FULL if options.full else WORLDS:
            for row in measured(generate(size, 0), heavy, options.requests, crowds):
                rows.append(row)
                if not options.json:
                    show(row)
    if options.json:
        print(json.dumps({"machine": machine, "load_after": os.getloadavg()[0], "rows": rows}, indent=2))
    else:
        print({**machine, "load_after": os.getloadavg()[0]})


def show(row: Mapping[str, Any]) -> None:
    at_once = ""
    if "processes" in row:
        at_once = f"{row['processes']} x {row['tasks']} on {row['cores']:.1f} cores"
    print(
        f"{row['posts']:9,} posts  {row['flow']:34} {at_once:18} {row['candidates']:6.0f} candidates"
        f"  p50 {row['p50_ms']:6.1f} ms  p99 {row['p99_ms']:6.1f} ms  {row['per_s']:5.0f}/s"
        f"  {row['per_core_s']:5.0f} a second of a core"
    )
    if "stages_ms" in row:
        print("        " + ", ".join(f"{name} {ms:.2f}" for name, ms in row["stages_ms"].items()))


def trained(folder: Path) -> Path:
    """A heavy ranker of the served shape; that it hardly learned anything does not change how long it takes."""
    world = generate("small", 0).dataset
    config = load_config("for_you", ["training.steps=60", "optimizer.schedule.final_step=60"])
    stores = stores_of(world)
    return anyio.run(lambda: train_heavy(stores, world, Params.of({}), 0, iter, folder, config=config))


def measured(world: World, heavy: Path, requests: int, crowds: list[Crowd]) -> Iterator[dict[str, Any]]:
    """One process on every case; processes together on those that are served."""
    stores = stores_of(world.dataset)
    served, others = cases_of(world, stores, heavy)
    for case in (*served, *others):
        yield alone(case, requests)
    for case in served:
        for crowd in crowds:
            yield together(case, crowd)


def cases_of(world: World, stores: Stores, folder: Path) -> tuple[list[Case], list[Case]]:
    """What is served, and how cost grows."""
    light = LogisticRanker(model_of(POST_INPUTS), POST_INPUTS, Post.score)
    people = LogisticRanker(model_of(ACCOUNT_INPUTS), ACCOUNT_INPUTS, Account.score)
    logistic, features = partial(ForYou, stores, light), features_of(stores, world.dataset)

    def heavy() -> RecommendationFlow[Viewer, Post]:
        return ForYou(stores, heavy_ranker(features, folder))

    def both() -> RecommendationFlow[Viewer, Post]:
        return ForYou(stores, chain(PreRank(light, params.HEAVY_CAP), heavy_ranker(features, folder)))

    week = caps_of(1_500)
    served = [
        Case("for_you logistic", stores, logistic),
        Case("for_you logistic 1500", stores, logistic, week),
        Case("for_you heavy 500 of 1500", stores, both, week),
        Case("follow_recs logistic", stores, partial(FollowRecs, stores, people)),
    ]
    caps = [
        Case(f"for_you logistic {cap}", stores, logistic, caps_of(cap)) for cap in (150, 500, 3_000, 5_000)
    ]
    following = [
        Case(f"{name}, {count} follows", stores, flow, {}, who_follow(stores, count))
        for name, flow in (("for_you logistic", logistic), ("follow_recs logistic", served[-1].flow))
        for count in FOLLOWS
    ]
    return served, [*caps, *following, Case("for_you heavy 1500", stores, heavy, week)]


def who_follow(stores: Stores, count: int) -> np.ndarray:
    """``(ALIKE,)`` ids of the viewers whose number of follows is nearest to one."""
    follows = stores.follows.degrees(np.arange(len(stores.users)))
    return stores.users.ids[np.argsort(np.abs(follows - count), kind="stable")[:ALIKE]]


def model_of(inputs: tuple[Any, ...]) -> LogisticModel:
    """Some ranker: what it prefers does not change how long it takes."""
    rng = np.random.default_rng(0)
    names, width = [key.name for key in inputs], len(inputs)
    from components.models.logistic import LogisticRegression

    features = np.abs(rng.normal(size=(200, width)))
    return LogisticRegression(l2=1.0).fit(
        features, (rng.random(200) < 0.5).astype(float), np.ones(200), names
    )


def caps_of(candidates: int) -> Mapping[Param[Any], object]:
    """About so many candidates, of which all are ranked."""
    return {
        params.IN_NETWORK_CAP: candidates,
        params.POPULAR_CAP: candidates,
        params.CO_ENGAGEMENT_CAP: candidates,
        params.RANK_CAP: candidates,
        params.MAX_AGE_H: 168.0,
        params.WINDOW_H: 168.0,
    }


if __name__ == "__main__":
    main()
