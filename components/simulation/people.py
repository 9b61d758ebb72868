"""Simulated people: what they like now, what they are tired of, and how they react to slates."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from components.datasets.schema import Action
from components.datasets.truth import POSITION_DECAY, dwell_s, interest, rates
from components.datasets.world import World
from components.simulation.behaviour import Behaviour
from components.simulation.tally import Tally
from components.stores.tally import earlier_equal

NEGATIVE = (Action.NEGATIVE_FEEDBACK_V2, Action.REPORT)
POSITIVE = np.array([action not in NEGATIVE for action in Action])


@attrs.frozen
class Slates:
    """Posts as shown, slate after slate and best first; all ``(n,)``.

    Args:
        session: number of the slate, ascending.
        viewer: row of who sees it.
        post: row of the post.
        position: 0-based place.
        time_ms: when.
    """

    session: NDArray[np.int64]
    viewer: NDArray[np.int64]
    post: NDArray[np.int64]
    position: NDArray[np.int64]
    time_ms: NDArray[np.int64]


@attrs.frozen
class Reaction:
    """What people did with slates.

    Args:
        examined: ``(n,)`` who looked at it at all.
        acted: ``(n, 10)`` actions.
        followed: ``(n,)`` whether the viewer began to follow the author.
        dwell_s: ``(n,)`` seconds spent, 0 if not looked at.
    """

    examined: NDArray[np.bool_]
    acted: NDArray[np.bool_]
    followed: NDArray[np.bool_]
    dwell_s: NDArray[np.float64]

    @property
    def engaged(self) -> NDArray[np.int64]:
        """``(n,)`` how many positive actions."""
        return self.acted[:, POSITIVE].sum(axis=1, dtype=np.int64)


class People:
    """The state of everybody; rows are those of the world's truth.

    Args:
        world: who there is; it stays as it is.
        behaviour: how they behave.
        start_ms: follows from then on have not happened yet.
    """

    def __init__(self, world: World, behaviour: Behaviour, start_ms: int) -> None:
        truth = world.truth
        self.truth, self.behaviour = truth, behaviour
        self.taste = truth.preference.astype(np.float64)
        self.tired = np.zeros_like(self.taste)
        self.tired_of = Tally()
        self.seen = Tally()
        self.pleased = np.full(len(self.taste), 0.5)
        follows = world.dataset.follows.where(world.dataset.follows["created_ms"] < start_ms)
        ends = (np.searchsorted(truth.user_id, follows[name]) for name in ("follower_id", "followee_id"))
        self.follows = Tally(self._pair(*ends))

    def _pair(self, viewer: NDArray[np.int64], author: NDArray[np.int64]) -> NDArray[np.int64]:
        return viewer.astype(np.int64) * len(self.truth.user_id) + author

    def _sight(self, slates: Slates) -> NDArray[np.int64]:
        return slates.viewer * len(self.truth.post_id) + slates.post

    def seen_by(self, viewer: int) -> NDArray[np.int64]:
        """Rows of the posts that a viewer (a row) has looked at."""
        posts = len(self.truth.post_id)
        return self.seen.between(viewer * posts, (viewer + 1) * posts) - viewer * posts

    def coming(self, rng: np.random.Generator) -> NDArray[np.bool_]:
        """``(users,)`` who comes today."""
        visits = self.behaviour.visits
        chance = visits.least + (visits.most - visits.least) * self.pleased
        return rng.random(len(chance)) < chance

    def affinity(self, slates: Slates) -> NDArray[np.float64]:
        """``(n,)`` the planted affinity under today's taste and fatigue; repetition within the slate counts."""
        truth, fatigue = self.truth, self.behaviour.fatigue
        topic, author = truth.post_topic[slates.post], truth.post_author[slates.post]
        liking = self.taste[slates.viewer, topic] * truth.author_quality[author]
        topics = self.tired[slates.viewer, topic] + earlier_equal(
            slates.session * self.taste.shape[1] + topic
        )
        authors = self.tired_of.of(self._pair(slates.viewer, author)) + earlier_equal(
            self._pair(slates.session, author)
        )
        return (
            liking
            * truth.post_quality[slates.post]
            * np.exp(-fatigue.topic * topics - fatigue.author * authors)
        )

    def react(self, slates: Slates, rng: np.random.Generator) -> Reaction:
        """React to slates that are shown at about the same time, and be changed by them."""
        count, truth = len(slates.post), self.truth
        gate = interest(self.affinity(slates))
        examined = rng.random(count) < POSITION_DECAY**slates.position
        new = self.seen.of(self._sight(slates)) == 0  # nobody acts upon a post again
        chance = rates(gate, truth.is_video[slates.post])
        acted = (rng.random(chance.shape) < chance) & (examined & new)[:, None]
        dwell = np.where(examined, dwell_s(gate, rng), 0.0)
        follows = acted[:, Action.FAV] & (rng.random(count) < self.behaviour.change.follow)
        reaction = Reaction(examined, acted, self._new_follows(slates, follows), dwell)
        self._change(slates, reaction)
        return reaction

    def _new_follows(self, slates: Slates, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        pair = self._pair(slates.viewer, self.truth.post_author[slates.post])
        rows = (wanted & (self.follows.of(pair) == 0)).nonzero()[0]
        _, first = np.unique(pair[rows], return_index=True)
        followed = np.zeros(len(wanted), np.bool_)
        followed[rows[first]] = True
        return followed

    def _change(self, slates: Slates, reaction: Reaction) -> None:
        truth = self.truth
        topic, author = truth.post_topic[slates.post], truth.post_author[slates.post]
        pair = self._pair(slates.viewer, author)
        looked = reaction.examined
        self.follows.add(pair[reaction.followed])
        self.seen.add(np.unique(self._sight(slates)[looked]))
        self.tired_of.add(pair[looked])
        np.add.at(self.tired, (slates.viewer[looked], topic[looked]), 1.0)
        liked = reaction.acted[:, Action.FAV]
        np.add.at(self.taste, (slates.viewer[liked], topic[liked]), self.behaviour.change.drift)
        changed = np.unique(slates.viewer[liked])
        self.taste[changed] /= self.taste[changed].sum(axis=1, keepdims=True)

    def please(self, viewer: NDArray[np.int64], engaged: NDArray[np.float64]) -> None:
        """Remember how good a session of each viewer was: 1 - exp(-positive actions), 0 for an empty slate."""
        memory = self.behaviour.visits.memory
        self.pleased[viewer] = memory * self.pleased[viewer] + (1 - memory) * (1 - np.exp(-engaged))

    def sleep(self) -> None:
        """A night: part of the fatigue goes."""
        self.tired *= self.behaviour.fatigue.left
        self.tired_of.fade(self.behaviour.fatigue.left)
