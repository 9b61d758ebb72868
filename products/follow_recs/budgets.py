"""How long each part of a request may take: the published budgets, checked to fit into each other.

Source: FRS: look-ups 200 ms, sources 90 ms, features 240 ms, model 400 ms, fatigue 200 ms, account state 200 ms,
relationships 300 ms, social proof 250 ms. Upstream has sources whose own budgets are longer than the one around
them, so that what they would do instead never happens; here that is an error when the flow is built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from mixer.errors import ConfigurationError
from mixer.trace import STAGES


@attrs.frozen
class Budget:
    """Seconds for a stage, and for parts of it.

    Args:
        seconds: for the stage.
        parts: seconds by part.
        in_turn: parts wait for one another, so that their sum must fit; else the longest.
    """

    seconds: float
    parts: Mapping[str, float] = attrs.field(factory=dict[str, float])
    in_turn: bool = False

    def problems(self, stage: str) -> Iterator[str]:
        """What cannot be."""
        for part, seconds in self.parts.items():
            if seconds <= 0:
                yield f"{stage}/{part}: expected seconds above 0, got {seconds}"
        needed = sum(self.parts.values()) if self.in_turn else max(self.parts.values(), default=0.0)
        if needed > self.seconds + 1e-9:
            yield f"{stage}: its parts need {needed:g} s, more than its {self.seconds:g} s"


@attrs.frozen
class Budgets:
    """The budgets of a flow.

    Args:
        request_s: for the whole request.
        stages: by name, in the order in which they run.
    """

    request_s: float
    stages: Mapping[str, Budget]

    def of(self, stage: str, part: str) -> float:
        """Seconds for a part of a stage."""
        return self.stages[stage].parts[part]

    def by_stage(self) -> Mapping[str, float]:
        """Seconds of the stages that may be cut short; what is cut from ``update_target`` would end the request."""
        return {name: one.seconds for name, one in self.stages.items() if name != "update_target"}

    def check(self, flow: str) -> None:
        """Raise unless parts fit into stages and stages into the request.

        Raises:
            ConfigurationError: lists everything that does not fit.
        """
        problems = [f"{name!r} is no stage" for name in self.stages if name not in STAGES]
        problems += [problem for name, one in self.stages.items() for problem in one.problems(name)]
        needed = sum(one.seconds for one in self.stages.values())
        if needed > self.request_s + 1e-9:
            problems.append(f"the stages need {needed:g} s, more than the request's {self.request_s:g} s")
        if problems:
            raise ConfigurationError(f"budgets of {flow}", problems)


IN_MEMORY = ("excluded", "followed", "dismissed", "recommended", "relationship", "near_zero")
PUBLISHED = Budgets(
    2.0,
    {
        "update_target": Budget(0.2, {"look_up": 0.2}),
        "candidate_generation": Budget(0.09),
        "hydration": Budget(0.24),
        "pre_ranker_filter": Budget(0.12, dict.fromkeys(IN_MEMORY, 0.02), in_turn=True),
        "ranker": Budget(0.6, {"model": 0.4, "fatigue": 0.2}, in_turn=True),
        "filter_and_take": Budget(0.3, {"account_state": 0.2, "relationships": 0.3}),
        "transform_results": Budget(0.25, {"social_proof": 0.25}),
    },
)
"""Two seconds for a request and 20 ms for a filter in memory are ours; upstream publishes none."""
