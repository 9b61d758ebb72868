"""``RecommendationFlow``: the class people subclass."""

from __future__ import annotations

from abc import ABC, ABCMeta, abstractmethod
from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast, get_args

import attrs

from mixer.candidate_predicates import CandidatePredicate, KeepAll
from mixer.columns import Candidate
from mixer.component import Component, components_in, snake_case
from mixer.engine import run_request
from mixer.errors import ConfigurationError, TargetTypeError
from mixer.flow_stats import FlowStats
from mixer.hooks import MANY, ONE, misspelt, unwritten, wrong_answers
from mixer.hydrators import Hydrator, layers_of
from mixer.logs import logger
from mixer.plan import Plan
from mixer.predicates import Always, Predicate
from mixer.rankers import KeepOrder, Ranker
from mixer.result import Outcome, RecommendationResult
from mixer.run import degrade
from mixer.side_effects import SideEffect, SideEffectQueue
from mixer.sources import CandidateSource, SourceRegistry
from mixer.stats import StatsReceiver
from mixer.target import Target
from mixer.transforms import Identity, Transform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Self

    from mixer.candidates import Candidates
    from mixer.component import MaybeAwaitable
    from mixer.filter_take import ResultsConfig
    from mixer.quality_factor import QualityFactor

T = TypeVar("T", bound=Target)
T2 = TypeVar("T2", bound=Target)
C = TypeVar("C", bound=Candidate)


class BaseFlow(ABC, Generic[T, C]):
    """Anything that recommends: a flow, or a flow seen through another kind of target."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Root of the flow's stats, and its name in results and logs."""

    @abstractmethod
    async def process(self, target: T) -> RecommendationResult[C]:
        """Recommend for a target."""

    def map_target(self, function: Callable[[T2], T]) -> BaseFlow[T2, C]:
        """The same flow, under its own name, for something from which the target can be computed."""
        return _MappedFlow(self, function)

    def as_source(self) -> CandidateSource[T, C]:
        """The flow's answers as candidates for another flow; what the flow had to do without is reported there."""
        return _FlowSource(self)


class _MappedFlow(BaseFlow[T2, C], Generic[T, T2, C]):
    def __init__(self, flow: BaseFlow[T, C], function: Callable[[T2], T]) -> None:
        self.flow = flow
        self.function = function

    @property
    def name(self) -> str:
        return self.flow.name

    async def process(self, target: T2) -> RecommendationResult[C]:
        return await self.flow.process(self.function(target))


@attrs.frozen
class _FlowSource(CandidateSource[T, C]):
    flow: BaseFlow[T, C]

    @property
    def name(self) -> str:
        return self.flow.name

    async def fetch(self, target: T) -> Candidates[C]:
        result = await self.flow.process(target)
        for one in result.degradations:
            degrade(f"{self.name}/{one.component}", one.cause, one.effect, error_name=one.error)
        return result.candidates


class BuiltOnce(ABCMeta):
    """Resolves and checks a flow right after its constructor, whatever that looks like."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        flow = super().__call__(*args, **kwargs)
        flow.build()
        return flow


class RecommendationFlow(BaseFlow[T, C], metaclass=BuiltOnce):
    """A recommendation pipeline with a fixed order of stages; subclass it and fill the hooks you need.

    Order: ``update_target``, ``target_eligibility``, ``candidate_sources`` (concurrent, merged in declared
    order), ``hydrate_candidates``, ``pre_ranker_filter``, ``select_ranker``, ``post_ranker_transform``,
    ``validate_candidates`` (lazily, until ``results_config`` is satisfied), ``transform_results``, side effects.
    Only ``candidate_sources`` and ``results_config`` are mandatory.

    Hooks that take a target are called once a request; the others once, when the flow is built. All wiring
    problems are then reported together as one ConfigurationError.

    Stats go to ``stats`` (a fresh receiver unless the instance sets one), below the flow's name.
    ``async with flow:`` runs side effects behind the answers; without it they run before ``process`` returns.

    Source: FRS ``RecommendationFlow.scala``.
    """

    label: ClassVar[str | None] = None
    stage_budgets_s: ClassVar[Mapping[str, float]] = {}
    """Seconds that a stage may wait, by stage name; always clipped to the request's deadline."""
    side_effect_capacity: ClassVar[int] = 1000
    log_requests: ClassVar[bool] = False
    """Write one structlog line a request."""

    stats: StatsReceiver
    plan: Plan[T, C]
    """The hooks as they were resolved when the flow was built."""

    @property
    def name(self) -> str:
        """Root of the flow's stats; the class name in snake case unless ``label`` is set."""
        return type(self).label or snake_case(type(self).__name__)

    # -- hooks: called for every request -------------------------------------------------------------------

    @abstractmethod
    def candidate_sources(self, target: T) -> Sequence[CandidateSource[T, C]]:
        """The sources to ask, in the order in which their candidates are merged."""

    @abstractmethod
    def results_config(self, target: T) -> ResultsConfig:
        """How many results are wanted and how they are validated."""

    def update_target(self, target: T) -> MaybeAwaitable[T]:
        """Complete the target; every later hook sees what this returns."""
        return target

    def additional_candidates(self, target: T) -> MaybeAwaitable[Candidates[C] | None]:
        """Candidates that come before those of all sources."""
        return None

    def select_ranker(self, target: T) -> Ranker[T, C]:
        """The ranker for this request."""
        return KeepOrder()

    def next_cursor(self, target: T, results: Candidates[C]) -> str | None:
        """Where the next page begins; None if there is none."""
        return None

    # -- hooks: called once, when the flow is built --------------------------------------------------------

    def target_eligibility(self) -> Predicate[T]:
        """Who may be recommended to; others get an empty, successful answer."""
        return Always()

    def hydrate_candidates(self) -> Sequence[Hydrator[T, C]]:
        """Hydrators to run before the pre-rank filter; layered by what they read."""
        return ()

    def pre_ranker_filter(self) -> CandidatePredicate[T, C]:
        """Cheap, in-memory: what is not worth ranking."""
        return KeepAll()

    def post_ranker_transform(self) -> Transform[T, C]:
        """Deduplicate, sample, diversify the ranked list."""
        return Identity()

    def validate_candidates(self) -> CandidatePredicate[T, C]:
        """Expensive checks on the few candidates that may be shown."""
        return KeepAll()

    def transform_results(self) -> Transform[T, C]:
        """Dress up the results: social proof, text, tracking."""
        return Identity()

    def side_effects(self) -> Sequence[SideEffect[T, C]]:
        """What to do after the answer."""
        return ()

    def quality_factor(self) -> QualityFactor | None:
        """Observes latency and failures of this flow; its value travels on the request."""
        return None

    # -- running -------------------------------------------------------------------------------------------

    async def process(self, target: T) -> RecommendationResult[C]:
        """Recommend for a target.

        Raises:
            TargetTypeError: not a Target.
            DeadlineExceededError: out of time before there could be a partial answer.
            Exception: what a component raised without a declared policy, with a note on where.
        """
        if not isinstance(target, Target):  # pyright: ignore[reportUnnecessaryIsInstance] - users' input
            raise TargetTypeError(f"{self.name}: expected a Target, got {type(target).__name__}")
        if self._quality is None or target.request.debug.ignore_load:
            result, target = await run_request(self.plan, target, self._stats)
        else:
            result, target = await self._observed(target, self._quality)
        if (
            self.plan.side_effects
            and result.outcome is not Outcome.INELIGIBLE
            and not _leaves_no_trace(target)
        ):
            await self._queue.submit(self.plan.side_effects, target, result)
        if self.log_requests:
            self._log(target, result)
        return result

    async def _observed(self, target: T, quality: QualityFactor) -> tuple[RecommendationResult[C], T]:
        request = attrs.evolve(target.request, quality_factor=quality.value)
        begin = perf_counter()
        try:
            answer = await run_request(self.plan, attrs.evolve(target, request=request), self._stats)
        except BaseException as error:
            quality.observe(perf_counter() - begin, error)
            self._stats.quality_factor(quality.value)
            raise
        if answer[0].outcome is not Outcome.INELIGIBLE:
            quality.observe(perf_counter() - begin)
            self._stats.quality_factor(quality.value)
        return answer

    def _log(self, target: T, result: RecommendationResult[C]) -> None:
        logger("mixer").info(
            "request",
            flow=self.name,
            request_id=result.request_id,
            outcome=result.outcome.value,
            results=len(result.candidates),
            ms=round(result.trace.ms, 3),
            degraded=[str(one) for one in result.degradations],
            **target.summary(),
        )

    async def __aenter__(self) -> Self:
        await self._queue.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> bool | None:
        return await self._queue.__aexit__(*exception)

    # -- building ------------------------------------------------------------------------------------------

    def build(self) -> None:
        """Resolve and check the flow; runs by itself after the constructor.

        Raises:
            ConfigurationError: lists everything that is wired wrongly.
        """
        if not hasattr(self, "stats"):
            self.stats = StatsReceiver()
        hooks: dict[str, Any] = {name: getattr(self, name)() for name in (*ONE, *MANY)}
        problems = [*misspelt(type(self), RecommendationFlow), *wrong_answers(hooks)]
        hydrators, effects = (_sequence(hooks[name], kind) for name, kind in MANY.items())
        layers, tangled = layers_of(hydrators)
        plan: Plan[T, C] = Plan(
            name=self.name,
            kind=self._candidate_type(),
            update_target=self._overridden("update_target"),
            eligibility=_unless(Always, hooks["target_eligibility"]),
            candidate_sources=self.candidate_sources,
            additional=self._overridden("additional_candidates"),
            hydrators=layers,
            pre_ranker_filter=_unless(KeepAll, hooks["pre_ranker_filter"]),
            select_ranker=self._overridden("select_ranker"),
            post_ranker_transform=_unless(Identity, hooks["post_ranker_transform"]),
            validate=_unless(KeepAll, hooks["validate_candidates"]),
            transform_results=_unless(Identity, hooks["transform_results"]),
            results_config=self.results_config,
            side_effects=tuple(effects),
            next_cursor=self._overridden("next_cursor"),
            budgets_s=self.stage_budgets_s,
        )
        self.plan = plan
        problems += [*tangled, *plan.problems()]
        problems += [one for _, component in self.components() for one in unwritten(component)]
        if problems:
            raise ConfigurationError(f"flow {self.name!r}", problems)
        root = self.stats.scope(self.name)
        self._stats = FlowStats(root)
        self._quality = self.quality_factor()
        if self._quality is not None:
            root.gauge("quality_factor", lambda quality=self._quality: quality.value)
        self._queue = SideEffectQueue(root.scope("side_effects"), capacity=self.side_effect_capacity)

    def components(self) -> Iterator[tuple[str, Component]]:
        """Every component this flow is known to hold, with the stage it serves.

        Components that per-request hooks return are found when the flow keeps them in an attribute.
        """
        seen: set[int] = set()
        for stage, component in self.plan.components():
            seen.add(id(component))
            yield stage, component
        for value in vars(self).values():
            for component in components_in(value):
                if id(component) not in seen:
                    seen.add(id(component))
                    yield _stage_of(component), component

    def _candidate_type(self) -> type[C]:
        for base in type(self).__mro__:
            for generic in getattr(base, "__orig_bases__", ()):
                for argument in get_args(generic):
                    if isinstance(argument, type) and issubclass(argument, Candidate):
                        return cast("type[C]", argument)
        return cast("type[C]", Candidate)

    def _overridden(self, hook: str) -> Any:
        changed = getattr(type(self), hook) is not getattr(RecommendationFlow, hook)
        return getattr(self, hook) if changed else None


def _leaves_no_trace(target: Target) -> bool:
    """True when the request must leave no trace in stores."""
    return target.request.debug.skip_side_effects


R = TypeVar("R")


def _unless(default: type[Any], component: R) -> R | None:
    return None if isinstance(component, default) else component


def _sequence(answer: object, kind: type[Any]) -> list[Any]:
    """The components of a kind in what a hook answered; whatever else is there has been reported."""
    given = cast("Sequence[Any]", answer) if isinstance(answer, Sequence) else ()
    return [one for one in given if isinstance(one, kind)]


def _stage_of(component: Component) -> str:
    if isinstance(component, CandidateSource | SourceRegistry):
        return "candidate_generation"
    return "ranker" if isinstance(component, Ranker) else "other"
