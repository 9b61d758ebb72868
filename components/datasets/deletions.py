"""Tables after deletions: without the posts, follows and relations that were taken back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from components.datasets.event_lines import KEYS
from components.datasets.schema import CLOCKS
from components.datasets.table import Table

_ABOUT_POSTS = ("posts", "engagements", "impressions", "labels")


def without(tables: Mapping[str, Table], deletions: Table) -> dict[str, Table]:
    """What is left.

    With a post goes all that is known about it. A follow or relation goes if it is not newer than its deletion, so
    that following again later counts.
    """
    left = dict(tables)
    gone = deletions.where(deletions["of"] == "posts")["post_id"]
    for name in _ABOUT_POSTS:
        if name in left and len(gone):
            left[name] = left[name].where(~np.isin(left[name]["post_id"], gone))
    for name in ("follows", "relations"):
        taken_back = deletions.where(deletions["of"] == name)
        if name in left and len(taken_back):
            left[name] = _kept(left[name], taken_back, KEYS[name], CLOCKS[name])
    return left


def _kept(table: Table, deletions: Table, keys: tuple[str, ...], clock: str) -> Table:
    when = dict(
        zip(
            zip(*(deletions[key].tolist() for key in keys), strict=True),
            deletions["time_ms"].tolist(),
            strict=True,
        )
    )  # in order of time, so that the latest wins
    keep = ~np.isin(table[keys[0]], deletions[keys[0]])
    for row in (~keep).nonzero()[0].tolist():
        key = tuple(int(table[name][row]) for name in keys)
        keep[row] = key not in when or int(table[clock][row]) > when[key]
    return table.where(keep)
