"""The embeddings that For You can search: communities, translations, two towers; trained on the past."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from components.sources.nearest import Encoder, NearestPosts, SimClustersPosts
from components.stores.graph import NEVER
from components.stores.stores import Stores
from components.stores.types import Post, Viewer
from mixer import CandidateSource
from mixer.params import Params
from products._cli.learned import least_followers, simclusters_of, twhin_of
from products.for_you import params

if TYPE_CHECKING:
    from components.embeddings.simclusters.model import SimClusters
    from components.embeddings.twhin.embeddings import TwhinEmbeddings
    from components.embeddings.two_tower.model import TwoTowerModel
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
        stores: where posts and engagements are looked up; none, and there is nothing to search.
    """

    simclusters: SimClusters | None = None
    twhin: TwhinEmbeddings | None = None
    two_tower: TwoTowerModel | None = None
    half_life_h: float = 8.0
    until_ms: int = 0
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
    def encoders(self) -> tuple[Encoder, ...]:
        """Vectors of users and posts."""
        from components.embeddings.twhin.encoder import TwhinEncoder
        from components.embeddings.two_tower.encoder import TwoTowerEncoder

        made: list[Any] = []
        if self.stores is not None and self.twhin is not None:
            made.append(TwhinEncoder.of(self.stores, self.twhin, half_life_h=self.half_life_h))
        if self.stores is not None and self.two_tower is not None:
            made.append(TwoTowerEncoder.of(self.stores, self.two_tower))
        return tuple(made)

    def sources(self) -> list[CandidateSource[Viewer, Post]]:
        """A source for each."""
        found: list[CandidateSource[Viewer, Post]] = []
        if self.stores is None:
            return found
        if self.simclusters is not None:
            from components.embeddings.simclusters.search import SimClustersSearch

            search = SimClustersSearch(self.simclusters, self.stores, max_age_ms=None)
            found.append(SimClustersPosts(self.stores, search, params.SIMCLUSTERS_CAP, params.MAX_AGE_H))
        caps = {"twhin": params.TWHIN_CAP, "two_tower": params.TWO_TOWER_CAP}
        found += [
            NearestPosts(self.stores, encoder, caps[encoder.name], params.MAX_AGE_H)
            for encoder in self.encoders
        ]
        return found


NO_EMBEDDINGS = Embeddings()


async def learned(workshop: Workshop) -> Embeddings:
    """Everything that can be learned from the past of a workshop, read from the cache or trained."""
    return Embeddings(
        await _simclusters(workshop),
        await _twhin(workshop),
        await _two_tower(workshop),
        half_life_h(workshop.params),
        workshop.past.data.now_ms,
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
