"""A click log in memory, whatever file it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

CLICK = "click"


@attrs.frozen(eq=False)
class Category:
    """One categorical column.

    Shapes: ``codes`` (rows, length) int32, places in ``words``, -1 where a row has no (further) value.
    """

    words: Sequence[str]
    codes: NDArray[np.int32]


@attrs.frozen(eq=False)
class ClickLog:
    """A file as columns: categories, numbers with NaN for missing, labels of 0 and 1."""

    name: str
    categories: Mapping[str, Category]
    numbers: Mapping[str, NDArray[np.float32]]
    labels: NDArray[np.float32]


def labels_of(values: NDArray[np.floating], file: Path, *, first_line: int) -> NDArray[np.float32]:
    """Labels as 0 and 1; -1 counts as 0.

    Raises:
        ValueError: another value, with its line, or no rows at all.
    """
    if not len(values):
        raise ValueError(f"{file}: expected rows, found none")
    wrong = np.flatnonzero(~np.isin(values, (-1.0, 0.0, 1.0)))
    if len(wrong):
        raise ValueError(
            f"{file}:{wrong[0] + first_line}: expected a label of 0, 1 or -1, got {values[wrong[0]]:g}"
        )
    return np.maximum(values, 0.0).astype(np.float32)
