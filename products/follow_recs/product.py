"""Follow recommendations, as the command line sees them: how their parts are made, and how they look."""

from __future__ import annotations

import os
from pathlib import Path

import components.hydrators.accounts
import components.predicates.accounts
import components.rankers.combined
import components.rankers.light
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
from components.files import atomic_file
from components.models.logistic import LogisticModel
from components.rankers.light import LogisticRanker
from components.rankers.trial import ProducerTrial
from components.rankers.two_heads import TwoHeads
from components.stores.types import Account
from components.transforms.tracking import TokenCodec
from products._cli.application import Application, Page, Workshop
from products.follow_recs import answer, params
from products.follow_recs import embeddings as learning
from products.follow_recs.embeddings import NOTHING_LEARNED, learned
from products.follow_recs.evaluation import OFFLINE
from products.follow_recs.flow import FollowRecs
from products.follow_recs.training import INPUTS, Past, Training, learning_past, train, train_engagement

VERSION = (
    components.sources.accounts,
    components.sources.attention,
    components.sources.people.similar,
    components.sources.people.strong_ties,
    components.hydrators.accounts,
    components.predicates.accounts,
    components.rankers.combined,
    components.rankers.light,
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
    stores, training = workshop.past.stores, Training(seed=workshop.choices.seed)
    earlier, served, version = NOTHING_LEARNED, NOTHING_LEARNED, VERSION
    if workshop.choices.embeddings:
        known = learning_past(stores, training)[0]
        earlier = await learned(workshop, known, stores)
        everything = Past(stores, workshop.past.data.now_ms, known.next, known.until_ms)
        served, version = await learned(workshop, everything, workshop.now.stores), (*VERSION, learning)

    async def make(path: Path) -> LogisticModel:
        bar = workshop.bars.track("training the ranker")
        model = await train(stores, workshop.params, training, bar, earlier)
        model.save(path)
        return model

    async def make_engagement(path: Path) -> LogisticModel | None:
        bar = workshop.bars.track("training the second head")
        model = await train_engagement(stores, workshop.params, training, bar, earlier)
        with atomic_file(path) as temporary:
            temporary.touch()
        if model is not None:
            model.save(path)
        return model

    follow = LogisticRanker(
        await workshop.part("follow_recs-logistic", version, LogisticModel.load, make), INPUTS, Account.score
    )
    engagement = await workshop.part("follow_recs-engagement", version, _load_if_any, make_engagement)
    if engagement is None:
        return FollowRecs(workshop.now.stores, follow, tokens=_tokens(), learned=served)
    both = TwoHeads(follow, engagement, params.ENGAGEMENT)
    on_trial = TwoHeads(follow, engagement, 1.0)
    return FollowRecs(
        workshop.now.stores, ProducerTrial(both, on_trial, params.TRIAL), tokens=_tokens(), learned=served
    )


def _load_if_any(path: Path) -> LogisticModel | None:
    """An empty file says that there was nothing to learn."""
    return LogisticModel.load(path) if path.stat().st_size else None


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
