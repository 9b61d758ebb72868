"""TwHIN and two towers: training time and peak memory by number of users.

    python -m benchmarks.embeddings [--json] [--full]

Limits: one process a case, one epoch, synthetic communities of 200 users with 20 follows and 4 likes a user and two
posts a user; memory is the peak of the process, which holds the data too (Linux). ``--full`` adds 1,000,000 users.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time

import numpy as np

from benchmarks.machine import describe, emit
from components.embeddings.twhin.config import Optimisation, Relation, TwhinConfig
from components.embeddings.two_tower.config import TwoTowerConfig
from components.stores.graph import Graph
from components.stores.ids import IdIndex
from components.stores.posts import PostStore
from components.stores.stores import ENGAGEMENT, Stores

SIZES, FULL = (1_000, 10_000, 100_000), 1_000_000
FOLLOWS, LIKES, POSTS, COMMUNITY = 20, 4, 2, 200


def main() -> None:
    sizes = (*SIZES, FULL) if "--full" in sys.argv else SIZES
    context = multiprocessing.get_context("spawn")
    rows = []
    for case in (twhin, two_tower):
        for users in sizes:
            with context.Pool(1) as pool:
                rows.append({"model": case.__name__, "users": users, **pool.apply(case, (users,))})
    emit({"machine": describe("numpy", "torch"), "one epoch": rows})


def near(source: np.ndarray, each: int, rng: np.random.Generator) -> np.ndarray:
    """Ends in the community of each source, where everybody has ``each`` things."""
    first = source // COMMUNITY * COMMUNITY * each
    return first + rng.integers(0, COMMUNITY * each, len(source))


def twhin(users: int) -> dict[str, float]:
    from components.embeddings.twhin.train import train

    rng = np.random.default_rng(0)
    follower, liker = np.repeat(np.arange(users), FOLLOWS), np.repeat(np.arange(users), LIKES)
    relations = [
        Relation("follow", "user", "user", np.stack([follower, near(follower, 1, rng)], axis=1)),
        Relation("like", "user", "post", np.stack([liker, near(liker, POSTS, rng)], axis=1)),
    ]
    config = TwhinConfig(optimisation=Optimisation(epochs=1))
    return measured(lambda: train(relations, config))


def two_tower(users: int) -> dict[str, float]:
    from components.embeddings.two_tower.train import train

    rng, index = np.random.default_rng(0), IdIndex(np.arange(users))
    liker = np.repeat(np.arange(users), LIKES)
    posts = PostStore.build(
        index,
        np.arange(users * POSTS),
        np.repeat(np.arange(users), POSTS),
        np.zeros(users * POSTS, dtype=np.int64),
    )
    likes = Graph.build(
        liker, near(liker, POSTS, rng), 1 + rng.permutation(len(liker)), shape=(users, len(posts))
    )
    stores = Stores(index, np.full(users, "", dtype=object), posts, {ENGAGEMENT: likes}, len(liker) + 2)
    return measured(lambda: train(stores, stores.now_ms, TwoTowerConfig(epochs=1)))


def measured(run) -> dict[str, float]:
    started = time.perf_counter()
    run()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": round(time.perf_counter() - started, 2), "peak_mb": round(peak_mb)}


if __name__ == "__main__":
    main()
