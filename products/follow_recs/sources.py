"""Where accounts come from, and what the sources' scores are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from components.models.real_graph.scores import RealGraphScores
from components.sources.accounts import FriendsOfFriends, MutualInterest, PopularAccounts
from components.sources.attention import Reciprocation, TrendingAccounts
from components.sources.people.known import PopularInLanguage
from components.sources.people.nearest import NearestAccounts
from components.sources.people.similar import CircleOfTrust, RecentlyFollowedByFollowed, SimilarAccounts
from components.sources.people.strong_ties import MutualFollows, OutOfNetworkTies, TriangularLoops, TwoHop
from components.stores.stores import Stores
from components.stores.types import Account, Viewer
from mixer import Candidates, CandidateSource, SourceRegistry
from products.follow_recs import params
from products.follow_recs.embeddings import NOTHING_LEARNED, Learned

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
    "mutual_follows": Account.mutual_follows_score,
    "popular_in_language": Account.in_language_score,
    "two_hop": Account.two_hop_score,
    "out_of_network_ties": Account.out_of_network_score,
    "twhin_accounts": Account.twhin_score,
    "simclusters_accounts": Account.simclusters_score,
}
LEARNED = frozenset({"two_hop", "out_of_network_ties", "twhin_accounts", "simclusters_accounts"})
"""Sources that are only there where somebody learned what they look up."""
FAMILIES: Mapping[str, frozenset[str]] = {
    "none": frozenset(),
    "social": frozenset(
        {
            "friends_of_friends",
            "triangular_loops",
            "recently_followed_by_followed",
            "reciprocation",
            "mutual_follows",
            "two_hop",
        }
    ),
    "activity_contextual": frozenset(
        {
            "similar_to_follows",
            "circle_salsa",
            "out_of_network_ties",
            "twhin_accounts",
            "simclusters_accounts",
        }
    ),
    "geo_and_interests": frozenset({"mutual_interest", "trending", "popular", "popular_in_language"}),
}
"""Kinds of sources that can be held back as one; source: FRS CandidateSourceHoldbackUtil, by what ours are nearest to."""
SOCIAL = FAMILIES["social"]
SPACE_CAPS = {"twhin_accounts": params.TWHIN_CAP, "simclusters_accounts": params.SIMCLUSTERS_CAP}
MINUTE_MS, HOUR_S = 60_000, 3_600.0


def sources_of(stores: Stores, learned: Learned = NOTHING_LEARNED) -> SourceRegistry[Viewer, Account]:
    """Every source, in the order in which candidates are merged.

    Args:
        stores: what is known.
        learned: what some sources look up; those for which there is nothing are left out.
    """
    ties = learned.ties
    trending = TrendingAccounts(stores, params.TRENDING_CAP, params.WINDOW_H)
    popular = PopularAccounts(stores, params.POPULAR_CAP)
    sources: tuple[CandidateSource[Viewer, Account], ...] = (
        FriendsOfFriends(stores, params.FRIENDS_CAP),
        MutualInterest(stores, stores.interests, params.INTEREST_CAP),
        SimilarAccounts(stores, "follows", params.SIMILAR_CAP),
        RecentlyFollowedByFollowed(stores, params.LATELY_CAP, params.WINDOW_H),
        CircleOfTrust(stores, "salsa", params.CIRCLE_CAP),
        TriangularLoops(stores, params.TRIANGLE_CAP),
        MutualFollows(stores, params.MUTUAL_CAP),
        *(() if ties is None else _over_ties(stores, ties)),
        *(NearestAccounts(stores, space, SPACE_CAPS[space.name]) for space in learned.spaces),
        Reciprocation(stores, params.RECIPROCATION_CAP),
        trending.cached(_minute_and_cap, ttl_s=HOUR_S),
        PopularInLanguage(stores, params.LANGUAGE_CAP),
        popular.cached(_minute_and_cap, ttl_s=HOUR_S),
    )
    # How long each may take is the budget of their stage.
    return SourceRegistry([source.map_candidates(_checked(stores)).fail_open() for source in sources])


def _over_ties(stores: Stores, ties: RealGraphScores) -> tuple[CandidateSource[Viewer, Account], ...]:
    strong = OutOfNetworkTies(stores, ties, params.TIES_CAP, params.TIES_LEAST)
    return TwoHop(stores, ties, params.TWO_HOP_CAP), strong


def _checked(stores: Stores) -> Callable[[Candidates[Account]], Candidates[Account]]:
    """Refuses what cannot be an answer: rows that are nobody's, another's id, scores below 0 or without end."""

    def check(found: Candidates[Account]) -> Candidates[Account]:
        if not len(found):
            return found
        rows, scores = found[Account.row], found[Account.source_score]
        if rows.min() < 0 or rows.max() >= len(stores.users):
            raise ValueError(f"expected rows of {len(stores.users)} users, got {rows.min()} to {rows.max()}")
        if not (stores.users.ids[rows] == found.ids).all():
            raise ValueError("expected the ids of the rows, got others")
        if not ((scores >= 0) & (scores < np.inf) | np.isnan(scores)).all():
            raise ValueError(f"expected scores from 0 on, got {scores.min()} to {scores.max()}")
        return found

    return check


def _minute_and_cap(viewer: Viewer) -> tuple[object, ...]:
    settings = viewer.request.params
    caps = settings[params.POPULAR_CAP], settings[params.TRENDING_CAP], settings[params.WINDOW_H]
    return viewer.request.now_ms // MINUTE_MS, *caps
