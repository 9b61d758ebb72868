"""What the framework costs: beside the same work by hand, by candidates, by stage, by waiting sources.

Every comparison runs in one process, request by request in turn, in random order; medians of wall time.
"""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import subprocess
import sys
import time
import tracemalloc

import anyio
import attrs
import numpy as np

import mixer as m
from benchmarks.machine import describe, emit

SIZES = (150, 1_500, 15_000, 150_000)
DIMENSIONS = 64
TAKE = 50
WAIT_S = 0.005


class Post(m.Candidate):
    author_id = m.column(np.int64)
    sensitive = m.column(np.bool_)
    row = m.column(np.int64)
    score = m.column(np.float32, default=np.nan)


@attrs.frozen
class Query(m.Target):
    rows: np.ndarray
    vector: np.ndarray


class Corpus:
    def __init__(self, candidates: int, seed: int = 7) -> None:
        rng = np.random.default_rng(seed)
        size = max(20_000, 2 * candidates)
        self.ids = rng.permutation(size).astype(np.int64)
        self.author = rng.integers(0, size // 20, size)
        self.sensitive = rng.random(size) < 0.2
        self.vectors = rng.standard_normal((size, DIMENSIONS), dtype=np.float32)
        self.queries = [
            Query(
                rng.choice(size, candidates, replace=False), rng.standard_normal(DIMENSIONS, dtype=np.float32)
            )
            for _ in range(8)
        ]


def by_hand(corpus: Corpus, query: Query) -> list[int]:
    rows = query.rows
    ids, author, sensitive = corpus.ids[rows], corpus.author[rows], corpus.sensitive[rows]
    keep = ~sensitive
    ids, author, rows = ids[keep], author[keep], rows[keep]
    score = corpus.vectors[rows] @ query.vector
    order = np.argsort(-score, kind="stable")
    ids, author = ids[order], author[order]
    _, first = np.unique(author, return_index=True)
    first.sort()
    return ids[first[:TAKE]].tolist()


@attrs.frozen
class Rows(m.CandidateSource[Query, Post]):
    corpus: Corpus

    def fetch(self, target: Query) -> m.Candidates[Post]:
        rows = target.rows
        found = {
            Post.id: self.corpus.ids[rows],
            Post.author_id: self.corpus.author[rows],
            Post.sensitive: self.corpus.sensitive[rows],
            Post.row: rows,
        }
        return m.Candidates(Post, found)


@attrs.frozen
class Waiting(m.CandidateSource[Query, Post]):
    number: int

    @property
    def name(self) -> str:
        return f"waiting_{self.number}"

    async def fetch(self, target: Query) -> m.Candidates[Post]:
        await asyncio.sleep(WAIT_S)
        return m.Candidates.empty(Post)


@m.candidate_predicate(reason="sensitive")
def not_sensitive(target: Query, posts: m.Candidates[Post]):
    return ~posts[Post.sensitive]


@attrs.frozen
class Dot(m.Ranker[Query, Post]):
    corpus: Corpus

    def rank(self, target: Query, posts: m.Candidates[Post]) -> m.Candidates[Post]:
        score = self.corpus.vectors[posts[Post.row]] @ target.vector
        return posts.with_columns({Post.score: score}).sort(Post.score)


@m.transform(traits=m.Trait.DROPS)
def one_an_author(target: Query, posts: m.Candidates[Post]):
    return posts.unique_by(Post.author_id)


class Flow(m.RecommendationFlow[Query, Post]):
    def __init__(self, corpus: Corpus) -> None:
        self.source, self.ranker = Rows(corpus), Dot(corpus)

    def candidate_sources(self, target: Query):
        return [self.source]

    def pre_ranker_filter(self):
        return not_sensitive

    def select_ranker(self, target: Query):
        return self.ranker

    def post_ranker_transform(self):
        return one_an_author

    def results_config(self, target: Query):
        return m.ResultsConfig(TAKE)


class FanOut(m.RecommendationFlow[Query, Post]):
    def __init__(self) -> None:
        self.sources = [Waiting(number) for number in range(4)]

    def candidate_sources(self, target: Query):
        return self.sources

    def results_config(self, target: Query):
        return m.ResultsConfig(TAKE)


class Traced(Flow):
    label = "traced"


async def beside_by_hand(candidates: int, requests: int) -> dict[str, float]:
    corpus = Corpus(candidates)
    flow, traced = Flow(corpus), Traced(corpus)
    debug = m.Request(debug=m.DebugOptions(trace=True))

    async def plain(query: Query) -> list[int]:
        return by_hand(corpus, query)

    async def flowing(query: Query) -> list[int]:
        return (await flow.process(query)).candidates.ids.tolist()

    async def tracing(query: Query) -> list[int]:
        return (await traced.process(attrs.evolve(query, request=debug))).candidates.ids.tolist()

    runners = {"by_hand": plain, "flow": flowing, "traced": tracing}
    samples: dict[str, list[int]] = {name: [] for name in runners}
    order = list(runners)
    shuffle = random.Random(7).shuffle
    for number in range(-20, requests):
        query = corpus.queries[number % len(corpus.queries)]
        shuffle(order)
        answers = []
        for name in order:
            begin = time.perf_counter_ns()
            answers.append(await runners[name](query))
            if number >= 0:
                samples[name].append(time.perf_counter_ns() - begin)
        assert answers[0] == answers[1] == answers[2], "the flow and the work by hand disagree"
    medians = {name: statistics.median(values) / 1e3 for name, values in samples.items()}
    return {
        "candidates": candidates,
        **{f"{name}_us": round(value, 1) for name, value in medians.items()},
        "ratio": round(medians["flow"] / medians["by_hand"], 3),
    }


async def overlap(requests: int) -> dict[str, float]:
    """Four sources that wait 5 ms each, beside one bare wait of 5 ms."""
    flow, query = FanOut(), Corpus(150).queries[0]
    waits, flows = [], []
    for _ in range(requests):
        begin = time.perf_counter_ns()
        await asyncio.sleep(WAIT_S)
        waits.append(time.perf_counter_ns() - begin)
        begin = time.perf_counter_ns()
        await flow.process(query)
        flows.append(time.perf_counter_ns() - begin)
    one, four = statistics.median(waits) / 1e3, statistics.median(flows) / 1e3
    return {"one_wait_us": round(one, 1), "four_sources_us": round(four, 1), "above_us": round(four - one, 1)}


def bytes_per_candidate(candidates: int = 15_000) -> dict[str, float]:
    """Heap held by a fresh batch (four columns: 25 bytes of data), and the peak of one request above it."""
    corpus = Corpus(candidates)
    flow, query = Flow(corpus), corpus.queries[0]
    anyio.run(flow.process, query)
    gc.collect()
    tracemalloc.start()
    batch = flow.source.fetch(query)
    held = tracemalloc.get_traced_memory()[0]
    del batch
    gc.collect()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    anyio.run(flow.process, query)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return {"held": round(held / candidates, 1), "peak_in_a_request": round(peak / candidates, 1)}


def import_ms() -> float:
    """Median of five fresh interpreters: ``import mixer`` alone, numpy included."""
    code = "import time; b = time.perf_counter(); import mixer; print((time.perf_counter() - b) * 1e3)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True) for _ in range(5)]  # noqa: S603
    return round(statistics.median(float(run.stdout) for run in runs), 1)


def main() -> None:
    sizes = [anyio.run(beside_by_hand, size, max(20, min(400, 600_000 // size))) for size in SIZES]
    report = {
        "machine": describe("numpy", "anyio", "attrs"),
        "growth": sizes,
        "overlap": anyio.run(overlap, 100),
        "bytes_per_candidate": bytes_per_candidate(),
        "import_ms": import_ms(),
    }
    emit(report)


if __name__ == "__main__":
    main()
