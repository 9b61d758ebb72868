"""The embeddings that For You can search: communities, translations, two towers; trained on the past."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from components.hydrators.relationship import TieStrength
from components.hydrators.similarity import SimClustersSimilarity, Similarity
from components.sources.nearest import NearestPosts, SimClustersPosts
from components.stores.graph import NEVER
from components.stores.stores import Stores
from components.stores.types import Post, Viewer
from components.stores.vectors import Encoder, RecentVectors
from mixer import CandidateSource, Hydrator
from mixer.params import Params
from products._cli.learned import least_followers, simclusters_of, ties_of, twhin_of
from products.for_you import params

if TYPE_CHECKING:
    from components.embeddings.simclusters.model import SimClusters
    from components.embeddings.simclusters.search import SimClustersSearch
    from components.embeddings.twhin.embeddings import TwhinEmbeddings
    from components.embeddings.two_tower.model import TwoTowerModel
    from components.models.real_graph.scores import RealGraphScores
    from products._cli.application import Workshop


@attrs.frozen(eq=False, slots=False)
class Embeddings:
    """What was learned, and over which stores it is looked up.

    Args:
        simclusters: communities.
        twhin: users and posts in one space.
        two_tower: users by history, posts by content.
        half_life_h: after which an engagement counts half for where a new post is.
        until_ms: the moment up to which they learned; they know the future of requests before it.
        ties: who will probably interact with whom.
        stores: where posts and engagements are looked up; none, and there is nothing to search.
    """

    simclusters: SimClusters | None = None
    twhin: TwhinEmbeddings | None = None
    two_tower: TwoTowerModel | None = None
    half_life_h: float = 8.0
    until_ms: int = 0
    ties: RealGraphScores | None = None
    stores: Stores | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Of the sources."""
        parts = {"simclusters": self.simclusters, "twhin": self.twhin, "two_tower": self.two_tower}
        return tuple(name for name, part in parts.items() if part is not None)

    def over(self, stores: Stores) -> Embeddings:
        """The same, looked up in other stores."""
        return self if self.stores is stores else attrs.evolve(self, stores=stores)

    @cached_property
    def vectors(self) -> Mapping[str, RecentVectors]:
        """Of users and posts, by the name of the space; sources and hydrators share them."""
        from components.embeddings.twhin.encoder import TwhinEncoder
        from components.embeddings.two_tower.encoder import TwoTowerEncoder

        made: list[Encoder] = []
        if self.stores is None:
            return {}
        if self.twhin is not None:
            made.append(TwhinEncoder.of(self.stores, self.twhin, half_life_h=self.half_life_h))
        if self.two_tower is not None:
            made.append(TwoTowerEncoder.of(self.stores, self.two_tower))
        return {encoder.name: RecentVectors(self.stores, encoder, params.MAX_AGE_H) for encoder in made}

    @cached_property
    def communities(self) -> SimClustersSearch | None:
        """Interests of users, and posts by community."""
        if self.stores is None or self.simclusters is None:
            return None
        from components.embeddings.simclusters.search import SimClustersSearch

        return SimClustersSearch(self.simclusters, self.stores, max_age_ms=None)

    def sources(self) -> list[CandidateSource[Viewer, Post]]:
        """A source for each space."""
        found: list[CandidateSource[Viewer, Post]] = []
        if self.stores is not None and self.communities is not None:
            found.append(
                SimClustersPosts(self.stores, self.communities, params.SIMCLUSTERS_CAP, params.MAX_AGE_H)
            )
        caps = {"twhin": params.TWHIN_CAP, "two_tower": params.TWO_TOWER_CAP}
        return found + [NearestPosts(vectors, caps[name]) for name, vectors in self.vectors.items()]

    def hydrators(self) -> list[Hydrator[Viewer, Post]]:
        """What they say about a viewer and a post."""
        found: list[Hydrator[Viewer, Post]] = []
        if self.stores is not None and self.ties is not None:
            found.append(TieStrength(self.ties.among(self.stores.users)))
        if self.communities is not None:
            found.append(SimClustersSimilarity(self.communities))
        columns = {"twhin": Post.twhin_similarity, "two_tower": Post.two_tower_similarity}
        return found + [Similarity(vectors, columns[name]) for name, vectors in self.vectors.items()]


NO_EMBEDDINGS = Embeddings()


async def learned(workshop: Workshop) -> Embeddings:
    """Everything that can be learned from the past of a workshop, read from the cache or trained."""
    past, now_ms = workshop.past.stores, workshop.past.data.now_ms
    return Embeddings(
        await _simclusters(workshop),
        await _twhin(workshop),
        await _two_tower(workshop),
        half_life_h(workshop.params),
        now_ms,
        await ties_of(workshop, past, now_ms, workshop.now.stores),
    )


def half_life_h(settings: Params) -> float:
    """Hours after which an engagement counts half: a sixth of how old a post may be.

    Source: SimClusters, 8 hours, where posts live for 48.
    """
    return settings[params.MAX_AGE_H] / 6.0


async def _simclusters(workshop: Workshop) -> SimClusters:
    past = workshop.past.stores
    max_age_h = workshop.params[params.MAX_AGE_H]
    settings = [
        f"posts.half_life_h={half_life_h(workshop.params)}",
        "posts.author=1.0",
        f"posts.max_engagement_age_h={1.5 * max_age_h}",  # three days, where posts live for two
        least_followers(past, 5),
    ]
    return await simclusters_of(workshop, "simclusters", (past, NEVER), settings)


async def _twhin(workshop: Workshop) -> TwhinEmbeddings:
    from components.embeddings.twhin.relations import relations_of

    past = workshop.past.data
    return await twhin_of(workshop, "twhin", lambda: relations_of(past, past.now_ms))


async def _two_tower(workshop: Workshop) -> TwoTowerModel:
    from components.embeddings import two_tower
    from components.embeddings.two_tower.config import TwoTowerConfig
    from components.embeddings.two_tower.model import TwoTowerModel
    from components.embeddings.two_tower.train import train

    past = workshop.past.stores

    async def make(path: Path) -> TwoTowerModel:
        config = TwoTowerConfig(seed=workshop.choices.seed)
        with workshop.bars.step("learning two towers", config.epochs) as advance:
            model = train(past, past.now_ms, config, listener=lambda _: advance())
        model.save(path)
        return model

    return await workshop.part("two_tower", (two_tower,), TwoTowerModel.load, make)
