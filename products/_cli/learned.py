"""Embeddings and ties that products learn in the same way, read from the cache or trained behind a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from components.stores.stores import Stores
from products._cli.application import Workshop

if TYPE_CHECKING:
    from components.embeddings.simclusters.model import SimClusters
    from components.embeddings.twhin.config import Relation
    from components.embeddings.twhin.embeddings import TwhinEmbeddings
    from components.models.real_graph.model import RealGraph
    from components.models.real_graph.scores import RealGraphScores


async def simclusters_of(
    workshop: Workshop, name: str, past: tuple[Stores, int], settings: Sequence[str], *version: object
) -> SimClusters:
    """Communities among what stores knew before a moment; settings change the small preset."""
    from components.embeddings import simclusters
    from components.embeddings.simclusters.config import load_config
    from components.embeddings.simclusters.model import SimClusters
    from components.embeddings.simclusters.signals import Signals
    from components.embeddings.simclusters.train import train

    config = load_config("small", settings)

    async def make(path: Path) -> SimClusters:
        with workshop.bars.step("learning communities"):
            model = train(Signals.of(*past), config, seed=workshop.choices.seed)
        model.save(path)
        return model

    return await workshop.part(name, (simclusters, config, *version), SimClusters.load, make)


def least_followers(stores: Stores, least: int) -> str:
    """The setting of how many followers a producer needs: half of what users have, between ``least`` and 20."""
    followers = stores.follows.edges / max(len(stores.users), 1)
    return f"similarity.min_followers={int(np.clip(followers / 2, least, 20))}"


async def twhin_of(
    workshop: Workshop, name: str, relations: Callable[[], Sequence[Relation]], *version: object
) -> TwhinEmbeddings:
    """Translations between relations, which are asked for only where there is something to train."""
    from components.embeddings import twhin
    from components.embeddings.twhin.config import Optimisation, TwhinConfig
    from components.embeddings.twhin.embeddings import TwhinEmbeddings
    from components.embeddings.twhin.train import train

    config = TwhinConfig(64, optimisation=Optimisation(epochs=20), seed=workshop.choices.seed)

    async def make(path: Path) -> TwhinEmbeddings:
        with workshop.bars.step("learning translations", config.optimisation.epochs) as advance:
            model = train(relations(), config, listener=lambda _: advance())
        model.save(path)
        return model

    return await workshop.part(name, (twhin, config, *version), TwhinEmbeddings.load, make)


async def ties_of(workshop: Workshop, past: Stores, now_ms: int, now: Stores) -> RealGraphScores | None:
    """RealGraph learned from what was known before a moment, for the users of the stores that are served.

    None where follows have no dates, so that what is hidden from the past would be known to the log, and where too
    little happened to learn from.

    Args:
        workshop: keeps the part.
        past: the stores to learn from.
        now_ms: the moment.
        now: whose users are served.
    """
    from components.models import real_graph
    from components.models.real_graph.log import InteractionLog
    from components.models.real_graph.model import RealGraph, train_real_graph

    if (past.follows.time_ms == 0).any():
        return None
    log: InteractionLog = InteractionLog.of_dataset(workshop.past.data.as_of(now_ms))

    async def make(path: Path) -> RealGraph:
        with workshop.bars.step("learning who will interact with whom"):
            model = train_real_graph(log, now_ms)
        model.save(path)
        return model

    try:
        model = await workshop.part(
            "real-graph", (real_graph, now_ms, past.follows.edges), RealGraph.load, make
        )
    except ValueError:
        return None  # too little happened within the horizon
    return model.scores(log, now_ms, now.users)
