"""Follow recommendations, as the command line sees it."""

from __future__ import annotations

import components.hydrators.accounts
import components.rankers.logistic
import components.rankers.training
import components.sources.accounts
import products.follow_recs.flow
import products.follow_recs.training
from components.models.logistic import LogisticModel
from components.rankers.logistic import LogisticRanker
from components.stores.stores import Stores
from components.stores.types import Account
from mixer.params import Params
from products._cli.data import Track
from products._cli.serve import Application, Page
from products.follow_recs import answer, params
from products.follow_recs.evaluation import OFFLINE
from products.follow_recs.flow import FollowRecs
from products.follow_recs.training import INPUTS, Training


async def train(stores: Stores, settings: Params, seed: int, track: Track) -> LogisticModel:
    """A ranker for these data."""
    return await products.follow_recs.training.train(stores, settings, Training(seed=seed), track)


def flow(stores: Stores, model: LogisticModel) -> FollowRecs:
    """The flow with a trained ranker."""
    return FollowRecs(stores, LogisticRanker(model, INPUTS, Account.score))


FOLLOW_RECS = Application(
    name="follow_recs",
    needs=("follows", "interactions"),
    settings=params,
    train=train,
    flow=flow,
    page=Page(
        answer.rows,
        answer.table,
        version=(
            components.sources.accounts,
            components.hydrators.accounts,
            components.rankers.logistic,
            components.rankers.training,
            products.follow_recs.flow,
            products.follow_recs.training,
        ),
    ),
    offline=OFFLINE,
)
