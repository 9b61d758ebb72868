"""Prompts: one line at the head of the home timeline that helps a viewer on. A third flow, small as can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import numpy as np

from components.predicates.viewer import NotSeen, known_user
from components.side_effects.impressions import RecordImpressions
from components.stores.impressions import ImpressionStore
from components.stores.stores import Stores
from components.stores.types import Viewer
from mixer import (
    Candidate,
    CandidatePredicate,
    Candidates,
    CandidateSource,
    Predicate,
    Ranker,
    RecommendationFlow,
    ResultsConfig,
    SideEffect,
    column,
)
from mixer.rankers import KeepOrder
from products.for_you import params


class Prompt(Candidate):
    """A line of text."""

    kind = column(str, doc="what it is about, for the client")
    text = column(str, doc="what it says")


@attrs.frozen
class Occasion:
    """When a prompt helps.

    Args:
        kind: what it is about.
        text: what it says.
        fits: does it help this viewer?
    """

    kind: str
    text: str
    fits: Callable[[Viewer], bool]


OCCASIONS = (
    Occasion(
        "not_personalised",
        "This timeline ignores what you do. You can switch that back on.",
        lambda viewer: not viewer.controls.personalised,
    ),
    Occasion(
        "follow_people",
        "Follow a few people: a timeline begins with what they post.",
        lambda viewer: len(viewer.history.follows) < viewer.request.params[params.PROMPT_FOLLOWS],
    ),
    Occasion(
        "like_posts",
        "Like what you like: that is how this timeline learns.",
        lambda viewer: not len(viewer.history.engaged),
    ),
)
"""The most helpful first."""


class Occasions(CandidateSource[Viewer, Prompt]):
    """The prompts that fit."""

    def fetch(self, viewer: Viewer) -> Candidates[Prompt]:
        at = [index for index, one in enumerate(OCCASIONS) if one.fits(viewer)]
        columns = {
            Prompt.id: np.array(at, np.int64) + 1,
            Prompt.kind: np.array([OCCASIONS[index].kind for index in at], object),
            Prompt.text: np.array([OCCASIONS[index].text for index in at], object),
        }
        return Candidates(Prompt, columns)


class Prompts(RecommendationFlow[Viewer, Prompt]):
    """At most one prompt, and none twice within a week.

    Source: home-mixer shows a prompt at the head of the first page; which, a service decides that is not published.
    """

    label = "prompts"

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.shown = ImpressionStore(ttl_s=7 * 86_400.0)

    def update_target(self, target: Viewer) -> Viewer:
        return attrs.evolve(target, known=self.stores.history(target.user_id, target.request.now_ms))

    def target_eligibility(self) -> Predicate[Viewer]:
        return known_user

    def candidate_sources(self, target: Viewer) -> Sequence[CandidateSource[Viewer, Prompt]]:
        return (Occasions(),)

    def pre_ranker_filter(self) -> CandidatePredicate[Viewer, Prompt]:
        return NotSeen(self.shown)

    def select_ranker(self, target: Viewer) -> Ranker[Viewer, Prompt]:
        return KeepOrder()

    def results_config(self, target: Viewer) -> ResultsConfig:
        return ResultsConfig(1)

    def side_effects(self) -> Sequence[SideEffect[Viewer, Prompt]]:
        return (RecordImpressions((self.shown,)),)
