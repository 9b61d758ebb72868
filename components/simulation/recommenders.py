"""Recommenders to compare with: by the planted truth, the newest, and at random, among what was posted lately."""

from __future__ import annotations

from collections.abc import Mapping

import anyio.lowlevel
import numpy as np
from numpy.typing import NDArray

from components.datasets.schema import Action
from components.datasets.world import HOUR_MS
from components.simulation.simulation import Recommender, Simulation

MAX_AGE_H = 48


def baselines(simulation: Simulation, count: int = 20) -> Mapping[str, Recommender]:
    """Recommenders by name, each of which gives up to ``count`` posts of the last 48 hours not seen before.

    ``truth`` orders by the planted probability of a like before anybody was tired or changed, ``random`` by chance,
    ``newest`` by time.
    """
    truth = simulation.world.truth

    async def by_truth(viewer_id: int, now_ms: int, seed: int) -> list[int]:
        ids = _fresh(simulation, viewer_id, now_ms)
        chance = truth.probability(np.full(len(ids), viewer_id), ids, Action.FAV)
        await anyio.lowlevel.checkpoint()
        return ids[np.argsort(-chance, kind="stable")[:count]].tolist()

    async def at_random(viewer_id: int, now_ms: int, seed: int) -> list[int]:
        ids = _fresh(simulation, viewer_id, now_ms)
        await anyio.lowlevel.checkpoint()
        return np.random.default_rng(seed).permutation(ids)[:count].tolist()

    async def newest(viewer_id: int, now_ms: int, seed: int) -> list[int]:
        await anyio.lowlevel.checkpoint()
        return _fresh(simulation, viewer_id, now_ms)[::-1][:count].tolist()

    return {"truth": by_truth, "random": at_random, "newest": newest}


def _fresh(simulation: Simulation, viewer_id: int, now_ms: int) -> NDArray[np.int64]:
    """Ids of posts of the last hours that the viewer neither wrote nor saw, oldest first."""
    truth, posts = simulation.world.truth, simulation.world.dataset.posts
    begin, end = np.searchsorted(posts["created_ms"], [now_ms - MAX_AGE_H * HOUR_MS, now_ms])
    strangers = truth.user_id[truth.post_author[begin:end]] != viewer_id
    ids = truth.post_id[begin:end][strangers]
    return ids[~np.isin(ids, simulation.seen(viewer_id))]
