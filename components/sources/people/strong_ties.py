"""Accounts over strong ties: two hops, mutual follows, loops, and scores of future interaction."""

from __future__ import annotations

import attrs
import numpy as np

from components.models.real_graph.scores import OUT_OF_NETWORK, OUT_OF_NETWORK_LEAST, RealGraphScores
from components.sources.answers import others, personal_row, without
from components.stores.stores import Stores, mask_of
from components.stores.tally import tally
from components.stores.types import Account, Viewer, setting
from mixer import Candidates, CandidateSource
from mixer.params import Param

FIRST_DEGREE, SECOND_DEGREE = 200, 50
"""Strongest ties of the viewer, and of each of them, that are walked."""
RECENT_MUTUAL = 100
"""Latest followings and latest followers among which mutual follows are sought."""


@attrs.frozen
class TwoHop(CandidateSource[Viewer, Account]):
    """Ties of ties: the sum over connectors of both probabilities, without the viewer's own ties.

    Empty before the scores were made.

    Args:
        stores: where users are.
        ties: of the same users.
        cap: how many accounts to answer with.

    Source: FRS two-hop expansion: 200 first-degree ties, 50 of each, 200 out.
    """

    stores: Stores = attrs.field(repr=False)
    ties: RealGraphScores = attrs.field(repr=False)
    cap: int | Param[int] = 200

    def fetch(self, viewer: Viewer) -> Candidates[Account]:
        now_ms, graph = viewer.history.now_ms, self.ties.graph
        span = graph.span_of(personal_row(viewer), now_ms)
        friends, weights = graph.ends[span][-FIRST_DEGREE:], self.ties.weights[span][-FIRST_DEGREE:]
        at, friend = graph.expand(friends, before_ms=now_ms, latest=SECOND_DEGREE)
        paths = weights[friend].astype(np.float64) * self.ties.weights[at]
        rows, scores = without(*tally(graph.ends[at], paths), friends)
        return others(self.stores, viewer, rows, scores, self.cap)


@attrs.frozen
class OutOfNetworkTies(CandidateSource[Viewer, Account]):
    """Accounts not followed that the viewer will probably interact with; empty before the scores were made.

    Args:
        stores: where users are.
        ties: of the same users.
        cap: how many accounts to answer with.
        least: probability from which an account counts.

    Source: FRS RealGraphOonV2: at least 0.26, at most 200.
    """

    stores: Stores = attrs.field(repr=False)
    ties: RealGraphScores = attrs.field(repr=False)
    cap: int | Param[int] = OUT_OF_NETWORK
    least: float | Param[float] = OUT_OF_NETWORK_LEAST

    def fetch(self, viewer: Viewer) -> Candidates[Account]:
        history, graph = viewer.history, self.ties.graph
        span = graph.span_of(personal_row(viewer), history.now_ms)
        weights = self.ties.weights[span]
        strong = np.where(weights >= setting(viewer, self.least), weights, 0.0)
        rows, scores = without(graph.ends[span], strong, history.follows)
        return others(self.stores, viewer, rows, scores, self.cap)


@attrs.frozen
class MutualFollows(CandidateSource[Viewer, Account]):
    """Mutual follows of the viewer's mutual follows, by the number of connectors.

    Source: FRS: mutual follows are the strongest tie; those among the latest 100 followings and followers of the
    viewer, and 50 of each of them.
    """

    stores: Stores = attrs.field(repr=False)
    cap: int | Param[int] = 200

    def fetch(self, viewer: Viewer) -> Candidates[Account]:
        history, follows = viewer.history, self.stores.follows
        followers = follows.reverse.of(history.row, history.now_ms)[-RECENT_MUTUAL:]
        friends = np.intersect1d(history.follows[-RECENT_MUTUAL:], followers)
        friends = friends[friends != history.row]
        ends, friend = self._mutual(friends, history.now_ms)
        kept = _last_of_each(friend, SECOND_DEGREE)
        rows, scores = without(*tally(ends[kept]), friends)
        return others(self.stores, viewer, rows, scores, self.cap)

    def _mutual(self, rows: np.ndarray, now_ms: int) -> tuple[np.ndarray, np.ndarray]:
        """Whom each row follows, oldest follow first, and is followed by; and for each the index into ``rows``."""
        follows, users = self.stores.follows, len(self.stores.users)
        at, one = follows.expand(rows, before_ms=now_ms)
        back, other = follows.reverse.expand(rows, before_ms=now_ms)
        mutual = np.isin(one * users + follows.ends[at], other * users + follows.reverse.ends[back])
        mutual &= follows.ends[at] != rows[one]
        return follows.ends[at][mutual], one[mutual]


@attrs.frozen
class TriangularLoops(CandidateSource[Viewer, Account]):
    """Followers of the viewer, not followed back, whom somebody follows whom the viewer follows.

    The score is ``1 / max(1, followers + followings)``: small accounts first, for whom a loop says most.

    Source: FRS TriangularLoops, 100 accounts.
    """

    stores: Stores = attrs.field(repr=False)
    cap: int | Param[int] = 100

    def fetch(self, viewer: Viewer) -> Candidates[Account]:
        history, follows = viewer.history, self.stores.follows
        now_ms = history.now_ms
        friends = history.follows[history.follows != history.row]
        at, _ = follows.expand(friends, before_ms=now_ms)
        followers = follows.reverse.of(history.row, now_ms)
        closing = mask_of(follows.ends[at], len(self.stores.users))
        found = followers[closing[followers] & ~history.follow_mask[followers]]
        degrees = follows.degrees(found, now_ms) + follows.reverse.degrees(found, now_ms)
        scores = 1.0 / np.maximum(1, degrees)
        return others(self.stores, viewer, found, scores, self.cap)


def _last_of_each(group: np.ndarray, most: int) -> np.ndarray:
    """Positions of the last ``most`` of each group, given group after group."""
    stops = np.searchsorted(group, group, side="right")
    return np.flatnonzero(stops - np.arange(len(group)) <= most)
