"""What is needed to judge a product: requests whose outcome is known, and systems that answer them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from components.datasets import DataError, Truth
from components.stores.stores import Stores
from components.stores.types import Viewer
from mixer import CandidateSource, Column, DebugOptions, RecommendationFlow, Request, Transform
from mixer.flow import BaseFlow
from mixer.params import Param, Params
from mixer.rankers import KeepOrder, Ranker
from mixer.side_effects import SideEffect
from mixer.transforms import Identity
from products._cli.data import Loaded

DEPTH = 200
"""How many results every system is asked for."""

Changes = Mapping[str, Mapping[Param[Any], object]]
"""Values of parameters, by what they change."""

Lists = Mapping[int, Sequence[int]]
"""Ids shown in each case, best first."""


@attrs.frozen
class Case:
    """One logged request.

    Args:
        user_id: who asks.
        now_ms: when; nothing from then on may be used.
        relevant: ids that the user acted on from then on.
        history: how many actions of the user came before.
        id: tells it from other cases, the user's where each has one.
    """

    user_id: int
    now_ms: int
    relevant: tuple[int, ...]
    history: int
    id: int = attrs.field(default=attrs.Factory(lambda self: self.user_id, takes_self=True))


@attrs.frozen(eq=False)
class Trial:
    """A fair contest.

    Args:
        past: what may be learned from.
        now: what requests are served from, each as of its moment.
        cases: requests, at most one a user except where ``shown`` is to be ranked.
        protocol: how past and future were told apart, in words.
        shown: user id and moment of a request to rows of what the user was shown then, in that order, where only that
            is to be ranked.
    """

    past: Loaded
    now: Loaded
    cases: tuple[Case, ...]
    protocol: str
    shown: Mapping[tuple[int, int], NDArray[np.int64]] = attrs.field(factory=dict)

    @property
    def stores(self) -> Stores:
        """What requests are served from."""
        return self.now.stores

    @property
    def truth(self) -> Truth | None:
        """Of a synthetic world."""
        return self.now.truth


@attrs.frozen
class Offline:
    """How a product is judged.

    Args:
        trial: ``(loaded, users, seed)`` to the contest.
        systems: ``(trial, ours)`` to flows by name: ours first, every source of it alone, baselines.
        ranked: our flow up to the ranker and no further.
        score: the column that the ranker writes.
        health: ``(trial, lists)`` to what is not about relevance: one value a case, or one for all.
        worth: ``(trial, lists)`` to the planted worth of what was shown, one value a case; None without a truth.
        ablations: our flow to what can be changed about it, by name: values of parameters.
    """

    trial: Callable[[Loaded, int, int], Trial]
    systems: Callable[[Trial, Any], Mapping[str, RecommendationFlow[Viewer, Any]]]
    ranked: Callable[[Any], RecommendationFlow[Viewer, Any]]
    score: Column[Any, Any]
    health: Callable[[Trial, Lists], Mapping[str, NDArray[np.float64] | float]]
    worth: Callable[[Trial, Lists], NDArray[np.float64] | None]
    ablations: Callable[[Any], Changes]

    def ablated(self, ours: BaseFlow[Viewer, Any]) -> dict[str, BaseFlow[Viewer, Any]]:
        """Our flow with one thing changed at a time."""
        return {name: ours.map_target(_with(values)) for name, values in self.ablations(ours).items()}


class InOrder:
    """Mixed into a flow: given sources in their own order, behind the flow's gates and filters."""

    only: Sequence[CandidateSource[Viewer, Any]]

    def candidate_sources(self, target: Viewer) -> Sequence[CandidateSource[Viewer, Any]]:
        return self.only

    def hydrate_candidates(self) -> Sequence[Any]:
        return ()

    def select_ranker(self, target: Viewer) -> Ranker[Viewer, Any]:
        return KeepOrder()

    def post_ranker_transform(self) -> Transform[Viewer, Any]:
        return Identity()

    def transform_results(self) -> Transform[Viewer, Any]:
        return Identity()

    def side_effects(self) -> Sequence[SideEffect[Viewer, Any]]:
        return ()

    def quality_factor(self) -> None:
        return None


def _with(values: Mapping[Param[Any], object]) -> Callable[[Viewer], Viewer]:
    def changed(viewer: Viewer) -> Viewer:
        params = viewer.request.params.forcing(values)
        return attrs.evolve(viewer, request=attrs.evolve(viewer.request, params=params))

    return changed


def viewer_of(case: Case, params: Params, seed: int, limit: int | None = DEPTH) -> Viewer:
    """The request of a case; a system under evaluation leaves no trace, and is at rest however slow the machine."""
    request = Request(
        id=f"offline-{case.id}",
        now_ms=case.now_ms,
        seed=seed,
        params=params,
        debug=DebugOptions(skip_side_effects=True, ignore_load=True),
    )
    return Viewer(case.user_id, limit, request=request)


def drawn(users: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """At most ``count`` of some users, in ascending order.

    Raises:
        DataError: there are none.
    """
    if not len(users):
        raise DataError("evaluation", ["expected users who acted in the last part of the data, got none"])
    return np.sort(rng.choice(users, min(count, len(users)), replace=False))
