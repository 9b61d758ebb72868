"""The For You flow."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import attrs
import numpy as np
from numpy.typing import NDArray

from components.hydrators.posts import Affinity, NetworkStatus, Popularity, PostTraits, Views
from components.hydrators.relationship import FollowedBy, MutualFollow
from components.predicates.switched import Switched
from components.predicates.viewer import known_user
from components.rankers.replay import AsBefore, Remembered
from components.side_effects.impressions import RecordImpressions
from components.sources.authors import RecommendedAuthors, followed_by_followed
from components.sources.backfill import Backfill
from components.sources.exploration import NewAuthors
from components.sources.liked_by_followed import LikedByFollowed
from components.sources.posts import CoEngagement, InNetwork, PopularPosts
from components.sources.replayed import ReplayedPosts
from components.sources.topics import TopicPosts, asked_topics
from components.sources.trending import TrendingPosts
from components.stores.bloom import SeenFilters
from components.stores.controls import ControlStore
from components.stores.impressions import ImpressionStore
from components.stores.replays import ReplayStore
from components.stores.stores import History, Stores
from components.stores.types import Controls, Post, Refresh, Replay, Viewer
from components.stores.views import ViewCounts
from components.transforms.showing import PostText, author_proof, post_proof
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
    SideEffect,
    SourceRegistry,
    Transform,
    predicate,
)
from mixer.concurrency import Failure, attempt
from mixer.predicates import ParamIsOn
from mixer.quality_factor import LinearLatencyQualityFactor, QualityFactor, QualityFactorBounds
from products.for_you import params
from products.for_you.embeddings import NO_EMBEDDINGS, Embeddings
from products.for_you.filters import before_ranking
from products.for_you.pages import after, paging_of
from products.for_you.ranking import adjusted, ranked

SERVED_FOR_S, SERVED_AT_MOST = 600.0, 100
"""Source: home-mixer's served history: ten minutes, 100 ids."""
AUTHOR_POSTS = 3
"""Posts of a recommended author, so that the first few do not fill what all may give."""
LOOK_UP_S = 0.05
"""What looking up a viewer may take."""


@predicate(reason="history_unavailable")
def history_is_there(viewer: Viewer) -> bool:
    """Could be looked up whom the viewer must not be shown?"""
    return viewer.known is not None


class ForYou(RecommendationFlow[Viewer, Post]):
    """Posts for a viewer, best first.

    Args:
        stores: what is known.
        ranker: orders posts whose features are there.
        impressions: what was shown; the flow reads and writes it.
        controls: what viewers asked for; without a store, what the request says.
        embeddings: learned spaces to search, over the same stores.
        cursors: sign where pages end; without them there is one page.
    """

    label = "for_you"

    def __init__(
        self,
        stores: Stores,
        ranker: Ranker[Viewer, Post],
        impressions: ImpressionStore | None = None,
        controls: ControlStore | None = None,
        embeddings: Embeddings = NO_EMBEDDINGS,
        cursors: CursorCodec | None = None,
    ) -> None:
        self.stores = stores
        self.impressions = impressions or ImpressionStore()
        self.served = ImpressionStore(ttl_s=SERVED_FOR_S, per_viewer=SERVED_AT_MOST)
        self.week = SeenFilters()
        self.views = ViewCounts()
        self.controls = controls
        self.embeddings = embeddings
        self.cursors = cursors
        self.visibility = Visibility(stores)
        self.sources = SourceRegistry(
            [
                InNetwork(stores, params.IN_NETWORK_CAP, params.MAX_AGE_H).fail_open(),
                CoEngagement(stores, params.CO_ENGAGEMENT_CAP, params.MAX_AGE_H).fail_open(),
                LikedByFollowed(stores, None, params.LIKED_CAP, params.MAX_AGE_H).fail_open(),
                RecommendedAuthors(
                    stores,
                    followed_by_followed(stores).fetch,
                    params.AUTHORS_CAP,
                    params.MAX_AGE_H,
                    AUTHOR_POSTS,
                ).fail_open(),
                TrendingPosts(stores, "topic", params.TRENDING_CAP, params.MAX_AGE_H).fail_open(),
                PopularPosts(stores, params.POPULAR_CAP, params.MAX_AGE_H, params.WINDOW_H).fail_open(),
                NewAuthors(stores, slate=params.EXPLORE_SLATE, max_age_h=params.MAX_AGE_H).fail_open(),
                *(source.fail_open() for source in embeddings.sources()),
                Backfill(stores, params.BACKFILL_CAP, params.MAX_AGE_H, params.BACKFILL_AGE_H).fail_open(),
            ]
        )
        self.topical = TopicPosts(stores, params.TOPICS_CAP, params.MAX_AGE_H, params.WINDOW_H).fail_open()
        self.replays = ReplayStore()
        self.replayed = ReplayedPosts(stores).fail_open()
        remembered = Remembered(ranker, self.replays, params.REPLAY, frozenset({Backfill.label}))
        self.ranker = ranked(stores, remembered)
        self.as_before = AsBefore()

    async def update_target(self, target: Viewer) -> Viewer:
        controls = await self._controls(target)
        known = await self._known(target, controls)
        paging = paging_of(self.cursors, target)
        viewer = attrs.evolve(target, known=known, controls=controls, paging=paging)
        return attrs.evolve(viewer, replay=self._replay(viewer))

    def _replay(self, viewer: Viewer) -> Replay | None:
        settings, paging = viewer.request.params, viewer.paging
        # Who asks for news wants none of it, and what is captured must not depend on what came before.
        news = paging.newer_than_ms > 0 or paging.refresh is not Refresh.OPENED
        if not settings[params.REPLAY] or news or viewer.request.debug.capture:
            return None
        found = self.replays.of(viewer)
        return found if found and len(found.ids) >= settings[params.REPLAY_LEAST] else None

    async def _controls(self, target: Viewer) -> Controls:
        if self.controls is None:
            return target.controls
        stored, user = self.controls, target.user_id
        controls = await attempt(lambda: stored.of(user), target, LOOK_UP_S)
        if isinstance(controls, Failure):
            controls.report(
                "viewer/controls", "a timeline that is not personal, for the viewer may have asked for that"
            )
            return Controls(personalised=False)
        return controls

    async def _known(self, target: Viewer, controls: Controls) -> History | None:
        look_up = partial(
            self.stores.history, target.user_id, target.request.now_ms, since_ms=controls.profile_since_ms
        )
        known = await attempt(lambda: look_up(personalised=controls.personalised), target, LOOK_UP_S)
        if not isinstance(known, Failure):
            return known
        known.report("viewer/history", "a timeline that is not personal")
        # Whom to protect from whom is in there too; where even that is unknown, nobody is shown anything.
        impersonal = await attempt(lambda: look_up(personalised=False), target, LOOK_UP_S)
        if not isinstance(impersonal, Failure):
            return impersonal
        impersonal.report("viewer/decisions", "no post is known to be safe to show")
        return None

    def target_eligibility(self) -> Predicate[Viewer]:
        return history_is_there.and_then(known_user)

    def candidate_sources(self, target: Viewer) -> Sequence[CandidateSource[Viewer, Post]]:
        if target.replay is not None:
            return (self.replayed,)
        found = self.sources.all()
        return [*found, self.topical] if asked_topics(target) else found

    def hydrate_candidates(self) -> Sequence[Hydrator[Viewer, Post]]:
        stores = self.stores
        hydrators: tuple[Hydrator[Viewer, Post], ...] = (
            NetworkStatus(stores),
            Affinity(stores),
            Popularity(stores, params.WINDOW_H),
            PostTraits(stores),
            Views(self.views),
        )
        relations = (MutualFollow(stores), FollowedBy(stores), *self.embeddings.hydrators())
        gated = (one.gate(ParamIsOn(params.HYDRATORS[one.name])) for one in relations)
        return tuple(one.fail_open() for one in (*hydrators, *gated))

    def pre_ranker_filter(self) -> CandidatePredicate[Viewer, Post]:
        return before_ranking(self.stores, self._seen, self._served, self._this_week)

    def _seen(self, viewer: Viewer, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.isin(ids, self.impressions.shown(viewer.user_id, viewer.request.now_ms))

    def _served(self, viewer: Viewer, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        served = self.served.shown(viewer.user_id, viewer.request.now_ms)
        return np.isin(ids, np.concatenate([served, np.array(viewer.paging.shown, dtype=np.int64)]))

    def _this_week(self, viewer: Viewer, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        return self.week.has(viewer.user_id, ids, viewer.request.now_ms)

    def select_ranker(self, target: Viewer) -> Ranker[Viewer, Post]:
        return self.ranker if target.replay is None else self.as_before

    def post_ranker_transform(self) -> Transform[Viewer, Post]:
        return adjusted(self.stores)

    def validate_candidates(self) -> CandidatePredicate[Viewer, Post]:
        # What could not be judged is not shown.
        return Switched(Visible(self.visibility), params.VISIBILITY).on_error(OnError.DROP)

    def results_config(self, target: Viewer) -> ResultsConfig:
        settings = target.request.params
        wanted = settings[params.RESULTS] if target.limit is None else target.limit
        return ResultsConfig(wanted, settings[params.BATCH], overfetch=True)

    def transform_results(self) -> Transform[Viewer, Post]:
        followers = author_proof(self.stores).gated(ParamIsOn(params.AUTHOR_PROOF))
        proofs = post_proof(self.stores).then(followers)
        return proofs.then(PostText(self.stores)).then(Warn(self.visibility))

    def side_effects(self) -> Sequence[SideEffect[Viewer, Post]]:
        record = RecordImpressions((self.impressions, self.served), self.views)
        return record, RecordImpressions((self.week,), switch=params.SEEN_THIS_WEEK)

    def quality_factor(self) -> QualityFactor:
        # Home-mixer's bounds, start and step; the target is what a request may take on one core.
        bounds = QualityFactorBounds(0.1, 1.0, 0.95)
        return LinearLatencyQualityFactor(target_latency_s=0.05, bounds=bounds, delta=0.00125)

    def next_cursor(self, target: Viewer, results: Candidates[Post]) -> str | None:
        return None if self.cursors is None else after(self.cursors, target, results)
