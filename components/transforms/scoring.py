"""Adjustments of a score, each a transform of its own, to be chained in the order in which they were published.

All multiply scores that are not negative, or raise one, and sort again.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from components.scores import rescored
from components.stores.graph import Graph
from components.stores.posts import PostStore
from components.stores.types import Post, Viewer, setting
from components.units import DAY_MS
from mixer import Candidates, Column, Transform, note, tracing
from mixer.params import Param
from mixer.transforms import Trait


class Rescoring(Transform[Any, Post]):
    """Multiplies scores by ``factors`` and sorts again; a traced request sees the factors."""

    traits = Trait.REORDERS | Trait.ANNOTATES

    @abstractmethod
    def factors(self, target: Any, candidates: Candidates[Post]) -> NDArray[np.floating]:
        """``(n,)``, not negative."""

    def transform(self, target: Any, candidates: Candidates[Post]) -> Candidates[Post]:
        if not len(candidates):
            return candidates
        factors = np.asarray(self.factors(target, candidates), np.float64)
        scores = {Post.score: candidates[Post.score] * factors}
        return rescored(self.name, candidates, scores, lambda: {"factor": factors})


@attrs.frozen
class ReplyDiscount(Rescoring):
    """Multiplies scores of replies. Source: home-mixer 2023: 0.75."""

    factor: float | Param[float] = 0.75

    def factors(self, target: Any, candidates: Candidates[Post]) -> NDArray[np.floating]:
        return np.where(candidates[Post.is_reply] > 0, setting(target, self.factor), 1.0)


@attrs.frozen
class NetworkDiscount(Rescoring):
    """Multiplies, once, scores of posts that are out of network, a reply or a repost.

    Source: x-algorithm, August 2026: 0.75, after cold start and author diversity.
    """

    posts: PostStore = attrs.field(repr=False)
    factor: float | Param[float] = 0.75

    def factors(self, target: Any, candidates: Candidates[Post]) -> NDArray[np.floating]:
        repost = self.posts.threads.is_repost[candidates[Post.row]]
        reply = candidates[Post.is_reply] > 0
        discounted = ~candidates[Post.in_network] | reply | repost
        return np.where(discounted, setting(target, self.factor), 1.0)


@attrs.frozen
class AuthorBoost(Rescoring):
    """Multiplies scores of original posts by some authors, more or less for those whom the viewer follows.

    Source: home-mixer 2023: verified authors 4.0 in network and 2.0 out of it, the defaults; creators 1.1 and 1.3.
    """

    posts: PostStore = attrs.field(repr=False)
    authors: NDArray[np.bool_] = attrs.field(repr=False)
    in_network: float | Param[float] = 4.0
    out_of_network: float | Param[float] = 2.0

    def factors(self, target: Any, candidates: Candidates[Post]) -> NDArray[np.floating]:
        rows = candidates[Post.row]
        boosted = self.authors[candidates[Post.author_row]] & self.posts.threads.are_original(rows)
        inside, outside = setting(target, self.in_network), setting(target, self.out_of_network)
        return np.where(boosted, np.where(candidates[Post.in_network], inside, outside), 1.0)


@attrs.frozen
class SourceBoosts(Rescoring):
    """Multiplies a candidate's score by the largest factor among the sources that found it.

    Args:
        factors_of: by name of the source; sources that are not named have 1.

    Source: the educational system weighs in-network 0.8, out-of-network 0.5 and graph 0.6; home-mixer has none.
    """

    factors_of: Mapping[str, float]

    def factors(self, target: Any, candidates: Candidates[Post]) -> NDArray[np.floating]:
        provenance = candidates.provenance
        if provenance is None:
            return np.ones(len(candidates))
        _, ranks = provenance.matrix_of(candidates.handles)
        given = np.array([self.factors_of.get(name, 1.0) for name in provenance.names])
        found = np.where(ranks >= 0, given, 0.0)
        largest = found.max(axis=1, initial=0.0)
        return np.where(largest > 0, largest, 1.0)


@attrs.frozen
class RecencyDecay(Rescoring):
    """Multiplies scores by ``exp(-rate * age in hours)``; a post of unknown age keeps its score.

    No rate is published; the default halves a score in a day.
    """

    rate_per_h: float | Param[float] = float(np.log(2.0) / 24.0)

    def factors(self, target: Any, candidates: Candidates[Post]) -> NDArray[np.floating]:
        age_h = np.nan_to_num(candidates[Post.age_h].astype(np.float64), nan=0.0)
        return np.exp(-setting(target, self.rate_per_h) * np.maximum(age_h, 0.0))


@attrs.frozen
class FeedbackFatigue(Rescoring):
    """What the viewer asked to see less of comes back slowly: first by its author, then by those who liked it.

    A request to see fewer of a user that is ``d`` whole days old multiplies scores of that user's posts by
    ``0.2 + (d - 14) / 35 * 0.2`` until it is 154 days old. Likers count, with the largest of their factors, where the
    viewer is tired of all of them.

    Args:
        feedback: users to the users they want to see fewer of.
        engagers: posts to those who engaged with them.

    Source: home-mixer 2023, of which the factors for followers of a post's author and for reposters are left out. It
    drops posts of authors within the first 14 days; here they keep 0.12 to 0.2.
    """

    feedback: Graph = attrs.field(repr=False)
    engagers: Graph = attrs.field(repr=False)
    lowest: float = 0.2
    steps_days: int = 35
    from_days: int = 14
    until_days: int = 154

    def factors(self, target: Viewer, candidates: Candidates[Post]) -> NDArray[np.floating]:
        history = target.history
        span = self.feedback.span_of(history.row, history.now_ms)
        if span.start == span.stop:
            return np.ones(len(candidates))
        tired = np.full(len(history.stores.users), 1.0)
        days = (history.now_ms - self.feedback.time_ms[span]) // DAY_MS
        # Oldest first: the latest request about a user is the one that stays.
        tired[self.feedback.ends[span]] = self.factor(days)
        at, post = self.engagers.expand(candidates[Post.row], before_ms=history.now_ms)
        likers = np.zeros(len(candidates))
        np.maximum.at(likers, post, tired[self.engagers.ends[at]])
        likers[likers == 0.0] = 1.0
        return tired[candidates[Post.author_row]] * likers

    def factor(self, days: NDArray[np.integer]) -> NDArray[np.float64]:
        """``(n,)`` the factor after so many whole days."""
        young = self.lowest + (days - self.from_days) / self.steps_days * self.lowest
        return np.where(days < self.until_days, young, 1.0)


@attrs.frozen
class ColdStartLift(Transform[Viewer, Post]):
    """Raises the best post by an author with few followers to about the sixteenth place; one post a request.

    Eligible are originals by authors with at most ``followers`` followers that fewer than ``views`` people saw and
    that stand in the first 85 % of the scores above 0. The score becomes at least that of a random place from 15 on
    and below 16 (counted from 0).

    Args:
        posts: where the candidates' rows point.
        views: ``(posts,)`` how many saw each post; the column is read as it is.

    Source: x-algorithm, August 2026, before author diversity.
    """

    posts: PostStore = attrs.field(repr=False)
    views: Column[Any, Any] = Post.views
    followers: int | Param[int] = 1_000
    fewer_views: int | Param[int] = 1_000
    places: tuple[int, int] = (15, 16)
    traits = Trait.REORDERS | Trait.ANNOTATES

    def transform(self, target: Viewer, candidates: Candidates[Post]) -> Candidates[Post]:
        ranked = candidates.sort(Post.score)
        scores = ranked[Post.score].astype(np.float32, copy=True)
        place = int(target.request.rng(self.name).integers(*self.places))
        eligible = np.flatnonzero(self._eligible(target, ranked, scores))
        if not len(eligible) or place >= len(ranked):
            return ranked
        scores[eligible[0]] = max(scores[eligible[0]], scores[place])
        lifted = ranked.with_columns({Post.score: scores}).sort(Post.score)
        if tracing():
            note(self.name, candidates, lifted)
        return lifted

    def _eligible(
        self, target: Viewer, ranked: Candidates[Post], scores: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        rows = ranked[Post.row]
        views = ranked[self.views]
        unseen = (views >= 0) & (views < setting(target, self.fewer_views))
        small = (ranked[Post.author_followers] <= setting(target, self.followers)) & unseen
        early = np.arange(len(ranked)) < 0.85 * np.count_nonzero(scores)
        return small & early & self.posts.threads.are_original(rows)
