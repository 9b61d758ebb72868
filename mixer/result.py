"""What a flow answers."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from mixer.columns import Candidate

if TYPE_CHECKING:
    from mixer.candidates import Candidates
    from mixer.run import Degradation
    from mixer.trace import Trace

C_co = TypeVar("C_co", bound=Candidate, covariant=True)


class Outcome(Enum):
    """How a request ended. Failures are exceptions, not outcomes."""

    OK = "ok"
    EMPTY = "empty"
    """Everything worked and there was nothing to recommend."""
    DEGRADED = "degraded"
    """An honest answer without the parts that ``degradations`` names; it may be empty."""
    INELIGIBLE = "ineligible"
    """The target may not be recommended to, for ``reasons``; no source was asked."""


@attrs.frozen(slots=False)  # a third faster to make
class RecommendationResult(Generic[C_co]):
    """The answer of a flow.

    Args:
        candidates: what to show, in order.
        outcome: how the request ended.
        trace: counts and timings of every stage; in a traced request also every candidate's story.
        reasons: why the target is ineligible.
        degradations: what failed open, and why.
        cursor: what to send for the next page; None if there is none.
    """

    candidates: Candidates[C_co]
    outcome: Outcome
    trace: Trace
    reasons: tuple[str, ...] = ()
    degradations: tuple[Degradation, ...] = ()
    cursor: str | None = None

    @property
    def request_id(self) -> str:
        """Id of the request that this answers."""
        return self.trace.request_id

    def explain(self, candidate_id: int) -> str:
        """The story of one candidate, shown or not, in words; needs ``DebugOptions(trace=True)``."""
        return self.trace.story(candidate_id).in_words()
