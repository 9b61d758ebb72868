"""Latency of the candidate sources, one request at a time.

    python -m benchmarks.sources [--json] [--full] [--requests 200]

Limits: synthetic worlds, one process and thread, a request for each of some users at the end of the data; tie
strengths, visits, contacts and lists are made up. ``--full`` measures the medium world too, which takes minutes to make.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING

import anyio
import attrs
import numpy as np

from components.datasets import generate
from components.models.real_graph.scores import RealGraphScores
from components.sources.accounts import FriendsOfFriends, MutualInterest, PopularAccounts
from components.sources.authors import RecommendedAuthors
from components.sources.backfill import Backfill
from components.sources.exploration import NewAuthors
from components.sources.liked_by_followed import LikedByFollowed
from components.sources.people.known import ContactBook, CuratedAccounts, PopularInLanguage, RepeatedVisits
from components.sources.people.similar import CircleOfTrust, RecentlyFollowedByFollowed, SimilarAccounts
from components.sources.people.strong_ties import MutualFollows, OutOfNetworkTies, TriangularLoops, TwoHop
from components.sources.posts import CoEngagement, InNetwork, PopularPosts
from components.sources.trending import TrendingPosts
from components.stores.from_dataset import stores_of
from components.stores.graph import Graph
from components.stores.types import Viewer
from mixer import Request
from mixer.component import resolved

if TYPE_CHECKING:
    from components.stores.stores import Stores
    from mixer import CandidateSource


@attrs.frozen
class Timing:
    """Latency of one source in one world, in milliseconds."""

    world: str
    source: str
    rows: float
    median_ms: float
    p99_ms: float


def sources_of(stores: Stores, rng: np.random.Generator) -> list[CandidateSource]:
    follows, users = stores.follows, len(stores.users)
    ids = stores.users.ids
    # As many ties to strangers as to those followed; five visits to each of four profiles.
    strangers = rng.integers(0, users, follows.edges)
    pairs = np.unique(np.stack([np.tile(follows.sources, 2), np.append(follows.ends, strangers)]), axis=1)
    ties = RealGraphScores.build(
        stores.users, ids[pairs[0]], ids[pairs[1]], rng.random(pairs.shape[1]), stores.now_ms
    )
    visitors, visited = np.repeat(np.arange(users), 20), np.repeat(rng.integers(0, users, 4 * users), 5)
    now = np.full(20 * users, stores.now_ms - 1)
    visits = Graph.build(visitors, visited, now, shape=(users, users))
    books = Graph.build(
        rng.integers(0, users, 50 * users), rng.integers(0, users, 50 * users), shape=(users, users)
    )
    own = Graph.build(np.arange(users), np.arange(users), shape=(users, users))
    return [
        InNetwork(stores),
        CoEngagement(stores),
        PopularPosts(stores),
        LikedByFollowed(stores, ties),
        TrendingPosts(stores, "topic"),
        TrendingPosts(stores, "language"),
        RecommendedAuthors(stores, PopularAccounts(stores).fetch),
        NewAuthors(stores),
        Backfill(stores),
        FriendsOfFriends(stores),
        MutualInterest(stores, stores.interests),
        PopularAccounts(stores),
        TwoHop(stores, ties),
        OutOfNetworkTies(stores, ties),
        MutualFollows(stores),
        TriangularLoops(stores),
        SimilarAccounts(stores, "follows"),
        SimilarAccounts(stores, "engagements"),
        RecentlyFollowedByFollowed(stores),
        CircleOfTrust(stores, "salsa"),
        CircleOfTrust(stores, "pagerank"),
        PopularInLanguage(stores),
        RepeatedVisits(stores, visits),
        ContactBook(stores, books, own),
        ContactBook(stores, books, own, reverse=True),
        CuratedAccounts(stores, {"": ids[:100].tolist()}),
    ]


async def measure(world: str, source: CandidateSource, viewers: list[Viewer]) -> Timing:
    await resolved(source.fetch(viewers[0]))  # makes what is made once
    rows, seconds = [], []
    for viewer in viewers:
        started = time.perf_counter()
        found = await resolved(source.fetch(viewer))
        seconds.append(time.perf_counter() - started)
        rows.append(len(found))
    median, p99 = np.quantile(seconds, [0.5, 0.99]) * 1e3
    return Timing(world, source.name, float(np.mean(rows)), float(median), float(p99))


def viewers_of(stores: Stores, count: int, rng: np.random.Generator) -> list[Viewer]:
    chosen = rng.choice(stores.users.ids, count)
    request = Request(id="r", now_ms=stores.now_ms)
    histories = [stores.history(int(user), stores.now_ms) for user in chosen]
    return [
        Viewer(int(user), request=request, known=known) for user, known in zip(chosen, histories, strict=True)
    ]


async def timings_of(world: str, requests: int, seed: int) -> list[Timing]:
    rng = np.random.default_rng(seed)
    stores = stores_of(generate(world, seed=seed).dataset)
    viewers = viewers_of(stores, requests, rng)
    return [await measure(world, source, viewers) for source in sources_of(stores, rng)]


def print_table(timings: list[Timing]) -> None:
    print(f"{'world':10}{'source':34}{'rows':>8}{'median ms':>12}{'p99 ms':>10}")
    for one in timings:
        print(f"{one.world:10}{one.source:34}{one.rows:8.0f}{one.median_ms:12.2f}{one.p99_ms:10.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--full", action="store_true", help="measure the medium world too")
    parser.add_argument("--requests", type=int, default=200, help="requests a source (default: 200)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the data (default: 0)")
    options = parser.parse_args()
    if options.requests < 1:
        parser.error("expected --requests >= 1")
    worlds = ("small", "medium") if options.full else ("small",)
    timings = [
        timing for world in worlds for timing in anyio.run(timings_of, world, options.requests, options.seed)
    ]
    if options.json:
        print(json.dumps([attrs.asdict(one) for one in timings], indent=2))
    else:
        print_table(timings)


if __name__ == "__main__":
    main()
