from __future__ import annotations

import gzip

import anyio
import ir_measures
import numpy as np
import pytest
from ir_measures import AP, RR, R, nDCG

from components.evaluation import (
    Bootstrap,
    OfflineRun,
    average_precision_at,
    mean_over_users,
    ndcg,
    ranking_report,
    recall,
    reciprocal_rank,
)


@pytest.fixture(scope="module")
def served(shared):
    """MovieLens split in time: what people liked in the last fifth, lists by popularity before, and at random."""
    path = shared / "data" / "ml-latest-small" / "ratings.csv.gz"
    with gzip.open(path, "rt") as file:
        user, item, rating, seconds = np.loadtxt(file, delimiter=",", skiprows=1).T
    past = seconds < np.quantile(seconds, 0.8)
    liked = ~past & (rating >= 4.0)
    relevant: dict[int, dict[int, float]] = {}
    for u, i, grade in zip(user[liked].astype(int), item[liked].astype(int), rating[liked], strict=True):
        relevant.setdefault(int(u), {})[int(i)] = float(np.floor(grade))
    movies, views = np.unique(item[past].astype(np.int64), return_counts=True)
    popular = movies[np.argsort(-views, kind="stable")][:50]

    async def by_popularity(target):
        return np.random.default_rng(target).permutation(popular[:10]).tolist() + popular[10:].tolist()

    async def at_random(target):
        return np.random.default_rng(target).choice(movies, 50, replace=False)

    def run(recommend):
        offline = OfflineRun(recommend, target_for=lambda user, seed: seed, seed=3)
        return anyio.run(offline.run, sorted(relevant)).judge(relevant)

    return relevant, run(by_popularity), run(at_random), popular


def test_popularity_beats_chance_by_more_than_the_interval(served):
    _, popularity, chance, _ = served
    report = ranking_report(
        {"popularity": popularity, "chance": chance}, baseline="chance", bootstrap=Bootstrap(500, seed=1)
    )
    assert report.find("popularity - chance", "ndcg@10").interval.low > 0.0
    assert report.find("popularity", "ndcg@10").interval.units == len(popularity.users) > 50


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(ndcg, nDCG @ 20), (recall, R @ 20), (reciprocal_rank, RR @ 20), (average_precision_at, AP @ 20)],
    ids=["ndcg", "recall", "mrr", "map"],
)
def test_means_on_movielens_agree_with_ir_measures(served, ours, theirs):
    relevant, _, _, popular = served

    async def fixed(_):
        return popular

    judged = anyio.run(OfflineRun(fixed, lambda user, seed: seed).run, sorted(relevant)).judge(relevant)
    qrels = [
        ir_measures.Qrel(str(u), str(i), int(g)) for u, items in relevant.items() for i, g in items.items()
    ]
    run = [ir_measures.ScoredDoc(str(u), str(i), float(-r)) for u in relevant for r, i in enumerate(popular)]
    expected = ir_measures.calc_aggregate([theirs], qrels, run)[theirs]
    assert expected > 0.0
    assert mean_over_users(ours(judged, 20)) == pytest.approx(expected, abs=1e-9)
