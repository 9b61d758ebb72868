"""What a comparison measures, a day and a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from components.evaluation.health import exposure_gini, slate_entropy
from components.simulation.day import SimulatedDay

PER_USER = ("engagements", "retention", "topic_entropy", "follows")
"""Positive actions; 1 for who came; entropy of the topics in the slates, in bits; new follows."""


@attrs.frozen
class Outcomes:
    """What happened, by day and person.

    Args:
        by_user: ``(days, users)`` each of ``PER_USER``; the entropy is NaN for who saw nothing.
        author_gini: ``(days, arms)`` inequality of exposure among all users of the world.
    """

    by_user: Mapping[str, NDArray[np.float64]]
    author_gini: NDArray[np.float64]


def outcomes(days: Sequence[SimulatedDay], arm: NDArray[np.int64], arms: int) -> Outcomes:
    """Measure days.

    Args:
        days: at least one.
        arm: ``(users,)`` the arm of each person.
        arms: how many arms there are.
    """
    rows = [_of_day(day, len(arm)) for day in days]
    ginis = [[_gini(day, arm[day.slates.viewer] == one) for one in range(arms)] for day in days]
    return Outcomes({name: np.stack([row[name] for row in rows]) for name in PER_USER}, np.array(ginis))


def _of_day(day: SimulatedDay, users: int) -> Mapping[str, NDArray[np.float64]]:
    slates, viewer = day.slates, day.slates.viewer
    seen = np.unique(slates.session)
    spread = slate_entropy(slates.session, day.truth.post_topic[slates.post])
    who = day.sessions.viewer[seen]
    entropy, count = np.bincount(who, spread, users), np.bincount(who, minlength=users)
    return {
        "engagements": np.bincount(viewer, day.reaction.engaged, users).astype(np.float64),
        "retention": (np.bincount(day.sessions.viewer, minlength=users) > 0).astype(np.float64),
        "topic_entropy": np.where(count > 0, entropy / np.maximum(count, 1), np.nan),
        "follows": np.bincount(viewer, day.reaction.followed, users).astype(np.float64),
    }


def _gini(day: SimulatedDay, rows: NDArray[np.bool_]) -> float:
    return exposure_gini(day.truth.post_author[day.slates.post[rows]], len(day.truth.user_id))
