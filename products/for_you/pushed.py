"""The post of the notification by which a viewer came: it stands at the head of the home timeline."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import attrs
import numpy as np

from components.hydrators.posts import NetworkStatus, PostTraits
from components.predicates.viewer import known_user
from components.side_effects.impressions import RecordImpressions
from components.sources.answers import posts_at
from components.stores.stores import Stores
from components.stores.types import Post, Viewer
from components.transforms.showing import PostText, post_proof
from components.visibility.engine import Visible, Warn
from mixer import (
    CandidatePredicate,
    Candidates,
    CandidateSource,
    Hydrator,
    OnError,
    Predicate,
    Ranker,
    RecommendationFlow,
    ResultsConfig,
    SideEffect,
    Transform,
)
from mixer.rankers import KeepOrder
from products.for_you.filters import protecting
from products.for_you.flow import ForYou


@attrs.frozen
class PushedPost(CandidateSource[Viewer, Post]):
    """The post that the request names, if there is such a post by now."""

    stores: Stores = attrs.field(repr=False)

    def fetch(self, viewer: Viewer) -> Candidates[Post]:
        posts = self.stores.posts
        named = [] if viewer.paging.pushed is None else [viewer.paging.pushed]
        rows = posts.index.rows_of(np.array(named, np.int64))
        there = rows[(rows >= 0) & (posts.created_ms[rows] <= viewer.request.now_ms)]
        return posts_at(self.stores, there, np.ones(len(there)))


class Pushed(RecommendationFlow[Viewer, Post]):
    """One post, if the viewer may still be shown it, whatever its age and whoever has seen it.

    Args:
        posts: the timeline, whose stores and memory it shares.

    Source: push-to-home of 2026: a post at index 0 with up to three people behind it.
    """

    label = "pushed"

    def __init__(self, posts: ForYou) -> None:
        self.posts = posts
        self.stores = posts.stores

    def update_target(self, target: Viewer) -> Viewer:
        return attrs.evolve(target, known=self.stores.history(target.user_id, target.request.now_ms))

    def target_eligibility(self) -> Predicate[Viewer]:
        return known_user

    def candidate_sources(self, target: Viewer) -> Sequence[CandidateSource[Viewer, Post]]:
        return (PushedPost(self.stores),)

    def hydrate_candidates(self) -> Sequence[Hydrator[Viewer, Post]]:
        return (NetworkStatus(self.stores).fail_open(), PostTraits(self.stores).fail_open())

    def pre_ranker_filter(self) -> CandidatePredicate[Viewer, Post]:
        return reduce(CandidatePredicate.and_then, protecting(self.stores).values())

    def select_ranker(self, target: Viewer) -> Ranker[Viewer, Post]:
        return KeepOrder()

    def validate_candidates(self) -> CandidatePredicate[Viewer, Post]:
        return Visible(self.posts.visibility).on_error(OnError.DROP)

    def results_config(self, target: Viewer) -> ResultsConfig:
        return ResultsConfig(1)

    def transform_results(self) -> Transform[Viewer, Post]:
        return post_proof(self.stores).then(PostText(self.stores)).then(Warn(self.posts.visibility))

    def side_effects(self) -> Sequence[SideEffect[Viewer, Post]]:
        return (RecordImpressions((self.posts.impressions, self.posts.served), self.posts.views),)
