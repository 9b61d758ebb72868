"""The plan of a flow: every hook resolved once, when the flow is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from mixer.columns import Candidate
from mixer.component import NAME_PATTERN, Component, components_in
from mixer.target import Target
from mixer.trace import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mixer.candidate_predicates import CandidatePredicate
    from mixer.candidates import Candidates
    from mixer.component import MaybeAwaitable
    from mixer.filter_take import ResultsConfig
    from mixer.hydrators import Hydrator
    from mixer.predicates import Predicate
    from mixer.rankers import Ranker
    from mixer.side_effects import SideEffect
    from mixer.sources import CandidateSource
    from mixer.transforms import Transform

T = TypeVar("T", bound=Target)
C = TypeVar("C", bound=Candidate)


@attrs.frozen
class Plan(Generic[T, C]):
    """A flow with every hook resolved; None where the flow left the default and there is nothing to do."""

    name: str
    kind: type[C]
    update_target: Callable[[T], MaybeAwaitable[T]] | None
    eligibility: Predicate[T] | None
    candidate_sources: Callable[[T], Sequence[CandidateSource[T, C]]]
    additional: Callable[[T], MaybeAwaitable[Candidates[C] | None]] | None
    hydrators: list[list[Hydrator[T, C]]]
    pre_ranker_filter: CandidatePredicate[T, C] | None
    select_ranker: Callable[[T], Ranker[T, C]] | None
    post_ranker_transform: Transform[T, C] | None
    validate: CandidatePredicate[T, C] | None
    transform_results: Transform[T, C] | None
    results_config: Callable[[T], ResultsConfig]
    side_effects: tuple[SideEffect[T, C], ...]
    next_cursor: Callable[[T, Candidates[C]], str | None] | None
    budgets_s: Mapping[str, float]

    def components(self) -> Iterator[tuple[str, Component]]:
        """Every component of the plan with the stage it serves; per-request hooks are not asked."""
        by_stage: dict[str, object] = {
            "target_eligibility": self.eligibility,
            "hydration": [hydrator for layer in self.hydrators for hydrator in layer],
            "pre_ranker_filter": self.pre_ranker_filter,
            "post_ranker_transform": self.post_ranker_transform,
            "filter_and_take": self.validate,
            "transform_results": self.transform_results,
            "side_effects": self.side_effects,
        }
        for stage, value in by_stage.items():
            for component in components_in(value):
                yield stage, component

    def problems(self) -> Iterator[str]:
        """What is wrong with the plan."""
        if not NAME_PATTERN.fullmatch(self.name):
            yield f"flow name {self.name!r} is not snake case of 3 to 80 characters"
        for stage, budget in self.budgets_s.items():
            if stage not in STAGES:
                yield f"stage_budgets_s names {stage!r}; stages: {', '.join(STAGES)}"
            elif not _above_0(budget):
                yield f"stage_budgets_s[{stage!r}]: expected seconds above 0, got {budget!r}"


def _above_0(number: object) -> bool:
    return isinstance(number, int | float) and number > 0  # as NaN is not
