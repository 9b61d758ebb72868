"""How long the products take to answer: percentiles, throughput, growth with candidates, and where the time goes.

    python -m benchmarks.products [--json] [--full] [--requests 200]

Answers random viewers of a synthetic world in the minute after its last event, one request after the other, each
viewer once, in one process on one core: For You with the logistic ranker at its default caps and at 1,500 candidates,
with the heavy ranker (a hardly trained network of the served shape) on all 1,500 and, as served, on the 500 that the
light one chooses, and follow recommendations. ``--full`` adds
the world of a million posts. Limits: a shared machine moves numbers by tens of percent; the first requests, which
fill caches, are not counted.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import numpy as np

from benchmarks.machine import describe
from components.datasets import World, generate
from components.models.heavy_ranker.load import load_config
from components.rankers.light import LogisticRanker, PreRank
from components.stores.from_dataset import stores_of
from components.stores.types import Account, Post, Viewer
from mixer import DebugOptions, RecommendationFlow, Request, chain
from mixer.params import Param, Params
from products.follow_recs.flow import FollowRecs
from products.follow_recs.training import INPUTS as ACCOUNT_INPUTS
from products.for_you import params
from products.for_you.flow import ForYou
from products.for_you.heavy import features_of, heavy_ranker, train_heavy
from products.for_you.training import INPUTS as POST_INPUTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.models.logistic import LogisticModel
    from components.stores.stores import Stores

MINUTE_MS = 60_000
WARM_UP = 20


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.products", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--full", action="store_true", help="also the world of a million posts")
    parser.add_argument("--requests", type=int, default=200)
    options = parser.parse_args()
    rows = []
    for size in ("small", "medium") if options.full else ("small",):
        rows += measured(generate(size, 0), options.requests)
    if options.json:
        print(json.dumps({"machine": describe(), "rows": rows}, indent=2))
        return
    print(describe())
    for row in rows:
        print(
            f"{row['world']:7} {row['flow']:28} {row['candidates']:6.0f} candidates"
            f"  p50 {row['p50_ms']:6.1f} ms  p99 {row['p99_ms']:6.1f} ms  {row['per_s']:5.0f}/s"
        )
        print("        " + ", ".join(f"{name} {ms:.2f}" for name, ms in row["stages_ms"].items()))


def measured(world: World, requests: int) -> list[dict[str, Any]]:
    stores = stores_of(world.dataset)
    light = LogisticRanker(model_of(POST_INPUTS), POST_INPUTS, Post.score)
    rows = [
        row_of(world.size, "for_you logistic", ForYou(stores, light), stores, requests, {}),
        *(
            row_of(
                world.size, f"for_you logistic {cap}", ForYou(stores, light), stores, requests, caps_of(cap)
            )
            for cap in (150, 500, 1_500, 5_000)
        ),
    ]
    people = FollowRecs(stores, LogisticRanker(model_of(ACCOUNT_INPUTS), ACCOUNT_INPUTS, Account.score))
    rows.append(row_of(world.size, "follow_recs logistic", people, stores, requests, {}))
    with tempfile.TemporaryDirectory() as scratch:
        config = load_config("for_you", ["training.steps=60", "optimizer.schedule.final_step=60"])
        folder = Path(scratch) / "heavy"
        anyio.run(lambda: train_heavy(stores, world.dataset, Params.of({}), 0, iter, folder, config=config))
        heavy = heavy_ranker(features_of(stores, world.dataset), folder)
        served = chain(PreRank(light, params.HEAVY_CAP), heavy)
        for name, ranker in (("for_you heavy 1500", heavy), ("for_you heavy 500 of 1500", served)):
            rows.append(row_of(world.size, name, ForYou(stores, ranker), stores, requests, caps_of(1_500)))
    return rows


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


def row_of(
    world: str,
    name: str,
    flow: RecommendationFlow[Viewer, Any],
    stores: Stores,
    requests: int,
    settings: Mapping[Param[Any], object],
) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    users = rng.choice(stores.users.ids, requests + WARM_UP, replace=requests + WARM_UP > len(stores.users))
    moments = stores.now_ms + np.sort(rng.integers(0, MINUTE_MS, len(users)))
    resolved = Params.of(dict(settings))
    spent, ranked, stages = [], [], defaultdict(list)

    async def ask() -> None:
        for user, now_ms in zip(users.tolist(), moments.tolist(), strict=True):
            request = Request(
                id="bench", now_ms=now_ms, params=resolved, debug=DebugOptions(skip_side_effects=True)
            )
            begin = time.perf_counter()
            result = await flow.process(Viewer(user, request=request))
            spent.append((time.perf_counter() - begin) * 1e3)
            for stage in result.trace.stages:
                stages[stage.name].append(stage.ms)
                if stage.name == "ranker":
                    ranked.append(stage.count_out)

    anyio.run(ask)
    times = np.array(spent[WARM_UP:])
    return {
        "world": world,
        "flow": name,
        "candidates": float(np.median(ranked[WARM_UP:])),
        "p50_ms": float(np.median(times)),
        "p99_ms": float(np.quantile(times, 0.99)),
        "per_s": float(1_000.0 / times.mean()),
        "stages_ms": {stage: float(np.median(ms[WARM_UP:])) for stage, ms in stages.items()},
    }


if __name__ == "__main__":
    main()
