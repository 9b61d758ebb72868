"""``MixerPipeline``: several flows, blended into one slate by selectors.

Source: product-mixer ``MixerPipeline``: primary flows run concurrently, dependent ones after them, then selectors
fold the pool into the slate. Different on purpose: a flow whose gate is closed is left out whatever its failure
policy, and every flow left out because it failed is reported.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import attrs

from mixer.component import NAME_PATTERN, resolved, snake_case
from mixer.concurrency import Failure, attempt, gather
from mixer.errors import ConfigurationError, TargetTypeError
from mixer.flow import BaseFlow, BuiltOnce
from mixer.predicates import Always, Predicate
from mixer.result import Outcome
from mixer.run import CURRENT, Degradation, Run
from mixer.selectors import Entries, Entry, Item, Module, Selection, Selector, select_all
from mixer.selectors.base import scopes_in
from mixer.side_effects import SideEffect, SideEffectQueue
from mixer.stats import StatsReceiver
from mixer.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mixer.result import RecommendationResult

T = TypeVar("T", bound=Target)
Results = Mapping[str, "RecommendationResult[Any]"]


@attrs.frozen
class Branch(Generic[T]):
    """One flow of a pipeline.

    Args:
        flow: what recommends; its name is the name of its entries' scope.
        gate: run the flow only if valid.
        fail_open: leave the flow out, and degrade the result, when it raises; otherwise the request fails.
        within_s: seconds it may take, clipped to the request's deadline; running out counts as a failure.
        as_module: its results enter the pool as one module instead of one by one.
        after: makes the flow dependent: it runs when the primary flows have answered, for the target that this
            function of (target, their results) gives; None skips it.
    """

    flow: BaseFlow[T, Any]
    gate: Predicate[T] = attrs.field(factory=Always)
    fail_open: bool = True
    within_s: float | None = None
    as_module: bool = False
    after: Callable[[T, Results], T | None] | None = None

    @property
    def name(self) -> str:
        """Name of the flow."""
        return self.flow.name


@attrs.frozen(slots=False)
class MixerResult:
    """The answer of a pipeline.

    Args:
        slate: what to show, in order.
        outcome: OK, EMPTY or DEGRADED.
        selection: the slate with what remained and what selectors dropped, and who dropped it.
        results: the answer of every flow that ran, by name.
        degradations: what is missing and why; of a flow's own parts too, named ``flow/part``.
        response: what ``marshal`` made of the slate.
        request_id: id of the request.
        ms: time of the whole request without side effects, milliseconds.
    """

    slate: Entries
    outcome: Outcome
    selection: Selection
    results: Results
    degradations: tuple[Degradation, ...]
    response: Any
    request_id: str
    ms: float

    def explain(self, candidate_id: int) -> str:
        """The story of a candidate in every flow that found it, and what the selectors did with it.

        Needs a traced request.
        """
        stories = [result.trace.story(candidate_id) for result in self.results.values() if result.trace.steps]
        lines = [story.in_words() for story in stories if story.events] or [
            f"{candidate_id}: no flow found it"
        ]
        return "\n".join([*lines, *self._after_flows(candidate_id)])

    def _after_flows(self, candidate_id: int) -> Iterator[str]:
        for position, top in enumerate(self.slate):
            if _holds(top, candidate_id):
                yield f"  slate: position {position + 1}"
        for one in self.selection.dropped:
            if _holds(one.entry, candidate_id):
                yield f"  {one.selector}: dropped for {one.reason}"
        if any(_holds(entry, candidate_id) for entry in self.selection.remaining):
            yield "  slate: left in the pool, no selector took it"


def _holds(entry: Entry, candidate_id: int) -> bool:
    return any(isinstance(one, Item) and one.id == candidate_id for one in entry.family())


class MixerPipeline(Generic[T], metaclass=BuiltOnce):
    """Blends several flows; subclass it and say which flows, and which selectors in which order.

    Both hooks are called once, when the pipeline is built; wiring problems are then reported together as one
    ConfigurationError. ``async with pipeline:`` runs side effects behind the answers.
    """

    label: str | None = None
    stats: StatsReceiver

    @property
    def name(self) -> str:
        """Root of the pipeline's stats; the class name in snake case unless ``label`` is set."""
        return type(self).label or snake_case(type(self).__name__)

    @abstractmethod
    def branches(self) -> Sequence[Branch[T]]:
        """The flows, in the order in which their results enter the pool."""

    @abstractmethod
    def selectors(self) -> Sequence[Selector[T]]:
        """What builds the slate, step by step."""

    def marshal(self, target: T, selection: Selection) -> Any:
        """What the client gets; the slate's entries unless overridden."""
        return selection.slate

    def side_effects(self) -> Sequence[SideEffect[T, Any]]:
        """What to do after the answer; ``apply`` gets the MixerResult."""
        return ()

    def build(self) -> None:
        """Resolve and check the pipeline; runs by itself after the constructor.

        Raises:
            ConfigurationError: lists everything that is wired wrongly.
        """
        if not hasattr(self, "stats"):
            self.stats = StatsReceiver()
        self.flows = tuple(self.branches())
        self.program = tuple(self.selectors())
        self.effects = tuple(self.side_effects())
        problems = list(self._problems())
        if problems:
            raise ConfigurationError(f"pipeline {self.name!r}", problems)
        self._root = self.stats.scope(self.name)
        self._queue = SideEffectQueue(self._root.scope("side_effects"))

    def _problems(self) -> Iterator[str]:
        names = [branch.name for branch in self.flows]
        if not NAME_PATTERN.fullmatch(self.name):
            yield f"pipeline name {self.name!r} is not snake case of 3 to 80 characters"
        if not names:
            yield "branches: expected at least one flow, got none"
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"branches: two flows are named {name!r}"
        if not self.program:
            yield "selectors: expected at least one, got none; the slate would always be empty"
        for one in self.program:
            for scope in scopes_in(one):
                for unknown in sorted(scope.names - set(names)):
                    yield f"selector {one.name!r}: no flow is named {unknown!r}; flows: {', '.join(names)}"

    async def process(self, target: T) -> MixerResult:
        """Run the flows, blend their results.

        Raises:
            TargetTypeError: not a Target.
            Exception: what a flow raised that must not fail open, or a selector.
        """
        if not isinstance(target, Target):  # pyright: ignore[reportUnnecessaryIsInstance] - users' input
            raise TargetTypeError(f"{self.name}: expected a Target, got {type(target).__name__}")
        begin = perf_counter_ns()
        run = Run(tracing=target.request.debug.trace, capturing=False)
        token = CURRENT.set(run)
        try:
            result = await self._execute(target, run, begin)
        except Exception as error:
            overall = self._root.scope("overall")
            overall.counter("requests").incr()
            overall.counter("failures").incr()
            overall.scope("failures").counter(type(error).__name__).incr()
            raise
        finally:
            CURRENT.reset(token)
        self._record(result, run)
        if self.effects and not target.request.debug.skip_side_effects:
            await self._queue.submit(self.effects, target, result)  # pyright: ignore[reportArgumentType]
        return result

    async def _execute(self, target: T, run: Run, begin: int) -> MixerResult:
        primary = [branch for branch in self.flows if branch.after is None]
        results = await self._run_all(primary, target, {})
        dependent = [branch for branch in self.flows if branch.after is not None]
        results |= await self._run_all(dependent, target, results)
        selection = select_all(self.program, target, self._pool(results), tracing=run.tracing)
        inner = [
            attrs.evolve(one, component=f"{name}/{one.component}")
            for name, result in results.items()
            for one in result.degradations
        ]
        degradations = (*run.degradations, *inner)
        found = Outcome.OK if selection.slate else Outcome.EMPTY
        return MixerResult(
            selection.slate,
            Outcome.DEGRADED if degradations else found,
            selection,
            results,
            degradations,
            self.marshal(target, selection),
            target.request.id,
            (perf_counter_ns() - begin) / 1e6,
        )

    async def _run_all(
        self, branches: Sequence[Branch[T]], target: T, before: Results
    ) -> dict[str, RecommendationResult[Any]]:
        answers = await gather(lambda branch: self._run_one(branch, target, before), branches)
        pairs = zip(branches, answers, strict=True)
        return {branch.name: answer for branch, answer in pairs if answer is not None}

    async def _run_one(
        self, branch: Branch[T], target: T, before: Results
    ) -> RecommendationResult[Any] | None:
        if not (await resolved(branch.gate.check(target))).valid:
            self._root.scope("flows", branch.name).counter("skipped").incr()
            return None
        asked = target if branch.after is None else branch.after(target, before)
        if asked is None:
            return None
        if not branch.fail_open and branch.within_s is None:
            return await branch.flow.process(asked)
        answer = await attempt(
            lambda: branch.flow.process(asked), asked, branch.within_s, errors=branch.fail_open
        )
        if not isinstance(answer, Failure):
            return answer
        answer.report(branch.name, "nothing from this flow")
        return None

    def _pool(self, results: Results) -> Iterator[Entry]:
        handles = count()
        for branch in self.flows:
            result = results.get(branch.name)
            if result is None or not len(result.candidates):
                continue
            rows = range(len(result.candidates))
            items = [Item(next(handles), branch.name, result.candidates, row) for row in rows]
            if branch.as_module:
                yield Module(next(handles), branch.name, tuple(items))
            else:
                yield from items

    def _record(self, result: MixerResult, run: Run) -> None:
        overall = self._root.scope("overall")
        overall.counter("requests").incr()
        overall.counter("success").incr()
        overall.counter("non_empty" if result.slate else "empty").incr()
        overall.counter("results").incr(sum(entry.size for entry in result.slate))
        overall.distribution("latency_ms").add(result.ms)
        for name, one in result.results.items():
            scope = self._root.scope("flows", name)
            scope.counter("requests").incr()
            scope.distribution("latency_ms").add(one.trace.ms)
        for dropped in result.selection.dropped:
            self._root.scope("selectors", dropped.selector).counter(dropped.reason).incr()
        for one in run.degradations:
            self._root.scope("degraded", one.component).counter(one.cause.value).incr()

    async def __aenter__(self) -> Self:
        await self._queue.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> bool | None:
        return await self._queue.__aexit__(*exception)
