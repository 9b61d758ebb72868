"""Where accounts come from, and what the sources' scores are called."""

from __future__ import annotations

from components.sources.accounts import FriendsOfFriends, MutualInterest, PopularAccounts
from components.sources.attention import Reciprocation, TrendingAccounts
from components.sources.people.similar import CircleOfTrust, RecentlyFollowedByFollowed, SimilarAccounts
from components.sources.people.strong_ties import TriangularLoops
from components.stores.stores import Stores
from components.stores.types import Account, Viewer
from mixer import CandidateSource, SourceRegistry
from products.follow_recs import params

SOURCE_SCORES = {
    "friends_of_friends": Account.friends_of_friends_score,
    "mutual_interest": Account.mutual_interest_score,
    "popular": Account.popular_score,
    "similar_to_follows": Account.similar_score,
    "recently_followed_by_followed": Account.lately_followed_score,
    "circle_salsa": Account.circle_score,
    "triangular_loops": Account.triangle_score,
    "trending": Account.trending_score,
    "reciprocation": Account.reciprocation_score,
}
MINUTE_MS, HOUR_S = 60_000, 3_600.0


def sources_of(stores: Stores) -> SourceRegistry[Viewer, Account]:
    """Every source, in the order in which candidates are merged."""
    trending = TrendingAccounts(stores, params.TRENDING_CAP, params.WINDOW_H)
    popular = PopularAccounts(stores, params.POPULAR_CAP)
    sources: tuple[CandidateSource[Viewer, Account], ...] = (
        FriendsOfFriends(stores, params.FRIENDS_CAP),
        MutualInterest(stores, stores.interests, params.INTEREST_CAP),
        SimilarAccounts(stores, "follows", params.SIMILAR_CAP),
        RecentlyFollowedByFollowed(stores, params.LATELY_CAP, params.WINDOW_H),
        CircleOfTrust(stores, "salsa", params.CIRCLE_CAP),
        TriangularLoops(stores, params.TRIANGLE_CAP),
        Reciprocation(stores, params.RECIPROCATION_CAP),
        trending.cached(_minute_and_cap, ttl_s=HOUR_S),
        popular.cached(_minute_and_cap, ttl_s=HOUR_S),
    )
    return SourceRegistry([source.fail_open() for source in sources])


def _minute_and_cap(viewer: Viewer) -> tuple[object, ...]:
    settings = viewer.request.params
    caps = settings[params.POPULAR_CAP], settings[params.TRENDING_CAP], settings[params.WINDOW_H]
    return viewer.request.now_ms // MINUTE_MS, *caps
