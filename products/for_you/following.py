"""The following timeline: what the people one follows post, newest first or ranked. Out of the same parts as For You."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from components.hydrators.posts import NetworkStatus, PostTraits
from components.predicates import timeline
from components.predicates.switched import Switched
from components.predicates.viewer import known_user
from components.rankers.arrival import InArrivalOrder
from components.sources.posts import InNetwork
from components.stores.stores import Stores
from components.stores.types import Post, Viewer
from components.transforms.conversations import OneOfEachConversation, OneOfEachOriginal
from components.transforms.showing import PostText
from components.visibility.engine import Visibility, Visible, Warn
from mixer import (
    CandidatePredicate,
    Candidates,
    CandidateSource,
    CursorCodec,
    Hydrator,
    OnError,
    Predicate,
    Ranker,
    RecommendationFlow,
    ResultsConfig,
    Transform,
)
from mixer.predicates import ParamIsOn
from products.for_you import params
from products.for_you.filters import muted_phrases
from products.for_you.flow import ForYou
from products.for_you.pages import after, paging_of


class Following(RecommendationFlow[Viewer, Post]):
    """Posts of followed people, newest first; in pages with cursors.

    Source: Following, 2026: 100 posts of a year, posts before their reposts, one post a conversation,
    replies among followed people.
    """

    label = "following"

    def __init__(self, stores: Stores, cursors: CursorCodec | None = None) -> None:
        self.stores = stores
        self.cursors = cursors
        self.source = InNetwork(stores, params.FOLLOWING_CAP, params.FOLLOWING_AGE_H)
        self.ranker = InArrivalOrder(Post.score)  # the source is in order
        self.visibility = Visibility(stores)

    def update_target(self, target: Viewer) -> Viewer:
        known = self.stores.history(target.user_id, target.request.now_ms)
        return attrs.evolve(target, known=known, paging=paging_of(self.cursors, target))

    def target_eligibility(self) -> Predicate[Viewer]:
        return known_user

    def candidate_sources(self, target: Viewer) -> Sequence[CandidateSource[Viewer, Post]]:
        return (self.source,)

    def hydrate_candidates(self) -> Sequence[Hydrator[Viewer, Post]]:
        return (NetworkStatus(self.stores).fail_open(), PostTraits(self.stores).fail_open())

    def pre_ranker_filter(self) -> CandidatePredicate[Viewer, Post]:
        return (
            timeline.NotOwn(self.stores)
            .and_then(timeline.PeopleGetAlong(self.stores))
            .and_then(timeline.NoMutedWords(self.stores, muted_phrases))
            .and_then(Switched(timeline.RepliesAmongFollowed(self.stores), params.FOLLOWING_REPLIES))
            .and_then(timeline.NewerThanPage())
            .and_then(timeline.NotOnEarlierPages())
        )

    def select_ranker(self, target: Viewer) -> Ranker[Viewer, Post]:
        return self.ranker

    def post_ranker_transform(self) -> Transform[Viewer, Post]:
        unique = OneOfEachOriginal(self.stores, natives_first=True)
        return unique.then(OneOfEachConversation(self.stores).gated(ParamIsOn(params.CONVERSATIONS)))

    def validate_candidates(self) -> CandidatePredicate[Viewer, Post]:
        return Visible(self.visibility).on_error(OnError.DROP)

    def results_config(self, target: Viewer) -> ResultsConfig:
        wanted = target.request.params[params.FOLLOWING] if target.limit is None else target.limit
        return ResultsConfig(wanted, overfetch=True)

    def transform_results(self) -> Transform[Viewer, Post]:
        return PostText(self.stores).then(Warn(self.visibility))

    def next_cursor(self, target: Viewer, results: Candidates[Post]) -> str | None:
        return None if self.cursors is None else after(self.cursors, target, results)


class RankedFollowing(ForYou):
    """For You out of posts of followed people alone: its filters, its ranker, its adjustments.

    Source: ranked Following, 2026: the flow of For You in network only, 38 posts.
    """

    label = "ranked_following"

    def candidate_sources(self, target: Viewer) -> Sequence[CandidateSource[Viewer, Post]]:
        # What it ranked before came from there, too.
        names = ("in_network", self.replayed.name)
        return [one for one in super().candidate_sources(target) if one.name in names]

    def results_config(self, target: Viewer) -> ResultsConfig:
        wanted = target.request.params[params.RANKED_FOLLOWING] if target.limit is None else target.limit
        return attrs.evolve(super().results_config(target), desired=wanted)
