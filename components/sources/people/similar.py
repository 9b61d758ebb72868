"""Accounts like those the viewer chose: co-follow similarity, recent followings, SALSA."""

from __future__ import annotations

from itertools import pairwise

import attrs
import numpy as np
from attrs.validators import in_
from scipy import sparse

from components.graph.edges import adjacency
from components.graph.walks import personalised_pagerank, salsa
from components.sources.answers import best, others
from components.stores.stores import History, Stores, mask_of
from components.stores.tally import tally
from components.stores.types import Account, Viewer, setting
from components.units import HOUR_MS
from mixer import Candidates, CandidateSource
from mixer.params import Param

SEEDS, SIMILAR = 10, 40
"""Latest seeds, and similar accounts of each."""


@attrs.frozen
class SimilarAccounts(CandidateSource[Viewer, Account]):
    """Accounts followed by the same people as the viewer's latest followings, or authors engaged with.

    The similarity of two accounts is the cosine of their sets of followers; of a seed the latest ``audience``
    followers and the latest ``audience`` followings of each are counted. A candidate's score is the sum over
    seeds of which it is among the 40 most similar; seeds themselves are left out.

    Args:
        stores: where users are.
        to: ``follows``, or ``engagements`` for the authors of the posts engaged with.
        cap: how many accounts to answer with.
        audience: bounds the work for accounts that many follow.

    Source: FRS RecentFollowingSimilarUsers: 10 seeds, 40 similar to each, 200 out; RecentEngagementSimilarUsers.
    """

    stores: Stores = attrs.field(repr=False)
    to: str = attrs.field(default="follows", validator=in_(("follows", "engagements")))
    cap: int | Param[int] = 200
    audience: int = 100

    @property
    def name(self) -> str:
        return f"similar_to_{self.to}"

    def fetch(self, viewer: Viewer) -> Candidates[Account]:
        seeds = self._seeds(viewer.history)
        seed, accounts, similarity = self._similarities(seeds, viewer.history.now_ms)
        bounds = np.searchsorted(seed, np.arange(len(seeds) + 1)).tolist()
        nearest = [start + best(similarity[start:stop], SIMILAR) for start, stop in pairwise(bounds)]
        chosen = np.concatenate([np.empty(0, np.int64), *nearest])
        rows, scores = tally(accounts[chosen], similarity[chosen])
        return others(self.stores, viewer, rows, scores, self.cap)

    def _seeds(self, history: History) -> np.ndarray:
        if self.to == "follows":
            return history.follows[-SEEDS:]
        authors = self.stores.posts.author[history.engaged][::-1]
        first = np.unique(authors[authors != history.row], return_index=True)[1]
        return authors[authors != history.row][np.sort(first)][:SEEDS]

    def _similarities(self, seeds: np.ndarray, now_ms: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Index of a seed, another account that its audience follows, and how similar they are; seed by seed."""
        follows, followers, users = self.stores.follows, self.stores.follows.reverse, len(self.stores.users)
        heard, seed = followers.expand(seeds, before_ms=now_ms, latest=self.audience)
        at, audience = follows.expand(followers.ends[heard], before_ms=now_ms, latest=self.audience)
        pairs, shared = tally(seed[audience] * users + follows.ends[at])
        one, accounts = np.divmod(pairs, max(users, 1))
        sizes = followers.degrees(seeds, now_ms)[one] * followers.degrees(accounts, now_ms).astype(float)
        similarities = shared / np.sqrt(np.maximum(sizes, 1.0))
        similarities[mask_of(seeds, users)[accounts]] = 0.0
        return one, accounts, similarities


@attrs.frozen
class RecentlyFollowedByFollowed(CandidateSource[Viewer, Account]):
    """Whom at least two of the viewer's followings began to follow lately, by how many they are.

    Args:
        stores: where users are.
        cap: how many accounts to answer with.
        window_h: how far back.
        proofs: followings that must agree.

    Source: FRS user-user graph: follows of 24 to 48 hours, at least 2 connectors, 50 accounts.
    """

    stores: Stores = attrs.field(repr=False)
    cap: int | Param[int] = 50
    window_h: float | Param[float] = 48.0
    proofs: int = 2

    def fetch(self, viewer: Viewer) -> Candidates[Account]:
        history, follows = viewer.history, self.stores.follows
        since_ms = history.now_ms - int(setting(viewer, self.window_h) * HOUR_MS)
        friends = np.unique(history.follows)
        at, friend = follows.spans(friends, since_ms, history.now_ms)
        ends = follows.ends[at]
        rows, counts = tally(ends[ends != friends[friend]])
        agreed = counts >= self.proofs
        return others(self.stores, viewer, rows[agreed], counts[agreed], self.cap)


@attrs.frozen
class CircleOfTrust(CandidateSource[Viewer, Account]):
    """Where a walk from the viewer's latest followings leads: SALSA, or personalised PageRank.

    The walk stays among the circle (the latest ``circle`` followings) and the latest ``circle`` whom each of them
    follows. The circle itself is not answered with.

    Args:
        stores: where users are.
        walk: ``salsa`` or ``pagerank``.
        cap: how many accounts to answer with.
        circle: bounds the work.

    Source: WTF (2013) ranks authorities by SALSA over a circle of trust.
    """

    stores: Stores = attrs.field(repr=False)
    walk: str = attrs.field(default="salsa", validator=in_(("salsa", "pagerank")))
    cap: int | Param[int] = 200
    circle: int = 100

    @property
    def name(self) -> str:
        return f"circle_{self.walk}"

    def fetch(self, viewer: Viewer) -> Candidates[Account]:
        history, follows = viewer.history, self.stores.follows
        seeds = np.unique(history.follows[-self.circle :])
        at, seed = follows.expand(seeds, before_ms=history.now_ms, latest=self.circle)
        # Few rows are touched, so that they are numbered anew.
        members, number = np.unique(np.concatenate([seeds, follows.ends[at]]), return_inverse=True)
        scores, home = np.zeros(len(members)), number[: len(seeds)]
        if len(at):
            scores = self._shares(home, home[seed], number[len(seeds) :], len(members))
            scores[home] = 0.0
        return others(self.stores, viewer, members, scores, self.cap)

    def _shares(self, home: np.ndarray, source: np.ndarray, end: np.ndarray, nodes: int) -> np.ndarray:
        edges: sparse.csr_array = adjacency(np.stack([source, end], axis=1), nodes)
        if self.walk == "pagerank":
            return personalised_pagerank(edges, home).shares
        return salsa(edges, home, iterations=20).authorities
