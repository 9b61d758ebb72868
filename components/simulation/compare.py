"""Compare two recommenders over simulated days: people randomised to arms, or lists interleaved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from components.evaluation.bootstrap import Bootstrap, Interval
from components.evaluation.report import Report, Row
from components.simulation.interleaving import team_draft
from components.simulation.outcomes import PER_USER, Outcomes, outcomes
from components.simulation.simulation import Recommender, Served, Simulation

Done = Callable[[int, int], None]
"""Told after each day how many of how many are done."""


async def ab_test(
    simulation: Simulation,
    recommenders: Mapping[str, Recommender],
    days: int,
    bootstrap: Bootstrap | None = None,
    done: Done | None = None,
) -> Report:
    """Give each recommender a random half of the people, and measure every day.

    Args:
        simulation: lives through the days; the seed that decides who gets which is its own.
        recommenders: two by name, the control first.
        days: how many.
        bootstrap: limits by resampling people.
        done: told after each day.

    Returns:
        Rows of either name with segments "all" and "day 1" on: engagements, retention and follows a person and
        day, topic_entropy of slates in bits, author_gini; "all" leaves out the first day's retention, which
        nobody could influence. Rows of "B - A" hold the difference.

    Raises:
        ValueError: not two recommenders, no days, or a slate that cannot be shown.
    """
    names, first = _two(recommenders, days), len(simulation.days)
    arm = _halves(len(simulation.world.truth.user_id), simulation.seed)
    users, both = simulation.world.truth.user_id, list(recommenders.values())

    async def serve(viewer_id: int, now_ms: int, seed: int) -> Served:
        one = int(arm[np.searchsorted(users, viewer_id)])
        ids = await both[one](viewer_id, now_ms, seed)
        return ids, [one] * len(ids)

    await _live(simulation, serve, days, done)
    found = outcomes(simulation.days[first:], arm, 2)
    rows = list(_ab_rows(found, arm, names, bootstrap or Bootstrap()))
    return Report(f"A/B test over {days} simulated days", rows, _settings(simulation, days))


async def interleave(
    simulation: Simulation,
    recommenders: Mapping[str, Recommender],
    days: int,
    bootstrap: Bootstrap | None = None,
    done: Done | None = None,
) -> Report:
    """Show everybody team-draft mixtures of both lists, and count whose posts people act upon.

    Args:
        simulation: lives through the days.
        recommenders: two by name, the control first.
        days: how many.
        bootstrap: limits by resampling people.
        done: told after each day.

    Returns:
        Rows of either name: "credit", positive actions a person and day on what it picked, for all days and each.
        The row of "B - A" with the metric "preference" is the mean over people of (b - a) / (b + a), from -1 to 1.

    Raises:
        ValueError: not two recommenders, no days, or a slate that cannot be shown.
    """
    names, first = _two(recommenders, days), len(simulation.days)
    both, limit = list(recommenders.values()), simulation.behaviour.visits.slate

    async def serve(viewer_id: int, now_ms: int, seed: int) -> Served:
        one, other = [await recommend(viewer_id, now_ms, seed) for recommend in both]
        return team_draft(one, other, limit, np.random.default_rng([seed, 5]))

    await _live(simulation, serve, days, done)
    rows = list(_interleaved_rows(simulation, first, names, bootstrap or Bootstrap()))
    return Report(f"Interleaving over {days} simulated days", rows, _settings(simulation, days))


def _two(recommenders: Mapping[str, Recommender], days: int) -> list[str]:
    if len(recommenders) != 2:
        raise ValueError(f"recommenders: expected two, got {', '.join(recommenders) or 'none'}")
    if days < 1:
        raise ValueError(f"days: expected at least 1, got {days}")
    return list(recommenders)


def _halves(users: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, 6]).permutation(users) % 2


async def _live(simulation: Simulation, serve: Callable, days: int, done: Done | None) -> None:
    for day in range(days):
        await simulation.run_day(serve)
        if done is not None:
            done(day + 1, days)


def _ab_rows(
    found: Outcomes, arm: NDArray[np.int64], names: list[str], bootstrap: Bootstrap
) -> Iterator[Row]:
    for metric in PER_USER:
        daily = found.by_user[metric]
        whole = _over_days(daily[1:] if metric == "retention" and len(daily) > 1 else daily)
        for at, name in enumerate(names):
            yield Row(name, metric, bootstrap.mean(whole[arm == at]))
        yield Row(f"{names[1]} - {names[0]}", metric, _difference(whole, arm, bootstrap))
        for day, values in enumerate(daily, 1):
            for at, name in enumerate(names):
                yield Row(name, metric, bootstrap.mean(values[arm == at]), f"day {day}")
    for at, name in enumerate(names):
        shares = found.author_gini[:, at]
        yield Row(name, "author_gini", Interval(float(_over_days(shares[:, None])[0])))
        for day, value in enumerate(shares.tolist(), 1):
            yield Row(name, "author_gini", Interval(value), f"day {day}")


def _over_days(daily: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(users,)`` mean of the days that are not NaN; NaN where all are."""
    known = ~np.isnan(daily)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, daily, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _difference(values: NDArray[np.float64], arm: NDArray[np.int64], bootstrap: Bootstrap) -> Interval:
    known = ~np.isnan(values)
    kept, team = values[known], arm[known]

    def difference(weight: NDArray[np.float64]) -> float:
        total, count = (np.bincount(team, one, 2) for one in (kept * weight, weight))
        return float(np.subtract(*(total / count)[::-1])) if count.all() else float("nan")

    return bootstrap.statistic(difference, np.arange(len(kept)))


def _interleaved_rows(
    simulation: Simulation, first: int, names: list[str], bootstrap: Bootstrap
) -> Iterator[Row]:
    users = len(simulation.world.truth.user_id)
    days = simulation.days[first:]
    credit = np.zeros((len(days), 2, users))
    for at, day in enumerate(days):
        np.add.at(credit[at], (day.team, day.slates.viewer), day.reaction.engaged)
    for at, name in enumerate(names):
        yield Row(name, "credit", bootstrap.mean(credit[:, at].mean(axis=0)))
        for number, values in enumerate(credit[:, at], 1):
            yield Row(name, "credit", bootstrap.mean(values), f"day {number}")
    control, treatment = credit.sum(axis=0)
    total = control + treatment
    preference = np.where(total > 0, (treatment - control) / np.maximum(total, 1), np.nan)
    yield Row(f"{names[1]} - {names[0]}", "preference", bootstrap.mean(preference))


def _settings(simulation: Simulation, days: int) -> dict[str, str | int | float | bool | None]:
    return {"world": simulation.world.dataset.name, "seed": simulation.seed, "days": days}
