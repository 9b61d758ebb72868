"""What follow recommendations can learn about people: translations, communities, and who will interact with whom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np

from components.stores.stores import Stores
from products._ties import learned_ties

if TYPE_CHECKING:
    from components.embeddings.simclusters.model import SimClusters
    from components.embeddings.twhin.embeddings import TwhinEmbeddings
    from components.models.real_graph.scores import RealGraphScores
    from components.sources.people.nearest import AccountSpace
    from products._cli.application import Workshop
    from products.follow_recs.training import Past


@attrs.frozen(eq=False)
class Learned:
    """Spaces to search and ties to walk, for one flow.

    Args:
        spaces: where accounts near a viewer's expected choice are found.
        ties: who will probably interact with whom.
    """

    spaces: tuple[AccountSpace, ...] = ()
    ties: RealGraphScores | None = None


NOTHING_LEARNED = Learned()


async def learned(workshop: Workshop, past: Past, now: Stores) -> Learned:
    """Everything that can be learned from what was known before a moment, for the users of some stores.

    Args:
        workshop: keeps the parts.
        past: the stores to learn from, and the moment.
        now: whose users are served.
    """
    from components.sources.people.nearest import SimClustersAccounts, TwhinAccounts

    translated = TwhinAccounts.of(now, await _twhin(workshop, past))
    spaces = [] if translated is None else [translated]
    known = SimClustersAccounts.of(now, await _simclusters(workshop, past))
    ties = await learned_ties(workshop, past.stores, past.now_ms, now)
    return Learned((*spaces, known), ties)


async def _twhin(workshop: Workshop, past: Past) -> TwhinEmbeddings:
    from components.embeddings import twhin
    from components.embeddings.twhin.config import Optimisation, Relation, TwhinConfig
    from components.embeddings.twhin.embeddings import TwhinEmbeddings
    from components.embeddings.twhin.relations import POST, USER
    from components.embeddings.twhin.train import train

    stores, config = (
        past.stores,
        TwhinConfig(64, optimisation=Optimisation(epochs=20), seed=workshop.choices.seed),
    )

    def edges(kind: str, target: str, graph: str) -> Relation:
        found = stores.follows if graph == "follow" else stores.engagements
        before = found.time_ms < past.now_ms
        ids = stores.users.ids if target == USER else stores.posts.index.ids
        pairs = np.stack([stores.users.ids[found.sources[before]], ids[found.ends[before]]], axis=1)
        return Relation(kind, USER, target, np.unique(pairs, axis=0))

    relations = [edges("follow", USER, "follow"), edges("engage", POST, "engagement")]
    relations = [relation for relation in relations if len(relation.edges)]

    async def make(path: Path) -> TwhinEmbeddings:
        with workshop.bars.step("learning translations", config.optimisation.epochs) as advance:
            model = train(relations, config, listener=lambda _: advance())
        model.save(path)
        return model

    return await workshop.part(
        "follow_recs-twhin", (twhin, config, *_identity(past)), TwhinEmbeddings.load, make
    )


async def _simclusters(workshop: Workshop, past: Past) -> SimClusters:
    from components.embeddings import simclusters
    from components.embeddings.simclusters.config import load_config
    from components.embeddings.simclusters.model import SimClusters
    from components.embeddings.simclusters.signals import Signals
    from components.embeddings.simclusters.train import train

    stores = past.stores
    followers = stores.follows.edges / max(len(stores.users), 1)
    config = load_config("small", [f"similarity.min_followers={int(np.clip(followers / 2, 2, 20))}"])

    async def make(path: Path) -> SimClusters:
        with workshop.bars.step("learning communities"):
            model = train(Signals.of(stores, past.now_ms), config, seed=workshop.choices.seed)
        model.save(path)
        return model

    return await workshop.part(
        "follow_recs-simclusters", (simclusters, config, *_identity(past)), SimClusters.load, make
    )


def _identity(past: Past) -> tuple[object, ...]:
    return past.now_ms, past.stores.follows.edges
