"""Vector indexes over clustered unit vectors: recall against exact search, latency, memory, and the cost of change.

    python -m benchmarks.ann [--json] [--vectors 1000000] [--dimensions 128] [--clusters 2000] [--queries 300]

Measured: the 100 nearest by inner product, one query at a time (median and best). Vectors are normal around normal
centres, then brought to length 1; queries are drawn the same way and are not in the index.
Limits: one process, synthetic vectors; a shared machine moves numbers by tens of percent. faiss does not split one
query over threads, so two threads are measured as two callers.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import faiss
import numpy as np

from benchmarks.machine import describe
from components.ann.exact import ExactIndex
from components.ann.fast_scan import FastScanConfig, FastScanIndex, recall_of
from components.ann.index import Hits

K = 100
ADDED_AT_ONCE = 10_000
RERANKS = (5, 10, 20, 50)


def main() -> None:
    options = parse()
    faiss.omp_set_num_threads(1)
    vectors, queries = data(options)
    exact, truth = exact_case(vectors, queries)
    indexes = [fast_scan_case(vectors, queries, truth, stored, options) for stored in ("float32", "float16")]
    report = {"machine": describe("numpy", "faiss-cpu"), "options": vars(options), "exact": exact}
    report |= {
        "fast_scan": [row for row, _ in indexes],
        "curve": [row for _, rows in indexes for row in rows],
    }
    print(json.dumps(report) if options.json else as_text(report))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--vectors", type=int, default=1_000_000, help="default: 1,000,000")
    parser.add_argument("--dimensions", type=int, default=128, help="default: 128")
    parser.add_argument("--clusters", type=int, default=2_000, help="0: no structure at all (default: 2,000)")
    parser.add_argument("--noise", type=float, default=0.5, help="spread within a cluster (default: 0.5)")
    parser.add_argument("--queries", type=int, default=300, help="default: 300")
    parser.add_argument("--seed", type=int, default=0, help="of vectors and queries (default: 0)")
    options = parser.parse_args()
    if options.vectors < 4 * ADDED_AT_ONCE or options.queries < 10:
        parser.error(f"expected --vectors >= {4 * ADDED_AT_ONCE} and --queries >= 10")
    return options


def data(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(options.seed)
    shape = (max(1, options.clusters), options.dimensions)
    centres = rng.normal(size=shape).astype(np.float32) * (options.clusters > 0)
    vectors = np.empty((options.vectors + options.queries, options.dimensions), np.float32)
    for start in range(0, len(vectors), 100_000):
        part = vectors[start : start + 100_000]
        part[:] = centres[rng.integers(0, len(centres), len(part))]
        part += options.noise * rng.normal(size=part.shape)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return vectors[: options.vectors], vectors[options.vectors :]


def exact_case(vectors: np.ndarray, queries: np.ndarray) -> tuple[dict, Hits]:
    index = ExactIndex(vectors.shape[1])
    added = filled(index, vectors)
    times, truth = one_by_one(index, queries)
    return {"add_us_a_vector": round(added * 1e6 / len(vectors), 2), **latency(times)}, truth


def fast_scan_case(vectors, queries, truth, stored, options) -> tuple[dict, list[dict]]:
    before = resident_mb()
    index = FastScanIndex(vectors.shape[1], FastScanConfig(stored=stored, seed=options.seed))
    added = filled(index, vectors)
    row = {"stored": stored, "add_us_a_vector": round(added * 1e6 / len(vectors), 2)}
    row["memory_mb"] = round(resident_mb() - before)
    curve = [{"stored": stored, **on_curve(index, queries, truth, rerank)} for rerank in RERANKS]
    row |= next(point for point in curve if point["rerank"] == 20)
    row["qps_two_callers"] = round(two_callers(index, queries))
    row |= filtered(index, vectors, queries)
    row |= changed(index, vectors)
    return row, curve


def on_curve(index: FastScanIndex, queries: np.ndarray, truth: Hits, rerank: int) -> dict:
    index.config = attrs.evolve(index.config, rerank=rerank)
    times, hits = one_by_one(index, queries)
    index.config = attrs.evolve(index.config, rerank=20)
    return {"rerank": rerank, "recall_at_100": round(recall_of(hits, truth), 5), **latency(times)}


def filtered(index: FastScanIndex, vectors: np.ndarray, queries: np.ndarray) -> dict:
    """Half of all ids and one in fifty, drawn at random."""
    rng, row = np.random.default_rng(1), {}
    for name, share in (("half", 0.5), ("fiftieth", 0.02)):
        allowed = np.sort(rng.choice(len(vectors), int(share * len(vectors)), replace=False))
        times, hits = one_by_one(index, queries[:30], allowed)
        exact = ExactIndex(vectors.shape[1])
        exact.add(allowed, vectors[allowed])
        row[f"{name}_allowed_recall"] = round(recall_of(hits, exact.search(queries[:30], K)), 5)
        row[f"{name}_allowed_ms"] = latency(times)["ms_median"]
    return row


def changed(index: FastScanIndex, vectors: np.ndarray) -> dict:
    """One vector published and found, a quarter expired, and the file."""
    fresh = vectors[:1] * 1.5
    seconds, _ = timed(lambda: (index.add([10**9], fresh), index.search(fresh, 1)))
    assert index.search(fresh, 1).ids[0, 0] == 10**9, "a new vector must be found at once"
    oldest = np.arange(len(vectors) // 4 + 10)
    removing, _ = timed(lambda: index.remove(oldest))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index.npz"
        saving, _ = timed(lambda: index.save(path))
        loading, _ = timed(lambda: FastScanIndex.load(path))
        size = path.stat().st_size
    return {
        "publish_and_find_ms": round(seconds * 1e3, 2),
        "expire_a_quarter_s": round(removing, 2),
        "file_mb": round(size / 1e6),
        "save_s": round(saving, 2),
        "load_s": round(loading, 2),
    }


def filled(index, vectors: np.ndarray) -> float:
    begun = time.perf_counter()
    for start in range(0, len(vectors), ADDED_AT_ONCE):
        part = vectors[start : start + ADDED_AT_ONCE]
        index.add(np.arange(start, start + len(part)), part)
    return time.perf_counter() - begun


def one_by_one(index, queries: np.ndarray, allowed: np.ndarray | None = None) -> tuple[list[float], Hits]:
    answers = [timed(lambda q=query: index.search(q[None], K, allowed)) for query in queries]
    ids, scores = ([getattr(hits, name) for _, hits in answers] for name in ("ids", "scores"))
    return [seconds for seconds, _ in answers], Hits(np.concatenate(ids), np.concatenate(scores))


def two_callers(index, queries: np.ndarray) -> float:
    with ThreadPoolExecutor(2) as pool:
        seconds, _ = timed(lambda: list(pool.map(lambda query: index.search(query[None], K), queries)))
    return len(queries) / seconds


def timed(call):
    begun = time.perf_counter()
    answer = call()
    return time.perf_counter() - begun, answer


def latency(times: list[float]) -> dict:
    return {"ms_median": round(statistics.median(times) * 1e3, 2), "ms_best": round(min(times) * 1e3, 2)}


def resident_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1e3


def as_text(report: dict) -> str:
    facts = [f"{name}: {value}" for name, value in report["machine"].items()]
    facts.append(f"exact: {report['exact']}")
    for row in report["fast_scan"]:
        facts += ["", f"fast scan, {row['stored']}", *(f"  {key}: {value}" for key, value in row.items())]
    lines = [f"{'stored':>8}{'re-rank':>9}{'recall@100':>12}{'ms median':>11}{'ms best':>9}"]
    lines += [
        f"{row['stored']:>8}{row['rerank']:>9}{row['recall_at_100']:>12.5f}{row['ms_median']:>11}{row['ms_best']:>9}"
        for row in report["curve"]
    ]
    return "\n".join([*facts, "", *lines])


if __name__ == "__main__":
    main()
