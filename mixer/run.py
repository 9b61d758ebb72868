"""The record of one request while it runs.

Components never see it: wrappers report to it through :func:`degrade` and :func:`note`, which find the current
run in a context variable and do nothing outside of one.
"""

from __future__ import annotations

from contextvars import ContextVar
from enum import Enum
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import NDArray

    from mixer.candidates import Candidates
    from mixer.verdicts import Verdicts


class Cause(Enum):
    """Why a part of an answer is missing."""

    TIMEOUT = "timeout"
    ERROR = "error"


@attrs.frozen
class Degradation:
    """One part that failed and what was answered instead.

    Args:
        component: name of the part.
        cause: why it failed.
        effect: what the answer had to do without, in words.
        error: class name of the exception; empty for time-outs.
    """

    component: str
    cause: Cause
    effect: str
    error: str = ""

    def __str__(self) -> str:
        detail = f" ({self.error})" if self.error else ""
        return f"{self.component}: {self.cause.value}{detail}, {self.effect}"


@attrs.frozen
class Step:
    """One component's passage in the ledger; batches are immutable, so a step only refers to them."""

    component: str
    before: Candidates[Any]
    after: Candidates[Any]
    verdicts: Verdicts | None = None
    terms: Mapping[str, NDArray[Any]] | None = None


class FilterSummary(NamedTuple):
    """What a filter did: rows kept and dropped, and how many rows each reason spoke against."""

    kept: int
    dropped: int
    reasons: Mapping[str, int]


_NOTHING_FILTERED = FilterSummary(0, 0, {})


class Run:
    """What happened so far in one request: timestamps and counts, and what wrappers reported."""

    __slots__ = (
        "additional",
        "batches",
        "captured",
        "counts",
        "degradations",
        "filtered",
        "marks",
        "observed",
        "stage",
        "steps",
        "tracing",
        "validated",
    )

    def __init__(self, *, tracing: bool, capturing: bool) -> None:
        self.tracing = tracing
        self.captured: dict[str, Any] | None = {"hydrated": {}} if capturing else None
        self.marks = [perf_counter_ns()]  # the begin, then the end of every stage
        self.counts: list[int] = []  # candidates after every stage
        self.additional = 0
        self.batches = 0
        self.filtered = self.validated = _NOTHING_FILTERED
        self.degradations: list[Degradation] = []
        self.observed: list[
            tuple[str, int, int, int, str]
        ] = []  # scope, start ns, end ns, rows or -1, failure
        self.steps: list[tuple[str, Step]] = []  # stage, step
        self.stage = ""

    def done(self, count: int) -> None:
        """The current stage has ended with so many candidates."""
        self.marks.append(perf_counter_ns())
        self.counts.append(count)


CURRENT: ContextVar[Run | None] = ContextVar("mixer_run", default=None)


def degrade(component: str, cause: Cause, effect: str, *, error_name: str = "") -> None:
    """Report that a part of the answer is missing; the result will say so."""
    run = CURRENT.get()
    if run is not None:
        run.degradations.append(Degradation(component, cause, effect, error_name))


def note(
    component: str,
    before: Candidates[Any],
    after: Candidates[Any],
    *,
    verdicts: Verdicts | None = None,
    terms: Mapping[str, NDArray[Any]] | None = None,
) -> None:
    """Tell the ledger what a component did to a batch; free unless the request is traced.

    Args:
        component: name of the component.
        before: the batch it was given.
        after: the batch it answered with.
        verdicts: for predicates, the verdicts on ``before``.
        terms: for scorers, the ``(n,)`` contribution of every term to the score, aligned with ``after``.
    """
    run = CURRENT.get()
    if run is not None and run.tracing:
        run.steps.append((run.stage, Step(component, before, after, verdicts, terms)))


def steps_so_far() -> int:
    """How many steps the ledger has; pass it to :func:`settle`."""
    run = CURRENT.get()
    return len(run.steps) if run is not None and run.tracing else 0


def settle(component: str, since: int, before: Candidates[Any], after: Candidates[Any]) -> None:
    """Note what a component did, except for what it has noted itself since the ledger had ``since`` steps."""
    run = CURRENT.get()
    if run is None or not run.tracing:
        return
    if len(run.steps) > since:
        before = run.steps[-1][1].after
    if before is not after or len(run.steps) == since:
        run.steps.append((run.stage, Step(component, before, after)))


def capture_hydrated(component: str, columns: Mapping[Any, object]) -> None:
    """Keep what a hydrator fetched, if the request is captured."""
    run = CURRENT.get()
    if run is not None and run.captured is not None:
        run.captured["hydrated"][component] = columns


def tracing() -> bool:
    """True while a traced request runs; ask before computing something only :func:`note` needs."""
    run = CURRENT.get()
    return run is not None and run.tracing


class observing:  # noqa: N801 - used as a with statement, like a function
    """Time a component into the scope ``name`` of the current run; set ``rows`` to record a result size."""

    __slots__ = ("begin", "name", "rows", "run")

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows = -1

    def __enter__(self) -> Self:
        self.run = CURRENT.get()
        self.begin = perf_counter_ns()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.run is not None:
            failure = "" if kind is None else kind.__name__
            self.run.observed.append((self.name, self.begin, perf_counter_ns(), self.rows, failure))
