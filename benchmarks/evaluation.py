"""Throughput of the evaluation package, beside the libraries that the tests use as twins.

    python -m benchmarks.evaluation [--json] [--rows 1000000] [--repeats 5]

Limits: one process, synthetic data, best of several repeats; a shared machine moves numbers by tens of percent.
Peers get their inputs in the form they ask for, prepared outside the measured time; both sides must agree to 1e-9.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import tempfile
import time
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import attrs
import numpy as np

from components import evaluation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIST_LENGTH = 100
RESAMPLES = 1_000


@attrs.frozen
class Case:
    """Something to measure, with an independent library that gives the same number."""

    name: str
    rows: int
    run: Callable[[], object]
    peer: Callable[[], float] | None = None
    peer_name: str = ""


@attrs.frozen
class Timing:
    """The best time of a case and of its peer."""

    name: str
    rows: int
    seconds: float
    peer: str = ""
    peer_seconds: float | None = None

    @property
    def rows_per_second(self) -> float:
        return self.rows / self.seconds


def model_cases(rows: int, rng: np.random.Generator) -> Iterator[Case]:
    probability = rng.beta(1, 20, rows)
    label = (rng.random(rows) < probability).astype(np.float64)
    user = rng.integers(0, max(1, rows // LIST_LENGTH), rows)
    peers: dict[str, Callable[[], float]] = {}
    if util.find_spec("sklearn"):
        from sklearn import metrics

        peers["auc"] = lambda: metrics.roc_auc_score(label, probability)
        peers["average_precision"] = lambda: metrics.average_precision_score(label, probability)
        clipped = np.clip(probability, 1e-7, 1 - 1e-7)
        peers["log_loss"] = lambda: metrics.log_loss(label, clipped)
    for name in ("auc", "average_precision", "log_loss", "rce", "nrce", "expected_calibration_error"):
        metric = getattr(evaluation, name)
        yield Case(name, rows, lambda m=metric: m(label, probability), peers.get(name), "scikit-learn")
    yield Case("recalibration", rows, lambda: evaluation.recalibration(label, probability))
    yield Case("grouped_auc", rows, lambda: evaluation.grouped_auc(label, probability, user))


def ranking_cases(rows: int, rng: np.random.Generator) -> Iterator[Case]:
    users = max(1, rows // LIST_LENGTH)
    item = np.concatenate([rng.choice(10 * LIST_LENGTH, LIST_LENGTH, replace=False) for _ in range(users)])
    user = np.repeat(np.arange(users), LIST_LENGTH)
    rank = np.tile(np.arange(LIST_LENGTH), users)
    relevant = rng.random(len(user)) < 0.05
    truth = evaluation.Truth(user[relevant], item[relevant])
    judged = evaluation.judge(user, item, rank, truth)
    yield Case("judge (join lists with truth)", len(user), lambda: evaluation.judge(user, item, rank, truth))
    yield Case("six ranking metrics at 10", len(user), lambda: evaluation.ranking_metrics(judged, (10,)))
    yield Case(
        "judge and ndcg@10",
        len(user),
        lambda: mean_ndcg(evaluation.judge(user, item, rank, truth)),
        trec_ndcg(user, item, rank, truth),
        "ir-measures",
    )
    source = rng.integers(0, 8, len(user))
    yield Case(
        "source_recall, 8 sources",
        len(user),
        lambda: evaluation.source_recall(user, item, source, rank, truth, 10),
    )


def mean_ndcg(judged: evaluation.Judged) -> float:
    return evaluation.mean_over_users(evaluation.ndcg(judged, 10))


def trec_ndcg(user, item, rank, truth) -> Callable[[], float] | None:
    if not util.find_spec("ir_measures"):
        return None
    import ir_measures

    qrels = [ir_measures.Qrel(str(u), str(i), 1) for u, i in zip(truth.user, truth.item, strict=True)]
    run = [ir_measures.ScoredDoc(str(u), str(i), float(-r)) for u, i, r in zip(user, item, rank, strict=True)]
    evaluator = ir_measures.evaluator([ir_measures.nDCG @ 10], qrels)
    return lambda: evaluator.calc_aggregate(run)[ir_measures.nDCG @ 10]


def resampling_cases(rows: int, rng: np.random.Generator) -> Iterator[Case]:
    users = max(2, rows // LIST_LENGTH)
    values = rng.random(users)
    strap = evaluation.Bootstrap(resamples=RESAMPLES)
    yield Case(f"bootstrap mean, {users} users", users * RESAMPLES, lambda: strap.mean(values))
    logged, target = rng.uniform(0.05, 1, rows), rng.uniform(0, 1, rows)
    reward, predicted = rng.random(rows), rng.random(rows)
    log = evaluation.LoggedChoices(reward, logged, target)
    yield Case("ips", rows, lambda: evaluation.ips(log))
    yield Case("snips", rows, lambda: evaluation.snips(log))
    yield Case("doubly_robust", rows, lambda: evaluation.doubly_robust(log, predicted, predicted))


def offline_cases(users: int) -> Iterator[Case]:
    async def recommend(user: int) -> list[int]:
        await anyio.lowlevel.checkpoint()
        return list(range(user, user + 20))

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            offline = evaluation.OfflineRun(recommend, lambda user, _: user)
            anyio.run(lambda: offline.run(range(users), Path(folder), progress=False))

    yield Case("offline run, lists of 20, written to disk", users, run)


def measure(case: Case, repeats: int) -> Timing:
    seconds, ours = best_of(case.run, repeats)
    if case.peer is None:
        return Timing(case.name, case.rows, seconds)
    peer_seconds, theirs = best_of(case.peer, repeats)
    assert math.isclose(ours, theirs, abs_tol=1e-9), f"{case.name}: {ours} here, {theirs} in {case.peer_name}"
    return Timing(case.name, case.rows, seconds, case.peer_name, peer_seconds)


def best_of(call: Callable[[], object], repeats: int) -> tuple[float, object]:
    best, answer = math.inf, None
    for _ in range(repeats):
        started = time.perf_counter()
        answer = call()
        best = min(best, time.perf_counter() - started)
    return best, answer


def machine() -> dict[str, str]:
    packages = ("numpy", "scikit-learn", "ir-measures", "anyio")
    installed = {d.metadata["Name"].lower().replace("_", "-"): d.version for d in metadata.distributions()}
    versions = {name: installed.get(name, "not installed") for name in packages}
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **versions,
    }


def print_table(timings: list[Timing]) -> None:
    print(" · ".join(f"{name} {value}" for name, value in machine().items()))
    print(f"{'case':44}{'rows':>12}{'ms':>10}{'rows/s':>12}   peer")
    for one in timings:
        peer = f"{one.peer} {one.peer_seconds * 1e3:.1f} ms" if one.peer_seconds else ""
        print(f"{one.name:44}{one.rows:12,}{one.seconds * 1e3:10.1f}{one.rows_per_second:12.3g}   {peer}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows a case (default: 1,000,000)")
    parser.add_argument("--repeats", type=int, default=5, help="the best of so many counts (default: 5)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the data (default: 0)")
    options = parser.parse_args()
    if options.rows < LIST_LENGTH or options.repeats < 1:
        parser.error(f"expected --rows >= {LIST_LENGTH} and --repeats >= 1")
    rng = np.random.default_rng(options.seed)
    cases = [
        *model_cases(options.rows, rng),
        *ranking_cases(options.rows, rng),
        *resampling_cases(options.rows, rng),
        *offline_cases(max(1, options.rows // 500)),
    ]
    timings = [measure(case, options.repeats) for case in cases]
    if options.json:
        print(json.dumps({"machine": machine(), "timings": [attrs.asdict(one) for one in timings]}, indent=2))
    else:
        print_table(timings)


if __name__ == "__main__":
    main()
