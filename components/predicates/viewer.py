"""What a viewer should not be shown, row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import attrs
import numpy as np
from numpy.typing import NDArray

from components.stores.impressions import ImpressionStore
from components.stores.types import Post, Viewer, setting
from components.units import HOUR_MS
from mixer import Candidate, CandidatePredicate, Candidates, Column, PredicateResult, Verdicts, predicate
from mixer.params import Param
from mixer.provenance import found_first_by


@predicate(reason="unknown_user")
def known_user(viewer: Viewer) -> PredicateResult | bool:
    """Is there such a user?"""
    return viewer.history.row >= 0


@attrs.frozen
class NotIn(CandidatePredicate[Viewer, Any]):
    """Keeps candidates whose row is not marked in what is known about the viewer.

    Args:
        key: the column that holds a row.
        mask: marks rows, given the viewer's history; asked once a request.
        reason: why a candidate goes.

    Cost: one gather.
    """

    key: Column[Any, Any]
    mask: Callable[[Any], NDArray[np.bool_]] = attrs.field(repr=False)
    reason: str

    @property
    def name(self) -> str:
        return f"not_{self.reason}"

    def check(self, viewer: Viewer, candidates: Candidates[Any]) -> Verdicts:
        return Verdicts.keep_where(~self.mask(viewer.history)[candidates[self.key]], self.reason)


@attrs.frozen
class MaxAge(CandidatePredicate[Viewer, Post]):
    """Keeps posts that are not older than a limit, nor from the future.

    Args:
        max_age_h: the limit.
        of_source: other limits, for what these sources found first.

    Source: x-algorithm's age filter, 48 hours.
    """

    max_age_h: float | Param[float] = 48.0
    of_source: Mapping[str, float | Param[float]] = attrs.field(factory=dict[str, "float | Param[float]"])
    reason: ClassVar[str] = "too_old"

    def check(self, viewer: Viewer, posts: Candidates[Post]) -> Verdicts:
        age_h = (viewer.history.now_ms - posts[Post.created_ms]) / HOUR_MS
        limits = np.full(len(posts), setting(viewer, self.max_age_h), np.float64)
        for name, limit in self.of_source.items():
            limits[found_first_by(posts, (name,))] = setting(viewer, limit)
        return Verdicts.keep_where((age_h >= 0) & (age_h <= limits), self.reason)


@attrs.frozen
class NotSeen(CandidatePredicate[Viewer, Candidate]):
    """Keeps what the viewer has not been shown within the store's time to live."""

    impressions: ImpressionStore
    reason: ClassVar[str] = "already_seen"

    def check(self, viewer: Viewer, candidates: Candidates[Candidate]) -> Verdicts:
        shown = self.impressions.shown(viewer.user_id, viewer.request.now_ms)
        return Verdicts.keep_where(~np.isin(candidates.ids, shown), self.reason)
