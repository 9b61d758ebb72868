"""How much of what can be known the heavy ranker learns: AUC a head beside the planted ceiling, and calibration.

    python -m benchmarks.heads [--json] [--world small] [--users N --posts N --impressions N] [--seed 0] [key=value ...]

A world is cut by time: training and calibration see what came before the last tenth of the engagements, the metrics are
of what was shown in it. ``auc`` counts every row as engaged with by what was planted (probability times the chance that the
place was looked at), which knows no noise of labels and judges heads with a handful of positives, too; ``ceiling`` is
the same for the planted probability itself. ``auc_labels`` and ``ceiling_labels`` are those on labels. ``calibration`` is
the mean prediction over the mean label; ``noise`` its relative standard error, 1 / sqrt(positives). ``expected`` is the
mean prediction over the mean of what was planted; the noise of the slice that calibration learned from remains in it.
Further arguments override the preset ``for_you``, such as ``training.steps=3000``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import anyio
import numpy as np

from benchmarks.machine import describe
from components.datasets import SIZES, Action, World, generate, split_by_time
from components.datasets.world import WorldSize
from components.evaluation import auc
from components.features.labels import HEADS, LABEL_WINDOW_MS, shown_examples
from components.models.heavy_ranker.load import load_config
from components.models.heavy_ranker.metrics import head_metrics
from components.models.heavy_ranker.predictor import Predictor
from components.stores.from_dataset import stores_of
from mixer.params import Params
from products.for_you.heavy import PRESET, features_of, train_heavy

PART = 50_000


def main() -> None:
    arguments = parse()
    if arguments.users:
        size = WorldSize(arguments.users, arguments.posts, 14, 40, arguments.impressions)
        SIZES["asked"] = size  # type: ignore[index]  # a size for this run alone
    world = generate("asked" if arguments.users else arguments.world, arguments.seed)
    with tempfile.TemporaryDirectory() as scratch:
        report = measured(world, arguments, Path(scratch) / "checkpoint")
    if arguments.json:
        print(json.dumps(report))
        return
    print(", ".join(f"{key} {value}" for key, value in report["machine"].items()))
    print(f"trained in {report['training_s']} s; {report['rows']} rows later in time")
    for row in report["heads"]:
        print("  " + ", ".join(f"{key} {value}" for key, value in row.items()))


def measured(world: World, arguments: argparse.Namespace, folder: Path) -> dict:
    data = world.dataset
    test = split_by_time(data, 0.1, 0.1).test
    config = load_config(PRESET, arguments.overrides)

    async def train() -> Path:
        past = stores_of(test.known)
        return await train_heavy(past, test.known, Params.of({}), arguments.seed, iter, folder, config=config)

    start = time.perf_counter()
    anyio.run(train)
    seconds = round(time.perf_counter() - start, 1)
    stores = stores_of(data)
    features = features_of(stores, data)
    later = shown_examples(stores, data).during(test.begin_ms, data.now_ms - LABEL_WINDOW_MS)
    predictor = Predictor.load(folder)
    found = np.concatenate([predictor.probabilities(part.rows(features)) for part in later.parts(PART)])
    asked = later.asked
    planted = world.truth.probability(
        stores.users.ids[asked.viewer[asked.request]], stores.posts.index.ids[asked.post]
    )
    shown = data["impressions"].sort_by("time_ms", "viewer_id", "position", "post_id")
    looked_at = shown["propensity"][np.isin(shown["time_ms"], asked.now_ms)]
    heads = [
        one_head(action, later.labels, planted, looked_at, found[:, predictor.heads.index(HEADS[action])])
        for action in Action
    ]
    return {
        "machine": describe("torch", "numpy"),
        "training_s": seconds,
        "rows": len(later),
        "heads": heads,
    }


def one_head(
    action: Action, labels: np.ndarray, planted: np.ndarray, looked_at: np.ndarray, p: np.ndarray
) -> dict[str, object]:
    y, truth = labels[:, action], planted[:, action]
    rate = truth * looked_at
    found, ceiling = expected_auc(rate, p), expected_auc(rate, truth)
    report: dict[str, object] = {
        "head": HEADS[action],
        "positives": int(y.sum()),
        "auc": round(found, 4),
        "ceiling": round(ceiling, 4),
        "share": round(found / ceiling, 3),
        "expected": round(float(p.mean() / rate.mean()), 3),
    }
    if not y.any():
        return report
    metrics = head_metrics(["head"], y[:, None], p[:, None])["head"]
    return report | {
        "auc_labels": round(metrics["auc"], 4),
        "ceiling_labels": round(auc(y, truth), 4),
        "calibration": round(metrics["calibration"], 3),
        "noise": round(float(y.sum() ** -0.5), 3),
        "ece": round(metrics["ece"], 5),
    }


def expected_auc(rate: np.ndarray, score: np.ndarray) -> float:
    """AUC where every row is a positive by its rate and a negative by the rest."""
    positive = np.repeat([1, 0], len(rate))
    return auc(positive, np.tile(score, 2), np.concatenate([rate, 1.0 - rate]))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--world", default="small")
    parser.add_argument("--users", type=int, default=0, help="makes a world of its own size")
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--impressions", type=int, default=200, help="a user, in the mean")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
