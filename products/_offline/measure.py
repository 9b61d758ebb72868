"""Let systems answer logged requests, and measure what they answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from components.evaluation import (
    Bootstrap,
    Interval,
    Judged,
    OfflineResult,
    OfflineRun,
    Report,
    Row,
    Truth,
    judge_lists,
    mean_by_segment,
    ranking_metrics,
    source_recall,
)
from components.stores.types import Viewer
from mixer.flow import BaseFlow
from mixer.params import Params
from products._offline.trial import DEPTH, Case, Lists, Offline, Trial, viewer_of

TOP = 10
"""Results that people look at."""
NEW_USER = 5
"""Viewers with at most so many actions before the request are new."""
MAIN = f"ndcg@{TOP}"
PLANTED = "planted"
"""What was shown, judged by the truth of a world."""


@attrs.frozen
class Settings:
    """How systems are run.

    Args:
        params: caps and limits.
        seed: of every random choice.
        identity: what else a kept answer depends on.
        folder: where answers are kept, so that an interrupted run goes on; None keeps nothing.
    """

    params: Params
    seed: int
    identity: Mapping[str, object]
    folder: Path | None = None


async def measured(
    offline: Offline, trial: Trial, systems: Mapping[str, BaseFlow[Viewer, Any]], settings: Settings
) -> Report:
    """Ranking, retrieval, health and, on a world, planted worth of every system, with intervals by user.

    The first system is ours: its paired differences to the others are rows named ``ours - other``. A user with several
    cases counts once, with their mean, for cases of one user are not independent.
    """
    ours: Any = next(iter(systems.values()))
    answers = {name: await _answers(name, flow, trial.cases, settings) for name, flow in systems.items()}
    lists = {name: {one.user: one.ids for one in answer.served} for name, answer in answers.items()}
    relevant = {case.id: case.relevant for case in trial.cases}
    judged = {name: judge_lists(shown, relevant) for name, shown in lists.items()}
    bootstrap = Bootstrap(seed=settings.seed)
    rows = [
        *_relevance(judged, trial, bootstrap),
        *_segments(judged, trial, bootstrap),
        *_retrieval({name: lists[name] for name in ours.sources.names if name in lists}, relevant, bootstrap),
        *_health(offline, trial, lists, bootstrap),
        *_worth(offline, trial, lists, bootstrap),
        *(Row(name, "ms", Interval(float(np.median(answer.elapsed_ms)))) for name, answer in answers.items()),
    ]
    size = {"users": len({case.user_id for case in trial.cases}), "cases": len(trial.cases)}
    return Report("evaluation", rows, {**size, "protocol": trial.protocol, **attrs.asdict(bootstrap)})


async def _answers(
    name: str, flow: BaseFlow[Viewer, Any], cases: Sequence[Case], settings: Settings
) -> OfflineResult:
    by_id = {case.id: case for case in cases}

    def target(case: int, seed: int) -> Viewer:
        return viewer_of(by_id[case], settings.params, seed)

    async def recommend(viewer: Viewer) -> NDArray[np.int64]:
        return (await flow.process(viewer)).candidates.ids

    config = {**settings.identity, "system": name, "depth": DEPTH}
    run = OfflineRun(recommend, target, config, settings.seed)
    return await run.run(sorted(by_id), settings.folder)


def _by_user(judged: Judged, trial: Trial, depths: Sequence[int]) -> dict[str, NDArray[np.float64]]:
    """Ranking metrics of every user, in ascending order: the mean over the user's cases."""
    user = {case.id: case.user_id for case in trial.cases}
    owners = np.array([user[case] for case in judged.users.tolist()], dtype=np.int64)
    _, owner, counts = np.unique(owners, return_inverse=True, return_counts=True)
    metrics = ranking_metrics(judged, depths)
    return {name: np.bincount(owner, weights=values) / counts for name, values in metrics.items()}


def _relevance(judged: Mapping[str, Judged], trial: Trial, bootstrap: Bootstrap) -> Iterator[Row]:
    values = {name: _by_user(one, trial, (TOP, DEPTH)) for name, one in judged.items()}
    for name, metrics in values.items():
        yield from (Row(name, metric, bootstrap.mean(users)) for metric, users in metrics.items())
    ours, *others = values
    for other in others:
        difference = bootstrap.difference(values[ours][MAIN], values[other][MAIN])
        yield Row(f"{ours} - {other}", MAIN, difference)


def _segments(judged: Mapping[str, Judged], trial: Trial, bootstrap: Bootstrap) -> Iterator[Row]:
    # Who has several cases is as new as at the first.
    history: dict[int, int] = {}
    for case in trial.cases:
        history[case.user_id] = min(case.history, history.get(case.user_id, case.history))
    new = np.array([history[user] <= NEW_USER for user in sorted(history)], dtype=np.bool_)
    for name, one in judged.items():
        values = _by_user(one, trial, (TOP,))[MAIN]
        segments = {"new viewers": new, "other viewers": ~new}
        for segment, interval in mean_by_segment(values, segments, bootstrap).items():
            yield Row(name, MAIN, interval, segment, "" if interval.units else "no such viewer")


def _retrieval(
    sources: Mapping[str, Lists], relevant: Mapping[int, Sequence[int]], bootstrap: Bootstrap
) -> Iterator[Row]:
    names = list(sources)
    if not names:
        return
    found = [
        (user, item, code, rank)
        for code, name in enumerate(names)
        for user, ids in sources[name].items()
        for rank, item in enumerate(ids)
    ]
    user, item, code, rank = np.array(found, dtype=np.int64).reshape(-1, 4).T
    recall = source_recall(user, item, code, rank, Truth.of(relevant), DEPTH)
    for at, source in enumerate(recall.sources.tolist()):
        yield Row(names[source], f"unique@{DEPTH}", bootstrap.mean(recall.unique[:, at]))
    yield Row("all sources", f"recall@{DEPTH}", bootstrap.mean(recall.union))


def _health(
    offline: Offline, trial: Trial, lists: Mapping[str, Lists], bootstrap: Bootstrap
) -> Iterator[Row]:
    for name, shown in lists.items():
        for metric, value in offline.health(trial, _tops(shown)).items():
            interval = Interval(value) if isinstance(value, float) else bootstrap.mean(value)
            yield Row(name, metric, interval)


def _worth(offline: Offline, trial: Trial, lists: Mapping[str, Lists], bootstrap: Bootstrap) -> Iterator[Row]:
    values = {name: offline.worth(trial, _tops(shown)) for name, shown in lists.items()}
    known = {name: worth for name, worth in values.items() if worth is not None}
    for name, worth in known.items():
        yield Row(name, PLANTED, bootstrap.mean(worth))
    ours, *others = known or ("",)
    for other in others:
        yield Row(f"{ours} - {other}", PLANTED, bootstrap.difference(known[ours], known[other]))


def _tops(shown: Lists) -> Lists:
    return {user: ids[:TOP] for user, ids in shown.items()}
