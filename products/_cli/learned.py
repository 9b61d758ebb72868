"""Embeddings that products learn in the same way, read from the cache or trained behind a progress bar."""

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
