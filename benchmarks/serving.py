"""The heavy ranker as For You serves it: milliseconds for a request's candidates, features included.

    python -m benchmarks.serving [--json] [--world small] [--rows 1500] [--seconds 4] [--threads 1] [--steps 300]

Trains the preset ``for_you`` for a few steps on a synthetic world, then ranks random candidates of random viewers.
Measured: features alone; the network alone in fp32 and with bf16 weights, with max |dp| and the difference in AUC on
what was shown last; and the whole ranker from candidates to ordered scores, through an event loop, the micro-batching
runner and its worker thread. Runtimes on the shape of 2023: ``python -m benchmarks.ranker``.
Limits: one process; a shared machine moves numbers by tens of percent.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import attrs
import numpy as np

from benchmarks.machine import describe
from components.datasets import generate, split_by_time
from components.evaluation import auc
from components.features.declared import Asked
from components.features.labels import shown_examples
from components.models.heavy_ranker.load import load_config
from components.models.heavy_ranker.predictor import Predictor
from components.models.runner import BatchLimits, serving
from components.models.runtimes import load_chosen, threads
from components.stores.from_dataset import stores_of
from components.stores.types import Post, Viewer
from mixer import Candidates, Request
from mixer.params import Params
from products.for_you.heavy import features_of, heavy_ranker, train_heavy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from components.datasets import Dataset
    from components.features.declared import FeatureSet
    from components.features.labels import Examples
    from components.rankers.heavy import HeavyRanker
    from components.stores.stores import Stores


@attrs.frozen
class Scene:
    """A trained checkpoint and the world it serves."""

    data: Dataset
    stores: Stores
    features: FeatureSet
    later: Examples
    folder: Path


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory() as scratch, threads(arguments.threads):
        scene = prepared(arguments, Path(scratch) / "checkpoint")
        report = {
            "machine": {**describe("torch", "numpy"), "threads": arguments.threads},
            "features": [features_ms(scene, arguments)],
            "network": networks(scene, arguments),
            "ranker": [anyio.run(ranker_ms, scene, arguments)],
        }
    if arguments.json:
        print(json.dumps(report))
        return
    for name in ("machine", "features", "network", "ranker"):
        rows = report[name] if isinstance(report[name], list) else [report[name]]
        print(f"\n{name}")
        for row in rows:
            print("  " + ", ".join(f"{key} {value}" for key, value in row.items()))


def prepared(arguments: argparse.Namespace, folder: Path) -> Scene:
    data = generate(arguments.world, 0).dataset
    split = split_by_time(data)
    past, stores = split.test.known, stores_of(data)
    steps = arguments.steps
    config = load_config(
        "for_you", [f"training.steps={steps}", f"optimizer.schedule.final_step={max(steps, 51)}"]
    )

    async def train() -> Path:
        return await train_heavy(stores_of(past), past, Params.of({}), 0, iter, folder, config=config)

    anyio.run(train)
    later = shown_examples(stores, data).during(split.test.begin_ms, data.now_ms)
    return Scene(data, stores, features_of(stores, data), later, folder)


def asked(scene: Scene, rows: int, rng: np.random.Generator) -> Asked:
    viewer = int(rng.integers(len(scene.stores.users)))
    return Asked.one(viewer, scene.data.now_ms, rng.integers(0, len(scene.stores.posts), rows))


def features_ms(scene: Scene, arguments: argparse.Namespace) -> dict[str, object]:
    rng = np.random.default_rng(0)
    return timed(lambda: scene.features.rows(asked(scene, arguments.rows, rng)), arguments.seconds)


def networks(scene: Scene, arguments: argparse.Namespace) -> list[dict[str, object]]:
    rows = scene.features.rows(asked(scene, arguments.rows, np.random.default_rng(0)))
    later = scene.later.rows(scene.features)
    exact = Predictor.load(scene.folder)
    expected, head = exact.probabilities(later), exact.heads.index("is_favorited")
    found = []
    runtimes = {
        "fp32": exact,
        "bf16 weights": Predictor.load(scene.folder, "bf16"),
        "fp32, towers fused": load_chosen(scene.folder)[0],
    }
    for runtime, predictor in runtimes.items():
        changed, labels = predictor.probabilities(later), later.labels["is_favorited"]
        found.append(
            {
                "runtime": runtime,
                **timed(lambda p=predictor: p.probabilities(rows), arguments.seconds),
                "max_abs_dp": float(np.abs(changed - expected).max()),
                "auc_difference": auc(labels, changed[:, head]) - auc(labels, expected[:, head]),
            }
        )
    return [*found, {"chosen": attrs.asdict(load_chosen(scene.folder)[1])}]


async def ranker_ms(scene: Scene, arguments: argparse.Namespace) -> dict[str, object]:
    """Candidates in, ordered scores out."""
    rng = np.random.default_rng(0)
    # Alone on the machine, waiting for company would only add Navi's 2 ms.
    limits = BatchLimits(max_wait_s=0.0)
    async with serving(load_chosen(scene.folder)[0], limits) as runner:
        ranker = heavy_ranker(scene.features, scene.folder, runner)
        return await awaited(lambda: one_request(scene, ranker, arguments.rows, rng), arguments.seconds)


def one_request(
    scene: Scene, ranker: HeavyRanker, rows: int, rng: np.random.Generator
) -> Callable[[], Awaitable[object]]:
    stores, request = scene.stores, Request(now_ms=scene.data.now_ms)
    user = int(stores.users.ids[rng.integers(len(stores.users))])
    viewer = Viewer(user, known=stores.history(user, request.now_ms), request=request)
    posts = np.sort(rng.choice(len(stores.posts), rows, replace=False))
    batch = Candidates(Post, {Post.id: stores.posts.index.ids[posts], Post.row: posts})

    async def rank() -> object:
        return await ranker.rank(viewer, batch)

    return rank


async def awaited(make: Callable[[], Callable[[], Awaitable[object]]], seconds: float) -> dict[str, object]:
    times, end = [], time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        rank = make()
        start = time.perf_counter()
        await rank()
        times.append(time.perf_counter() - start)
    return summary(times)


def timed(run: Callable[[], object], seconds: float) -> dict[str, object]:
    run()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return summary(times)


def summary(times: list[float]) -> dict[str, object]:
    best, median, slow = (float(value) for value in np.quantile(times, [0.0, 0.5, 0.99]) * 1e3)
    return {
        "runs": len(times),
        "ms_best": round(best, 2),
        "ms_median": round(median, 2),
        "ms_p99": round(slow, 2),
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--world", default="small")
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=300, help="of training; speed does not depend on them")
    return parser.parse_args()


if __name__ == "__main__":
    main()
