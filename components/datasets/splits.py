"""Splits by time: learn from the past, calibrate on what came next, test on what came last.

A random split would let a model see what people did after the moment it is asked about; time is the only honest cut.
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

from components.datasets.dataset import Dataset
from components.datasets.errors import DataError
from components.datasets.schema import EVENTS
from components.datasets.table import Table

_ACTORS = {"engagements": "viewer_id", "impressions": "viewer_id", "interactions": "actor_id"}
_ACTIONS = ("engagements", "interactions")


@attrs.frozen(eq=False)
class Period:
    """A stretch of time to be predicted.

    Args:
        begin_ms: its first moment.
        end_ms: the moment after its last.
        known: the data as of ``begin_ms``: all that a prediction may use.
        data: events within the period, among users, posts and follows known before its end.
    """

    begin_ms: int
    end_ms: int
    known: Dataset
    data: Dataset


@attrs.frozen(eq=False)
class Split:
    """Train, calibration and test, one after the other; nothing is in two of them.

    Args:
        train: everything known before calibration begins.
        calibration: what came next.
        test: what came last.
    """

    train: Dataset
    calibration: Period
    test: Period

    def cold_users(self, events: Table, table: str = "engagements") -> NDArray[np.bool_]:
        """``(n,)`` which events are by a user who did nothing in train."""
        actor = _ACTORS[table]
        seen = [self.train[name][_ACTORS[name]] for name in _ACTIONS]
        return ~np.isin(events[actor], np.concatenate(seen))

    def cold_posts(self, events: Table) -> NDArray[np.bool_]:
        """``(n,)`` which events are on a post that nobody engaged with in train."""
        return ~np.isin(events["post_id"], self.train.engagements["post_id"])

    def segments(self, period: Period) -> dict[str, Table]:
        """Engagements of a period, to be judged apart: ``warm``, ``cold users``, ``cold posts``, ``cold both``."""
        events = period.data.engagements
        user, post = self.cold_users(events), self.cold_posts(events)
        return {
            "warm": events.where(~user & ~post),
            "cold users": events.where(user & ~post),
            "cold posts": events.where(~user & post),
            "cold both": events.where(user & post),
        }

    def in_words(self) -> str:
        """Sizes and cold shares, a line each."""
        lines = [f"train: {_count(self.train)} before {_day(self.calibration.begin_ms)}"]
        for name, period in (("calibration", self.calibration), ("test", self.test)):
            parts = self.segments(period)
            cold = ", ".join(f"{len(parts[kind]):,} {kind}" for kind in list(parts)[1:])
            lines.append(f"{name}: {_count(period.data)} before {_day(period.end_ms)}; {cold}")
        return "\n".join(lines)


def split_by_time(data: Dataset, calibration: float = 0.1, test: float = 0.1) -> Split:
    """Cut where the last shares of all actions begin; events of one moment stay together.

    Args:
        data: what to split.
        calibration: share of the actions (engagements and interactions) in the middle part.
        test: share in the last part.

    Raises:
        ValueError: the shares leave nothing to train on.
        DataError: too few distinct moments for three parts.
    """
    if min(calibration, test) <= 0 or calibration + test >= 1:
        raise ValueError(f"expected shares above 0 that sum to less than 1, got {calibration} and {test}")
    times = np.concatenate([data[name]["time_ms"] for name in _ACTIONS])
    if not len(times):
        raise DataError(data.name, ["expected engagements or interactions to split by time, got none"])
    cuts = [int(len(times) * (1 - calibration - test)), int(len(times) * (1 - test))]
    first, second = np.partition(times, cuts)[cuts].tolist()
    if not times.min() < first < second:
        raise DataError(data.name, ["expected three distinct stretches of time: too few distinct moments"])
    return split_at(data, first, second)


def split_at(data: Dataset, calibration_ms: int, test_ms: int) -> Split:
    """Cut at two moments: train before the first, calibrate up to the second, test on the rest.

    Raises:
        ValueError: the moments are out of order, or not before the end of the data.
    """
    if not calibration_ms < test_ms < data.now_ms:
        raise ValueError(
            f"expected calibration_ms < test_ms < {data.now_ms}, got {calibration_ms}, {test_ms}"
        )
    train = data.as_of(calibration_ms)
    middle = Period(calibration_ms, test_ms, train, data.during(calibration_ms, test_ms))
    last = Period(test_ms, data.now_ms, data.as_of(test_ms), data.during(test_ms, data.now_ms))
    return Split(train, middle, last)


def _count(data: Dataset) -> str:
    return ", ".join(f"{len(data[name]):,} {name}" for name in EVENTS if len(data[name])) or "nothing"


def _day(time_ms: int) -> str:
    return f"{np.datetime64(time_ms, 'ms').astype('datetime64[m]')}Z"
