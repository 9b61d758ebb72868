"""How For You orders posts: what its ranker gets, and the adjustments of the score, in published order."""

from __future__ import annotations

from components.rankers.arrival import InArrivalOrder
from components.sources.backfill import Backfill
from components.stores.stores import SHOW_LESS, Stores
from components.stores.types import Post, Viewer
from components.transforms.conversations import (
    OneOfEachConversation,
    OneOfEachOriginal,
    OneOfEachStory,
    WithoutAncestors,
)
from components.transforms.diversity import AuthorDiversity, OneOfEachStranger
from components.transforms.quotas import NetworkQuotas
from components.transforms.ranking_input import FirstToRank, SourceScores, SourcesLast
from components.transforms.scoring import ColdStartLift, FeedbackFatigue, NetworkDiscount, RecencyDecay
from components.transforms.slates import DeterminantalSlate, TopicAndAuthor
from components.transforms.wishes import Wishes
from mixer import Deduplicate, Ranker, Transform, chain
from mixer.predicates import ParamIsOn
from products.for_you import params

SOURCE_SCORES = {
    "in_network": Post.in_network_score,
    "co_engagement": Post.co_engagement_score,
    "popular": Post.popular_score,
    "liked_by_followed": Post.liked_by_followed_score,
    "recommended_authors": Post.recommended_score,
    "trending_topic": Post.trending_score,
    "simclusters": Post.simclusters_score,
    "twhin": Post.twhin_score,
    "two_tower": Post.two_tower_score,
}


def ranked(stores: Stores, ranker: Ranker[Viewer, Post]) -> Ranker[Viewer, Post]:
    """One of each post, as many as there is time for, with what every source thought of it; then the ranker.

    Without a ranker, what the sources put first is better than nothing.
    """
    chosen = (
        Deduplicate()
        .then(OneOfEachOriginal(stores))
        .then(FirstToRank(params.RANK_CAP))
        .then(SourceScores(SOURCE_SCORES))
    )
    return chain(chosen, ranker.fallback(InArrivalOrder(Post.score)))


def adjusted(stores: Stores) -> Transform[Viewer, Post]:
    """What becomes of the scores, and what is shown once.

    Source: 2026's order: cold start, authors, strangers, then the slate as a whole; wishes and fatigue, which are
    about the viewer alone, come before. Quotas are of 2023.
    """
    slate = DeterminantalSlate(TopicAndAuthor(stores.posts), Post.score, params.SLATE_THETA)
    lift = ColdStartLift(stores.posts, Post.views, params.COLD_START_FOLLOWERS, params.COLD_START_VIEWS)
    return (
        Wishes(stores, params.BOOST_MORE, params.BOOST_LESS)
        .then(FeedbackFatigue(stores.decisions[SHOW_LESS], stores.engagements.reverse))
        .then(RecencyDecay(params.RECENCY_RATE).gated(ParamIsOn(params.RECENCY)))
        .then(lift.gated(ParamIsOn(params.COLD_START)))
        .then(AuthorDiversity(Post.author_row, Post.score, params.DECAY, params.FLOOR))
        .then(NetworkDiscount(stores.posts, params.STRANGER_FACTOR))
        .then(OneOfEachStranger(params.STRANGER_ONCE).observe("one_of_each_stranger"))
        .then(slate.gated(ParamIsOn(params.SLATE)))
        .then(OneOfEachConversation(stores, params.CONVERSATIONS))
        .then(WithoutAncestors(stores, params.WITHOUT_ANCESTORS))
        .then(OneOfEachStory(stores, params.STORIES))
        .then(
            NetworkQuotas(params.IN_QUOTA, params.OUT_QUOTA, frozenset({Backfill.label})).gated(
                ParamIsOn(params.QUOTAS)
            )
        )
        .then(SourcesLast(frozenset({Backfill.label})))
    )
