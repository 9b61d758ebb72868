"""``SimulatedDay``: what happened on a day, as tables of a data set and as records of an event log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from components.datasets.schema import CLOCKS
from components.datasets.table import Table
from components.datasets.truth import POSITION_DECAY, Truth
from components.simulation.people import Reaction, Slates


@attrs.frozen
class Sessions:
    """Visits of a day, in order of time; all ``(s,)``.

    Args:
        viewer: row of who came.
        time_ms: when.
        shown: how many posts the slate held.
    """

    viewer: NDArray[np.int64]
    time_ms: NDArray[np.int64]
    shown: NDArray[np.int64]


@attrs.frozen
class SimulatedDay:
    """What happened on a day.

    Args:
        number: from 0.
        sessions: who came when.
        slates: what they saw; ``session`` is a row of ``sessions``.
        reaction: what they did with it.
        team: ``(n,)`` which recommender each row of the slates came from.
        truth: whose rows these are.
    """

    number: int
    sessions: Sessions
    slates: Slates
    reaction: Reaction
    team: NDArray[np.int64]
    truth: Truth

    def tables(self) -> Mapping[str, Table]:
        """Impressions, engagements and follows under the schema of data sets, each in order of time."""
        slates, truth = self.slates, self.truth
        viewer, post = truth.user_id[slates.viewer], truth.post_id[slates.post]
        row, action = self.reaction.acted.nonzero()
        new = self.reaction.followed
        return {
            "impressions": Table(
                {
                    "viewer_id": viewer,
                    "post_id": post,
                    "time_ms": slates.time_ms,
                    "position": slates.position.astype(np.int32),
                    "propensity": (POSITION_DECAY**slates.position).astype(np.float32),
                }
            ).sort_by("time_ms"),
            "engagements": Table(
                {
                    "viewer_id": viewer[row],
                    "post_id": post[row],
                    "action": action.astype(np.int8),
                    "time_ms": slates.time_ms[row],
                    "dwell_s": self.reaction.dwell_s[row].astype(np.float32),
                }
            ).sort_by("time_ms"),
            "follows": Table(
                {
                    "follower_id": viewer[new],
                    "followee_id": truth.user_id[truth.post_author[slates.post[new]]],
                    "created_ms": slates.time_ms[new],
                }
            ).sort_by("created_ms"),
        }

    def records(self) -> Iterator[Mapping[str, Any]]:
        """The same as records of an event log, in order of time."""
        rows: list[tuple[int, Mapping[str, Any]]] = []
        for name, table in self.tables().items():
            columns = {column: table[column].tolist() for column in table}
            for values in zip(*columns.values(), strict=True):
                record = dict(zip(columns, values, strict=True))
                rows.append((record[CLOCKS[name]], {"table": name, **record}))
        for _, record in sorted(rows, key=lambda row: row[0]):
            yield record
