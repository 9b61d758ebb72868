"""The following timeline: what the people one follows post, newest first. A second flow, out of the same parts."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from components.predicates import timeline
from components.predicates.viewer import known_user
from components.sources.posts import InNetwork
from components.stores.stores import Stores
from components.stores.types import Post, Viewer
from components.transforms.conversations import OneOfEachConversation, OneOfEachOriginal
from components.transforms.showing import PostText
from components.visibility.engine import Visibility, Visible, Warn
from mixer import (
    CandidatePredicate,
    CandidateSource,
    OnError,
    Predicate,
    Ranker,
    RecommendationFlow,
    ResultsConfig,
    Transform,
)
from mixer.rankers import KeepOrder
from products.for_you import params
from products.for_you.filters import muted_phrases


class Following(RecommendationFlow[Viewer, Post]):
    """Posts of followed people, newest first, or as a ranker likes.

    Source: Following, 2026: 100 posts of a year, posts before their reposts, one post a conversation.
    """

    label = "following"

    def __init__(self, stores: Stores, ranker: Ranker[Viewer, Post] | None = None) -> None:
        self.stores = stores
        self.source = InNetwork(stores, params.FOLLOWING_CAP, params.FOLLOWING_AGE_H)
        self.ranker = ranker or KeepOrder()  # the source is in order
        self.visibility = Visibility(stores)

    def update_target(self, target: Viewer) -> Viewer:
        return attrs.evolve(target, known=self.stores.history(target.user_id, target.request.now_ms))

    def target_eligibility(self) -> Predicate[Viewer]:
        return known_user

    def candidate_sources(self, target: Viewer) -> Sequence[CandidateSource[Viewer, Post]]:
        return (self.source,)

    def pre_ranker_filter(self) -> CandidatePredicate[Viewer, Post]:
        return (
            timeline.NotOwn(self.stores)
            .and_then(timeline.PeopleGetAlong(self.stores))
            .and_then(timeline.NoMutedWords(self.stores, muted_phrases))
        )

    def select_ranker(self, target: Viewer) -> Ranker[Viewer, Post]:
        return self.ranker

    def post_ranker_transform(self) -> Transform[Viewer, Post]:
        unique = OneOfEachOriginal(self.stores, natives_first=True)
        return unique.then(OneOfEachConversation(self.stores, params.CONVERSATIONS))

    def validate_candidates(self) -> CandidatePredicate[Viewer, Post]:
        return Visible(self.visibility).on_error(OnError.DROP)

    def results_config(self, target: Viewer) -> ResultsConfig:
        wanted = target.request.params[params.FOLLOWING] if target.limit is None else target.limit
        return ResultsConfig(wanted, overfetch=True)

    def transform_results(self) -> Transform[Viewer, Post]:
        return PostText(self.stores).then(Warn(self.visibility))
