"""For You, as the command line sees it: how its parts are made, and how it looks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from anyio import to_thread

import components.hydrators.posts
import components.rankers.light
import components.rankers.training
import components.sources.liked_by_followed
import components.sources.nearest
import components.sources.posts
import components.sources.trending
import products.for_you.filters
import products.for_you.flow
import products.for_you.ranking
import products.for_you.training
from components.models import light_trees
from components.models.light_trees import LightTrees
from components.models.logistic import LogisticModel
from components.rankers.heavy import UnderLoad
from components.rankers.light import LightRanker, LogisticRanker, PreRank
from components.stores.from_dataset import stores_of
from components.stores.types import Post, Viewer
from mixer import Ranker, chain
from products._cli.application import Application, Page, Workshop
from products._cli.data import Loaded
from products.for_you import answer, params
from products.for_you.control import controlled
from products.for_you.embeddings import NO_EMBEDDINGS, Embeddings, learned
from products.for_you.evaluation import OFFLINE
from products.for_you.flow import ForYou
from products.for_you.following import Following, RankedFollowing
from products.for_you.reranked import SHOWN
from products.for_you.training import INPUTS, Training, train, train_trees

VERSION = (
    components.sources.posts,
    components.sources.liked_by_followed,
    components.sources.nearest,
    components.sources.trending,
    components.hydrators.posts,
    components.rankers.light,
    components.rankers.training,
    products.for_you.filters,
    products.for_you.flow,
    products.for_you.ranking,
    products.for_you.training,
)
"""Modules that decide what the ranker learns from."""


EMBEDDED, LAST = 0.7, 0.98
"""Shares of all engagements: embeddings that a ranker learns with come from the first, the ranker from the rest."""


async def flow(workshop: Workshop, kind: type[ForYou] = ForYou) -> ForYou:
    """The flow with everything that was chosen; parts are trained where they are missing."""
    embeddings = await learned(workshop) if workshop.choices.embeddings else NO_EMBEDDINGS
    choice = workshop.choices.ranker
    light = await _light(workshop, choice if choice in LIGHT else "logistic")
    ranker = await _heavy(workshop, light) if choice == "heavy" else light
    return kind(workshop.now.stores, ranker, embeddings=embeddings.over(workshop.now.stores))


async def following(workshop: Workshop) -> Following:
    """The following timeline, newest first; nothing is trained."""
    return Following(workshop.now.stores)


async def _earlier(workshop: Workshop) -> Embeddings:
    """Embeddings for a ranker to learn with, which knew nothing of the requests that it learns from; if asked for."""
    if not workshop.choices.embeddings:
        return NO_EMBEDDINGS
    times = np.sort(workshop.past.stores.engagements.time_ms)
    data = workshop.past.data.as_of(int(times[int(EMBEDDED * len(times))]))
    return await learned(attrs.evolve(workshop, past=Loaded(data, stores_of(data))))


@attrs.frozen
class Light:
    """How a light ranker comes to be.

    Args:
        learn: from the flow's past.
        load: what ``save`` of the model wrote.
        ranker: of a model, its inputs and the score.
        doing: what the progress bar says.
        version: modules that the model depends on besides :data:`VERSION`.
    """

    learn: Callable[..., Awaitable[Any]]
    load: Callable[[Path], Any]
    ranker: type[LightRanker]
    doing: str
    version: tuple[object, ...] = ()


LIGHT: Mapping[str, Light] = {
    "logistic": Light(train, LogisticModel.load, LogisticRanker, "training the ranker"),
    "trees": Light(train_trees, LightTrees.load, LightRanker, "training the trees", (light_trees,)),
}


async def _light(workshop: Workshop, kind: str) -> LightRanker:
    light, past = LIGHT[kind], workshop.past.stores
    embeddings, training = await _earlier(workshop), Training(seed=workshop.choices.seed)
    if workshop.choices.embeddings:
        training = attrs.evolve(training, cut_off=LAST, since_ms=embeddings.until_ms)

    async def make(path: Path) -> Any:
        bar = workshop.bars.track(light.doing)
        model = await light.learn(past, workshop.params, training, bar, embeddings.over(past))
        model.save(path)
        return model

    version = (*light.version, *VERSION, *embeddings.names, training)
    model = await workshop.part(f"for_you-{kind}", version, light.load, make)
    return light.ranker(model, INPUTS, Post.score)


async def _heavy(workshop: Workshop, light: Ranker[Viewer, Post]) -> Ranker[Viewer, Post]:
    from components.features import entities, groups
    from products.for_you import heavy

    past, now = workshop.past, workshop.now
    # What was shown says more than what a flow would have found, and needs no search.
    earlier = NO_EMBEDDINGS if len(past.data["impressions"]) else await _earlier(workshop)

    async def make(path: Path) -> Path:
        bar = workshop.bars.track("training the heavy ranker")
        return await heavy.train_heavy(
            past.stores,
            past.data,
            workshop.params,
            workshop.choices.seed,
            bar,
            path,
            embeddings=earlier,
        )

    def load(path: Path) -> Path:
        return path

    version = (heavy, groups, entities, *earlier.names, earlier.until_ms)
    folder = await workshop.part("for_you-heavy", version, load, make)
    features = heavy.features_of(now.stores, now.data)
    with workshop.bars.step("indexing what happened"):
        await to_thread.run_sync(features.warm_up, now.stores.now_ms)
    chosen = PreRank(light, params.HEAVY_CAP)
    return UnderLoad(chain(chosen, heavy.heavy_ranker(features, folder)), light)


FOR_YOU = Application(
    name="for_you",
    needs=("engagements",),
    settings=params,
    rankers=(*LIGHT, "heavy"),
    flow=flow,
    page=Page(answer.rows, answer.table),
    offline=OFFLINE,
    shown=SHOWN,
    viewer=controlled,
)
FOLLOWING = attrs.evolve(
    FOR_YOU,
    name="following",
    flow=following,
    page=Page(answer.rows, partial(answer.table, title="Following, newest first")),
)
RANKED_FOLLOWING = attrs.evolve(
    FOR_YOU,
    name="ranked_following",
    flow=partial(flow, kind=RankedFollowing),
    page=Page(answer.rows, partial(answer.table, title="Following, ranked")),
)
