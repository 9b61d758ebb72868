"""Named parts of the users or rows, and metrics within each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.evaluation import _checks
from components.evaluation.bootstrap import Bootstrap, Interval
from components.evaluation.errors import InvalidInputError

__all__ = ["Segments", "by_source", "cold_posts", "mean_by_segment", "new_users", "statistic_by_segment"]

Segments = Mapping[str, NDArray[np.bool_]]


def new_users(history_count: ArrayLike, at_most: int) -> Segments:
    """Splits users into those with at most so many past actions and the rest; masks (U,)."""
    return _split(history_count, at_most, "history_count", "new users", "other users")


def cold_posts(impression_count: ArrayLike, at_most: int) -> Segments:
    """Splits rows into posts shown at most so often before and the rest; masks (n,)."""
    return _split(impression_count, at_most, "impression_count", "cold posts", "other posts")


def by_source(source: ArrayLike, names: Mapping[int, str]) -> Segments:
    """One segment a source; masks (n,).

    Raises:
        InvalidInputError: a row has a source without a name.
    """
    codes = _checks.ids(source, "source")
    unknown = np.setdiff1d(codes, np.fromiter(names, np.int64))
    if len(unknown):
        raise InvalidInputError(f"source: expected one of {sorted(names)}, got {unknown[0]}")
    return {name: codes == code for code, name in names.items()}


def mean_by_segment(
    values: ArrayLike, segments: Segments, bootstrap: Bootstrap | None = None
) -> dict[str, Interval]:
    """Mean of one value a user, shape (U,), within each segment; NaN users are left out."""
    values = _checks.values_or_nan(values, "values")
    bootstrap = bootstrap or Bootstrap()
    return {name: bootstrap.mean(values[mask]) for name, mask in _checked(segments, len(values))}


def statistic_by_segment(
    statistic: Callable[[NDArray[np.float64]], float],
    user: ArrayLike,
    segments: Segments,
    bootstrap: Bootstrap | None = None,
) -> dict[str, Interval]:
    """A statistic of row weights (see `Bootstrap.statistic`) within each segment of rows, masks (n,)."""
    users = _checks.ids(user, "user")
    bootstrap = bootstrap or Bootstrap()

    def within(mask: NDArray[np.bool_]) -> Interval:
        rows = np.flatnonzero(mask)

        def weigh(weight: NDArray[np.float64]) -> float:
            everywhere = np.zeros(len(mask))
            everywhere[rows] = weight
            return statistic(everywhere)

        return bootstrap.statistic(weigh, users[rows])

    return {name: within(mask) for name, mask in _checked(segments, len(users))}


def _split(count: ArrayLike, at_most: int, name: str, few: str, many: str) -> Segments:
    mask = _checks.not_negative(count, name) <= _checks.at_least(at_most, 0, "at_most")
    return {few: mask, many: ~mask}


def _checked(segments: Segments, rows: int) -> list[tuple[str, NDArray[np.bool_]]]:
    masks = [(name, _checks.flags(mask, f"segment {name!r}")) for name, mask in segments.items()]
    for name, mask in masks:
        if len(mask) != rows:
            raise InvalidInputError(f"segment {name!r}: expected a mask of length {rows}, got {len(mask)}")
    return masks
