"""For You, as the command line sees it."""

from __future__ import annotations

import components.hydrators.posts
import components.rankers.logistic
import components.rankers.training
import components.sources.posts
import products.for_you.flow
import products.for_you.training
from components.models.logistic import LogisticModel
from components.rankers.logistic import LogisticRanker
from components.stores.stores import Stores
from components.stores.types import Post
from mixer.params import Params
from products._cli.data import Track
from products._cli.serve import Application, Page
from products.for_you import answer, params
from products.for_you.evaluation import OFFLINE
from products.for_you.flow import ForYou
from products.for_you.training import INPUTS, Training


async def train(stores: Stores, settings: Params, seed: int, track: Track) -> LogisticModel:
    """A ranker for these data."""
    return await products.for_you.training.train(stores, settings, Training(seed=seed), track)


def flow(stores: Stores, model: LogisticModel) -> ForYou:
    """The flow with a trained ranker."""
    return ForYou(stores, LogisticRanker(model, INPUTS, Post.score))


FOR_YOU = Application(
    name="for_you",
    needs=("engagements",),
    settings=params,
    train=train,
    flow=flow,
    page=Page(
        answer.rows,
        answer.table,
        version=(
            components.sources.posts,
            components.hydrators.posts,
            components.rankers.logistic,
            components.rankers.training,
            products.for_you.flow,
            products.for_you.training,
        ),
    ),
    offline=OFFLINE,
)
