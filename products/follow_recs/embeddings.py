"""What follow recommendations can learn about people: translations, communities, and who will interact with whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from components.stores.graph import Graph
from components.stores.stores import Stores
from products._cli.learned import least_followers, simclusters_of, ties_of, twhin_of

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
    ties = await ties_of(workshop, past.stores, past.now_ms, now)
    return Learned((*spaces, known), ties)


async def _twhin(workshop: Workshop, past: Past) -> TwhinEmbeddings:
    from components.embeddings.twhin.config import Relation
    from components.embeddings.twhin.relations import POST, USER

    stores = past.stores

    def edges(kind: str, target: str, found: Graph, ids: NDArray[np.int64]) -> Relation:
        before = found.time_ms < past.now_ms
        pairs = np.stack([stores.users.ids[found.sources[before]], ids[found.ends[before]]], axis=1)
        return Relation(kind, USER, target, np.unique(pairs, axis=0))

    def relations() -> list[Relation]:
        follow = edges("follow", USER, stores.follows, stores.users.ids)
        engage = edges("engage", POST, stores.engagements, stores.posts.index.ids)
        return [relation for relation in (follow, engage) if len(relation.edges)]

    return await twhin_of(workshop, "follow_recs-twhin", relations, *_identity(past))


async def _simclusters(workshop: Workshop, past: Past) -> SimClusters:
    known, settings = (past.stores, past.now_ms), [least_followers(past.stores, 2)]
    return await simclusters_of(workshop, "follow_recs-simclusters", known, settings, *_identity(past))


def _identity(past: Past) -> tuple[object, ...]:
    return past.now_ms, past.stores.follows.edges
