"""The order of stages in one request.

The plan of a flow is resolved once, when the flow is built; this module only executes it. Synchronous answers
are used as they are, awaitables are awaited under what is left of the deadline and of the stage's budget.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import numpy as np

from mixer.candidates import Candidates
from mixer.columns import Candidate
from mixer.component import Deferred
from mixer.concurrency import gather, time_limit
from mixer.errors import ContractError, DeadlineExceededError
from mixer.filter_take import ResultsConfig, Taken, batch_filter_take, check_length
from mixer.hydrators import hydrate_layers
from mixer.provenance import Provenance
from mixer.rankers import Ranker
from mixer.result import Outcome, RecommendationResult
from mixer.run import CURRENT, Cause, FilterSummary, Run, degrade, note, settle
from mixer.sources import CandidateSource
from mixer.target import Target
from mixer.trace import STAGES, Trace
from mixer.transforms import Trait, Transform, check_traits
from mixer.verdicts import PredicateResult, Verdicts

if TYPE_CHECKING:
    from collections.abc import Callable

    from mixer.candidate_predicates import CandidatePredicate
    from mixer.component import MaybeAwaitable
    from mixer.flow_stats import FlowStats
    from mixer.plan import Plan
    from mixer.predicates import Predicate

T = TypeVar("T", bound=Target)
C = TypeVar("C", bound=Candidate)
R = TypeVar("R")

ADDITIONAL = "additional_candidates"


class Execution(Generic[T, C]):
    """One request through a plan."""

    __slots__ = ("limited", "plan", "run", "target")

    def __init__(self, plan: Plan[T, C], target: T, run: Run) -> None:
        self.plan = plan
        self.target = target
        self.run = run
        self.limited = target.request.deadline is not None or bool(plan.budgets_s)

    async def _within(self, stage: str, answer: MaybeAwaitable[R]) -> R | None:
        """The awaited answer, or None when the stage ran out of time."""
        self.run.stage = stage
        if not isinstance(answer, Awaitable):
            raise ContractError(stage, "what its stage kind answers, or an awaitable", type(answer).__name__)
        waiting = cast("Awaitable[R]", answer)
        if not self.limited:
            return await waiting
        with time_limit(self.target, self.plan.budgets_s.get(stage)):
            return await waiting
        return None

    def _out_of_time(self, stage: str, component: str, effect: str) -> None:
        degrade(f"{stage}/{component}", Cause.TIMEOUT, effect)

    async def update_target(self, update: Callable[[T], MaybeAwaitable[T]]) -> None:
        """May replace the target; every later stage sees the new one."""
        answer = update(self.target)
        target = (
            cast("T", answer) if isinstance(answer, Target) else await self._within("update_target", answer)
        )
        if target is None:
            raise DeadlineExceededError(f"{self.plan.name}: out of time while updating the target")
        self.target = target

    async def eligibility(self, predicate: Predicate[T]) -> PredicateResult:
        """Is there anything to do?"""
        answer = predicate.check(self.target)
        result = (
            answer
            if isinstance(answer, PredicateResult)
            else await self._within("target_eligibility", answer)
        )
        if result is None:
            raise DeadlineExceededError(f"{self.plan.name}: out of time while checking eligibility")
        return result

    async def generate(self) -> Candidates[C]:
        """Asks all sources concurrently; additional candidates first, then sources in declared order."""
        self.run.stage = "candidate_generation"
        sources = self.plan.candidate_sources(self.target)
        if not isinstance(sources, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance] - users' code
            raise ContractError("candidate_sources", "a sequence of CandidateSource", type(sources).__name__)
        if len(sources) == 1:
            answer = self._fetch(sources[0])
            parts = [answer if isinstance(answer, Candidates) else await answer]
        else:
            parts = await gather(self._fetch, sources)
        names = [source.name for source in sources]
        if self.plan.additional is not None:
            extra = self.plan.additional(self.target)
            if extra is not None and not isinstance(extra, Candidates):
                extra = await extra
            if extra is not None:
                self.run.additional = len(extra)
                parts.insert(0, extra)
                names.insert(0, ADDITIONAL)
        if self.run.captured is not None:
            self.run.captured |= {"target": self.target, "sources": tuple(zip(names, parts, strict=True))}
        return self._merged(names, parts)

    def _merged(self, names: list[str], parts: list[Candidates[C]]) -> Candidates[C]:
        parts = [part.detached() for part in parts]
        merged = parts[0] if len(parts) == 1 else Candidates.concat(parts) if parts else None
        if merged is None or not len(merged):
            merged = Candidates.empty(self.plan.kind)
        provenance = Provenance.of(tuple(names), [len(part) for part in parts], merged)
        batch = merged.stamped(provenance)
        note("candidate_generation", batch, batch)
        return batch

    def _fetch(self, source: CandidateSource[T, C]) -> MaybeAwaitable[Candidates[C]]:
        begin = perf_counter_ns()
        if not isinstance(source, CandidateSource):  # pyright: ignore[reportUnnecessaryIsInstance] - users' code
            raise ContractError("candidate_sources", "a CandidateSource", type(source).__name__)
        found = source.fetch(self.target)
        if isinstance(found, Candidates):
            self.run.observed.append((_scope_of(source), begin, perf_counter_ns(), len(found), ""))
            return found
        if not isinstance(found, Awaitable):  # pyright: ignore[reportUnnecessaryIsInstance] - users' code
            raise ContractError(source.name, "Candidates, or an awaitable of them", type(found).__name__)
        return Deferred(found, lambda answer: self._fetch_async(source, answer, begin))

    async def _fetch_async(
        self, source: CandidateSource[T, C], answer: Awaitable[Candidates[C]], begin: int
    ) -> Candidates[C]:
        failure = "cancelled"
        found: Any = None
        try:
            found = await (self._within("candidate_generation", answer) if self.limited else answer)
            failure = "" if found is not None else "timeout"
        except Exception as error:
            failure = type(error).__name__
            error.add_note(f"in source {source.name!r} of flow {self.plan.name!r}")
            raise
        finally:
            size = len(cast("Candidates[Any]", found)) if isinstance(found, Candidates) else -1
            self.run.observed.append((_scope_of(source), begin, perf_counter_ns(), size, failure))
        if found is None:
            self._out_of_time("candidate_generation", source.name, "no candidates from this source")
            return Candidates.empty(self.plan.kind)
        if not isinstance(found, Candidates):
            raise ContractError(source.name, "Candidates", type(found).__name__)
        return cast("Candidates[C]", found)

    async def hydrate(self, batch: Candidates[C]) -> Candidates[C]:
        """Fetches columns, layer by layer."""
        hydrated = await self._within("hydration", hydrate_layers(self.plan.hydrators, self.target, batch))
        if hydrated is None:
            self._out_of_time("hydration", "hydrators", "columns left at their defaults")
            return batch
        return hydrated

    async def filter(self, predicate: CandidatePredicate[T, C], batch: Candidates[C]) -> Candidates[C]:
        """Drops what the cheap filter does not want ranked."""
        answer = predicate.check(self.target, batch)
        verdicts = answer if isinstance(answer, Verdicts) else await self._within("pre_ranker_filter", answer)
        if verdicts is None:
            self._out_of_time("pre_ranker_filter", predicate.name, "unfiltered candidates left out")
            verdicts = Verdicts.drop_all(len(batch), "timeout")
        check_length(predicate, verdicts, batch)
        kept = batch.where(verdicts.keep)
        self.run.filtered = _summary(verdicts, len(kept))
        if self.run.tracing:
            self.run.stage = "pre_ranker_filter"
            note(predicate.name, batch, kept, verdicts=verdicts)
        return kept

    async def rank(self, ranker: Ranker[T, C], batch: Candidates[C]) -> Candidates[C]:
        """Orders; out of time means the order before."""
        self.run.stage = "ranker"
        if not isinstance(ranker, Ranker):  # pyright: ignore[reportUnnecessaryIsInstance] - users' code
            raise ContractError("select_ranker", "a Ranker", type(ranker).__name__)
        steps = len(self.run.steps)
        answer = ranker.rank(self.target, batch)
        ranked = answer if isinstance(answer, Candidates) else await self._within("ranker", answer)
        if ranked is None:
            self._out_of_time("ranker", ranker.name, "the order before it")
            return batch
        return self._rewritten(ranker, batch, ranked, steps)

    async def transform(self, stage: str, transform: Transform[T, C], batch: Candidates[C]) -> Candidates[C]:
        """Rewrites the list; out of time means unchanged, or nothing if the transform might have dropped rows."""
        self.run.stage = stage
        steps = len(self.run.steps)
        answer = transform.transform(self.target, batch)
        rewritten = answer if isinstance(answer, Candidates) else await self._within(stage, answer)
        if rewritten is not None:
            return self._rewritten(transform, batch, rewritten, steps)
        if Trait.DROPS in transform.traits:
            self._out_of_time(stage, transform.name, "no candidates, as it might have dropped any")
            return batch.head(0)
        self._out_of_time(stage, transform.name, "candidates as they were")
        return batch

    def _rewritten(
        self,
        component: Ranker[T, C] | Transform[T, C],
        before: Candidates[C],
        after: Candidates[C],
        steps: int,
    ) -> Candidates[C]:
        if not isinstance(after, Candidates):  # pyright: ignore[reportUnnecessaryIsInstance] - users' code
            raise ContractError(component.name, "Candidates", type(after).__name__)
        if len(after) != len(before):
            check_traits(component.name, component.traits, before, after)
        if after.provenance is None and len(after):
            raise ContractError(component.name, "rows derived from the batch it was given", "rows built anew")
        if self.run.tracing:
            settle(component.name, steps, before, after)
        return after

    def _results_config(self) -> ResultsConfig:
        config = self.plan.results_config(self.target)
        if not isinstance(config, ResultsConfig):  # pyright: ignore[reportUnnecessaryIsInstance] - users' code
            raise ContractError("results_config", "a ResultsConfig", type(config).__name__)
        return config

    async def take(self, predicate: CandidatePredicate[T, C], batch: Candidates[C]) -> Candidates[C]:
        """Validates lazily until there are enough."""
        config = self._results_config()
        self.run.stage = "filter_and_take"
        taken: Taken[C] = await batch_filter_take(
            self.target, batch, predicate, config, self.plan.budgets_s.get("filter_and_take")
        )
        if taken.timed_out:
            self._out_of_time("filter_and_take", predicate.name, "candidates not validated in time left out")
        passed = int(np.count_nonzero(taken.verdicts.keep))
        self.run.validated = _summary(taken.verdicts, passed)
        self.run.batches = taken.batches
        if self.run.tracing:
            note(predicate.name, batch, taken.kept, verdicts=taken.verdicts)
        return taken.kept

    async def execute(self) -> tuple[RecommendationResult[C], PredicateResult]:
        """All stages, strictly one after the other; an exception anywhere ends the request."""
        plan, run = self.plan, self.run
        done = run.done
        if plan.update_target is not None:
            await self.update_target(plan.update_target)
        done(0)
        eligible = PredicateResult.VALID
        if plan.eligibility is not None:
            eligible = await self.eligibility(plan.eligibility)
        done(0)
        trace = Trace(plan.name, self.target.request.id, run)
        if not eligible.valid:
            nothing: Candidates[C] = Candidates.empty(plan.kind)
            reasons = tuple(sorted(eligible.reasons))
            missing = tuple(run.degradations)
            return RecommendationResult(nothing, Outcome.INELIGIBLE, trace, reasons, missing), eligible
        batch = await self.generate()
        done(len(batch))
        if plan.hydrators and len(batch):
            batch = await self.hydrate(batch)
        done(len(batch))
        if plan.pre_ranker_filter is not None and len(batch):
            batch = await self.filter(plan.pre_ranker_filter, batch)
        done(len(batch))
        if plan.select_ranker is not None and len(batch):
            batch = await self.rank(plan.select_ranker(self.target), batch)
        done(len(batch))
        if plan.post_ranker_transform is not None and len(batch):
            batch = await self.transform("post_ranker_transform", plan.post_ranker_transform, batch)
        done(len(batch))
        if plan.validate is not None:
            batch = await self.take(plan.validate, batch)
        else:
            batch = batch.head(self._results_config().desired)
        done(len(batch))
        if plan.transform_results is not None and len(batch):
            batch = await self.transform("transform_results", plan.transform_results, batch)
        done(len(batch))
        found = Outcome.OK if len(batch) else Outcome.EMPTY
        outcome = Outcome.DEGRADED if run.degradations else found
        cursor = None if plan.next_cursor is None else plan.next_cursor(self.target, batch)
        return RecommendationResult(batch, outcome, trace, (), tuple(run.degradations), cursor), eligible


def _summary(verdicts: Verdicts, kept: int) -> FilterSummary:
    return FilterSummary(kept, len(verdicts.keep) - kept, verdicts.counts(kept))


def _scope_of(source: CandidateSource[Any, Any]) -> str:
    return "candidate_generation/" + source.name


async def run_request(plan: Plan[T, C], target: T, stats: FlowStats) -> tuple[RecommendationResult[C], T]:
    """Execute a plan for a target and record it; the answer and the updated target."""
    debug = target.request.debug
    run = Run(tracing=debug.trace, capturing=debug.capture)
    execution = Execution(plan, target, run)
    token = CURRENT.set(run)
    try:
        answer, eligible = await execution.execute()
    except Exception as error:
        stage = STAGES[min(len(run.counts), len(STAGES) - 1)]
        error.add_note(f"in stage {stage!r} of flow {plan.name!r}, request {target.request.id!r}")
        stats.failed(run, perf_counter_ns(), error)
        raise
    finally:
        CURRENT.reset(token)
    if eligible.valid:
        stats.completed(run)
    else:
        stats.ineligible(run, eligible)
    return answer, execution.target
