"""SimClusters: recovery of planted communities, training time and memory by size, latency of a lookup.

    python -m benchmarks.simclusters [--json] [--full]

Limits: one process; synthetic graphs with planted communities of 200 users, 20 follows and 4 likes a user on average;
memory is the peak while training, in a process of its own that already holds the graph (Linux). ``--full`` adds
1,000,000 users. Worlds: the preset was chosen on seed 0, so seeds 1 to 5 are the ones that count; label propagation
(networkx) works on the same similarity graph; random labels have as many clusters as there are topics.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe, emit
from components.datasets.load import load_world
from components.embeddings.simclusters import communities, similarity
from components.embeddings.simclusters.config import load_config
from components.embeddings.simclusters.index import PostClusters
from components.embeddings.simclusters.search import SimClustersSearch
from components.embeddings.simclusters.signals import Signals, liked_stores
from components.embeddings.simclusters.train import train
from components.units import HOUR_MS

SIZES = (1_000, 10_000, 100_000)
FULL = 1_000_000
FOLLOWS, LIKES, COMMUNITY = 20, 4, 200
CONFIG = load_config("small")


def planted(users: int, seed: int = 0) -> Signals:
    """Eight in ten follows stay in the community; a tenth of each community draws most of them."""
    rng = np.random.default_rng(seed)
    source = np.repeat(np.arange(users), FOLLOWS)
    near = rng.random(len(source)) < 0.8
    group = np.where(near, source // COMMUNITY, rng.integers(0, -(-users // COMMUNITY), len(source)))
    place = np.where(
        rng.random(len(source)) < 0.8, rng.integers(0, 20, len(source)), rng.integers(0, 200, len(source))
    )
    pairs = np.stack([source, np.minimum(group * COMMUNITY + place, users - 1)], axis=1)
    return Signals.build(np.arange(users), pairs, pairs[rng.random(len(pairs)) < LIKES / FOLLOWS])


def _reset_peak() -> float:
    """Forgets the peak of memory so far; what is in use now, in MB."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _peak_mb()


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def train_size(users: int) -> dict[str, Any]:
    signals = planted(users)
    before, began, clock = _reset_peak(), time.perf_counter(), {}

    def listen(progress: Any) -> None:
        clock[progress.stage] = time.perf_counter() - began

    model = train(signals, CONFIG, listener=listen)
    return {
        "users": users,
        "follows": int(signals.follows.nnz),
        "producers": len(similarity.producers_of(signals.follows, CONFIG.similarity.min_followers)),
        "clusters": model.clusters,
        "similarity_s": round(clock["similarity"], 2),
        "communities_s": round(clock["communities"] - clock["similarity"], 2),
        "vectors_s": round(clock["vectors"] - clock["communities"], 2),
        "total_s": round(time.perf_counter() - began, 2),
        "peak_mb": round(_peak_mb()),
        "before_training_mb": round(before),
    }


def recovery(size: str, seed: int) -> dict[str, Any]:
    """Normalised mutual information with the main topic, over producers, 1 at best; adjusted: 0 at random."""
    import networkx as nx
    from sklearn.metrics import adjusted_mutual_info_score as ami
    from sklearn.metrics import normalized_mutual_info_score as nmi

    world = load_world(size, seed)
    signals = Signals.of(liked_stores(world.dataset))
    producers = similarity.producers_of(signals.follows, CONFIG.similarity.min_followers)
    graph = similarity.producer_similarity(signals.follows, producers, CONFIG.similarity)
    truth = world.truth.preference.argmax(axis=1)[producers]
    found = communities.detect_communities(graph, CONFIG.communities, seed)
    spread = np.zeros(len(producers), dtype=np.int64)
    whole = nx.from_scipy_sparse_array(graph)
    for number, members in enumerate(nx.community.asyn_lpa_communities(whole, weight="weight", seed=seed)):
        spread[list(members)] = number
    chance = np.random.default_rng(seed).integers(0, world.truth.preference.shape[1], len(producers))
    values = {"simclusters": found.cluster, "label_propagation": spread, "random": chance}
    return {
        "world": size,
        "seed": seed,
        "producers": len(producers),
        **{name: round(float(nmi(truth, labels)), 3) for name, labels in values.items()},
        **{f"{name}_adjusted": round(float(ami(truth, labels)), 3) for name, labels in values.items()},
    }


def world_lookup() -> dict[str, Any]:
    """All users of the small world, one request each, at the end of the data."""
    stores = liked_stores(load_world("small", 0).dataset)
    model = train(Signals.of(stores), CONFIG)
    search = SimClustersSearch(model, stores, max_age_ms=None)
    began = time.perf_counter()
    search.index(stores.now_ms)
    build = time.perf_counter() - began
    users = stores.users.ids[:1000]
    return {
        "posts": len(stores.posts),
        "build_s": round(build, 3),
        **_latency([lambda user=user: search.nearest_posts([user], stores.now_ms) for user in users]),
    }


def random_lookup(posts: int, clusters: int) -> dict[str, Any]:
    """Posts of 10 clusters each; sources of 50 clusters, each with as many posts as the index keeps."""
    from scipy import sparse

    rng = np.random.default_rng(0)
    rows = np.repeat(np.arange(posts), 10)
    columns = rng.integers(0, clusters, len(rows))
    sums = sparse.csr_array((rng.random(len(rows)) + 0.1, (rows, columns)), shape=(posts, clusters))
    created = np.sort(rng.integers(0, 48 * HOUR_MS, posts))
    began = time.perf_counter()
    index = PostClusters.build(sums, created, load_config("published").posts, 48 * HOUR_MS)
    build = time.perf_counter() - began
    sources = [
        sparse.csr_array(
            (rng.random(50), rng.choice(clusters, 50, replace=False), [0, 50]), shape=(1, clusters)
        )
        for _ in range(300)
    ]
    calls = [lambda source=source: index.search(source) for source in sources]
    return {"posts": posts, "build_s": round(build, 3), **_latency(calls)}


def _latency(calls: list[Any]) -> dict[str, float]:
    times = []
    for call in calls:
        began = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - began))
    middle, high = np.percentile(times, [50, 99])
    return {"p50_ms": round(float(middle), 3), "p99_ms": round(float(high), 3)}


def main() -> None:
    sizes = (*SIZES, FULL) if "--full" in sys.argv else SIZES
    fresh = multiprocessing.get_context("spawn")
    training = []
    for users in sizes:
        with fresh.Pool(1) as alone:
            # A module run by name is __main__, which another process cannot look a function up in.
            training.append(alone.apply(import_module("benchmarks.simclusters").train_size, (users,)))
    emit(
        {
            "machine": describe("numpy", "scipy"),
            "training": training,
            "planted communities": [recovery("tiny", 0), *(recovery("small", seed) for seed in range(6))],
            "lookup, world small": world_lookup(),
            "lookup, random": [random_lookup(20_000, 150), random_lookup(1_000_000, 7_000)],
        }
    )


if __name__ == "__main__":
    main()
