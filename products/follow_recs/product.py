"""Follow recommendations, as the command line sees them: how their parts are made, and how they look."""

from __future__ import annotations

import os
from pathlib import Path

import components.hydrators.accounts
import components.predicates.accounts
import components.rankers.combined
import components.rankers.logistic
import components.rankers.sampling
import components.rankers.training
import components.sources.accounts
import components.sources.attention
import components.sources.people.similar
import components.sources.people.strong_ties
import components.stores.requests
import products.follow_recs.filters
import products.follow_recs.flow
import products.follow_recs.ranking
import products.follow_recs.sources
import products.follow_recs.training
from components.models.logistic import LogisticModel
from components.rankers.logistic import LogisticRanker
from components.stores.types import Account
from components.transforms.tracking import TokenCodec
from products._cli.application import Application, Page, Workshop
from products.follow_recs import answer, params
from products.follow_recs.evaluation import OFFLINE
from products.follow_recs.flow import FollowRecs
from products.follow_recs.training import INPUTS, Training, train

VERSION = (
    components.sources.accounts,
    components.sources.attention,
    components.sources.people.similar,
    components.sources.people.strong_ties,
    components.hydrators.accounts,
    components.predicates.accounts,
    components.rankers.combined,
    components.rankers.logistic,
    components.rankers.sampling,
    components.rankers.training,
    components.stores.requests,
    products.follow_recs.filters,
    products.follow_recs.flow,
    products.follow_recs.ranking,
    products.follow_recs.sources,
    products.follow_recs.training,
)
"""Modules that decide what the ranker learns from."""
KEY_VARIABLE = "MIXER_TOKEN_KEY"
"""The variable that holds the secret with which results are signed; unset, they are not."""


async def flow(workshop: Workshop) -> FollowRecs:
    """The flow with everything that was chosen; parts are trained where they are missing."""

    async def make(path: Path) -> LogisticModel:
        training = Training(seed=workshop.choices.seed)
        bar = workshop.bars.track("training the ranker")
        model = await train(workshop.past.stores, workshop.params, training, bar)
        model.save(path)
        return model

    model = await workshop.part("follow_recs-logistic", VERSION, LogisticModel.load, make)
    return FollowRecs(workshop.now.stores, LogisticRanker(model, INPUTS, Account.score), tokens=_tokens())


def _tokens() -> TokenCodec | None:
    key = os.environ.get(KEY_VARIABLE)
    return None if key is None else TokenCodec(key.encode(), "follow_recs")


FOLLOW_RECS = Application(
    name="follow_recs",
    needs=("follows", "interactions"),
    settings=params,
    rankers=("logistic",),
    flow=flow,
    page=Page(answer.rows, answer.table),
    offline=OFFLINE,
)
