"""Slates of the synthetic world: what a viewer is shown when looking, and references among posts."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray

SLATE = 12
"""Posts that a session shows, before those are left out that the viewer wrote or has seen."""
DELAY_MS, DELAY_SIGMA = 2 * 3_600_000, 1.0
"""Posts are shown about two hours after they were posted: lognormal, as published."""
FRESH_MS = 48 * 3_600_000
"""How old the latest post of somebody followed may be."""

Rows = NDArray[np.int64]


@attrs.frozen(eq=False)
class Shelf:
    """Posts of many groups (topics, authors), each in order of time; posts are numbered in order of time.

    Args:
        order: ``(posts,)`` posts by group, then time.
        keys: ``(posts,)`` group and time of each in one ascending number.
        span: what a group is multiplied by in a key.
    """

    order: Rows
    keys: Rows
    span: int

    @classmethod
    def of(cls, group: Rows, time: Rows) -> Shelf:
        """A shelf of posts with times of at least 0."""
        span = int(time.max(initial=0)) + 2
        keys = group * span + time
        order = np.argsort(keys, kind="stable")
        return cls(order, keys[order], span)

    def latest(self, group: Rows, until: Rows) -> Rows:
        """``(n,)`` the latest post of each group up to a moment; -1 if there is none."""
        at = (
            np.searchsorted(self.keys, group * self.span + np.clip(until, -1, self.span - 2), side="right")
            - 1
        )
        found = (at >= 0) & (self.keys[at] // self.span == group)
        return np.where(found, self.order[at], -1)

    def before(self, post: Rows, steps: Rows) -> Rows:
        """``(n,)`` the post so many places before another in its group; -1 if there is none."""
        place = np.empty(len(self.order), dtype=np.int64)
        place[self.order] = np.arange(len(self.order))
        at = place[post] - steps
        same = (at >= 0) & (self.keys[at] // self.span == self.keys[place[post]] // self.span)
        return np.where(same, self.order[at], -1)


@attrs.frozen(eq=False)
class Shown:
    """Impressions in order of time; those of one viewer at one moment are a slate, at positions 0, 1, ..."""

    viewer: Rows
    post: Rows
    time_ms: Rows
    position: Rows

    @classmethod
    def of(cls, viewer: Rows, post: Rows, time_ms: Rows, posts: int) -> Shown:
        """Slates in which nobody is shown a post twice: the first time counts."""
        first = np.lexsort((time_ms, viewer * posts + post))
        pair = (viewer * posts + post)[first]
        first = first[np.concatenate([[True], pair[1:] != pair[:-1]])] if len(first) else first
        order = first[np.lexsort((first, viewer[first], time_ms[first]))]
        viewer, post, time_ms = viewer[order], post[order], time_ms[order]
        changed = (viewer[1:] != viewer[:-1]) | (time_ms[1:] != time_ms[:-1])
        begins = np.concatenate([[0], np.flatnonzero(changed) + 1]) if len(viewer) else np.zeros(0, np.int64)
        lengths = np.diff(np.append(begins, len(viewer)))
        return cls(viewer, post, time_ms, np.arange(len(viewer)) - np.repeat(begins, lengths))


def delays_ms(count: int, rng: np.random.Generator) -> Rows:
    """``(n,)`` how long before the session what it shows was posted."""
    return rng.lognormal(np.log(DELAY_MS), DELAY_SIGMA, count).astype(np.int64)
