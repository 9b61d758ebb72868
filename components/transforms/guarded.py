"""``FailOpen``: a transform without which an answer is poorer, but no worse."""

from __future__ import annotations

from typing import Any

import attrs

from mixer import Candidates, Transform
from mixer.concurrency import Failure, attempt
from mixer.transforms import Trait, TraitsWrapper


@attrs.frozen
class FailOpen(TraitsWrapper, Transform[Any, Any]):
    """Candidates as they were, and a degraded result, when the inner transform raises or takes too long.

    Args:
        inner: annotates or reorders; what it might drop must not stay when it fails, so it may drop nothing.
        within_s: seconds that it may take; None leaves that to the request's deadline.

    Raises:
        ValueError: the inner transform drops candidates.
    """

    inner: Transform[Any, Any]
    within_s: float | None = None

    def __attrs_post_init__(self) -> None:
        if Trait.DROPS in self.inner.traits:
            raise ValueError(
                f"{self.inner.name}: expected a transform that drops nothing, or a failure would show it"
            )

    async def transform(self, target: Any, candidates: Candidates[Any]) -> Candidates[Any]:
        answer = await attempt(lambda: self.inner.transform(target, candidates), target, self.within_s)
        if not isinstance(answer, Failure):
            return answer
        answer.report(self.name, "candidates as they were")
        return candidates
