"""Filter-and-take: validate ranked candidates batch by batch, lazily, until there are enough.

Source: FRS ``Predicate.batchFilterTake``, including its corners: the whole of the last batch is checked, asking
for none still checks one batch, and running out of candidates is no error. New: a bound on batches, and batches
that grow with the pass rate seen so far.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs
import numpy as np

from mixer.columns import Candidate
from mixer.concurrency import time_limit
from mixer.errors import ConfigurationError, ContractError
from mixer.target import Target
from mixer.verdicts import Verdicts

if TYPE_CHECKING:
    from mixer.candidate_predicates import CandidatePredicate
    from mixer.candidates import Candidates

T = TypeVar("T")
C = TypeVar("C", bound=Candidate)


@attrs.frozen
class ResultsConfig:
    """How many results are wanted and how they are validated.

    Args:
        desired: how many valid candidates to return.
        batch_size: how many candidates to validate at once; ``desired`` if None.
        max_batches: stop after so many batches, even if results are short; None for no bound.
        overfetch: let a batch grow to what the pass rate seen so far in this request says is still needed.

    Raises:
        ConfigurationError: a negative ``desired``, or a batch size or bound below 1.
    """

    desired: int
    batch_size: int | None = None
    max_batches: int | None = None
    overfetch: bool = False

    def __attrs_post_init__(self) -> None:
        bounds = (
            ("desired", self.desired, 0),
            ("batch_size", self.batch_size, 1),
            ("max_batches", self.max_batches, 1),
        )
        problems = [
            f"{name}: expected at least {least}, got {value}"
            for name, value, least in bounds
            if value is not None and value < least
        ]
        if problems:
            raise ConfigurationError("results config", problems)


@attrs.frozen
class Taken(Generic[C]):
    """The outcome of filter-and-take.

    Args:
        kept: the valid candidates, at most as many as desired, in order.
        examined: how many candidates were validated; the rest was never looked at.
        verdicts: verdicts on the first ``examined`` candidates.
        batches: how many batches that took.
        timed_out: validation was cut short by the request's deadline.
    """

    kept: Candidates[C]
    examined: int
    verdicts: Verdicts
    batches: int
    timed_out: bool = False


async def batch_filter_take(
    target: T,
    candidates: Candidates[C],
    predicate: CandidatePredicate[T, C],
    config: ResultsConfig,
    within_s: float | None = None,
) -> Taken[C]:
    """Validate consecutive batches until ``config.desired`` candidates passed, or none are left.

    An exception of the predicate in any batch is raised and discards earlier survivors. When the deadline or
    ``within_s`` strikes, what has passed so far is kept: never a candidate that was not validated.
    """
    progress = _Progress(target, candidates, predicate, config)
    timed_out = False
    if within_s is None and not (isinstance(target, Target) and target.request.deadline is not None):
        await progress.run()
    else:
        with time_limit(target, within_s) as scope:
            await progress.run()
        timed_out = scope.cancelled_caught
    parts = progress.parts
    verdicts = parts[0] if len(parts) == 1 else _joined(parts)
    survivors = verdicts.keep.nonzero()[0][: config.desired]
    return Taken(candidates.pick(survivors), progress.start, verdicts, len(parts), timed_out)


class _Progress(Generic[T, C]):
    """How far validation has come; survives the time limit around it."""

    def __init__(
        self, target: T, candidates: Candidates[C], predicate: CandidatePredicate[T, C], config: ResultsConfig
    ) -> None:
        self.target = target
        self.candidates = candidates
        self.predicate = predicate
        self.config = config
        self.parts: list[Verdicts] = []
        self.start = 0

    async def run(self) -> None:
        total, need, passed = len(self.candidates), self.config.desired, 0
        size = self.config.batch_size or max(need, 1)
        while self.start < total and self.config.max_batches != len(self.parts):
            step = size
            if self.config.overfetch and self.start:
                step = max(size, math.ceil((need - passed) * (self.start + 1) / (passed + 1)))
            batch = self.candidates.slice(self.start, self.start + step)
            answer = self.predicate.check(self.target, batch)
            verdicts = answer if isinstance(answer, Verdicts) else await answer
            check_length(self.predicate, verdicts, batch)
            self.parts.append(verdicts)
            self.start += len(batch)
            passed += int(np.count_nonzero(verdicts.keep))
            if passed >= need:
                return


def check_length(
    predicate: CandidatePredicate[Any, Any], verdicts: Verdicts, candidates: Candidates[Any]
) -> None:
    """Raise ContractError unless there is one verdict a row."""
    if len(verdicts.keep) != len(candidates):
        raise ContractError(
            predicate.name, f"{len(candidates)} verdicts, one a candidate", str(len(verdicts))
        )


def _joined(parts: list[Verdicts]) -> Verdicts:
    keep = np.concatenate([part.keep for part in parts]) if parts else np.zeros(0, dtype=np.bool_)
    spread: list[Verdicts] = []
    start = 0
    for part in parts:
        where = np.zeros(len(keep), dtype=np.bool_)
        where[start : start + len(part)] = True
        spread.append(part.scattered(len(keep), where))
        start += len(part)
    return Verdicts.united(keep, spread)
