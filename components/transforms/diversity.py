"""Spread authors and discount strangers: factors on a score, after which the list is sorted again."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from components.stores.types import Post, setting
from mixer import Candidates, Column, Transform
from mixer.params import Param
from mixer.transforms import Trait

_RESCORES = Trait.REORDERS | Trait.ANNOTATES


@attrs.frozen
class AuthorDiversity(Transform[Any, Any]):
    """Multiplies each score by ``(1 - floor) * decay**k + floor``, k being how many by the same author rank higher.

    Needs distinct candidates with scores of at least 0.

    Source: For You: decay 0.5, floor 0.25, so 1, .625, .4375, .34375, ...
    """

    author: Column[Any, Any]
    score: Column[Any, Any]
    decay: float | Param[float] = 0.5
    floor: float | Param[float] = 0.25
    traits = _RESCORES

    def transform(self, target: Any, candidates: Candidates[Any]) -> Candidates[Any]:
        ranked = candidates.sort(self.score)
        before = earlier_equal(ranked[self.author])
        floor = setting(target, self.floor)
        factor = (1.0 - floor) * setting(target, self.decay) ** before + floor
        return ranked.with_columns({self.score: (ranked[self.score] * factor).astype(np.float32)}).sort(
            self.score
        )


@attrs.frozen
class OutOfNetworkDiscount(Transform[Any, Post]):
    """Multiplies scores of posts by authors whom the viewer does not follow.

    Source: For You, after author diversity: 0.75.
    """

    factor: float | Param[float] = 0.75
    traits = _RESCORES

    def transform(self, target: Any, candidates: Candidates[Post]) -> Candidates[Post]:
        factor = np.where(candidates[Post.in_network], 1.0, setting(target, self.factor))
        scores = (candidates[Post.score] * factor).astype(np.float32)
        return candidates.with_columns({Post.score: scores}).sort(Post.score)


def earlier_equal(values: NDArray[Any]) -> NDArray[np.int64]:
    """``(n,)`` how many earlier positions hold the same value.

    >>> earlier_equal(np.array([7, 8, 7, 7])).tolist()
    [0, 0, 1, 2]
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    at = np.arange(len(values))
    begins = np.ones(len(values), dtype=np.bool_)
    begins[1:] = ordered[1:] != ordered[:-1]
    counts = np.empty(len(values), dtype=np.int64)
    counts[order] = at - np.maximum.accumulate(np.where(begins, at, 0))
    return counts
