"""What happened in a request, stage by stage; the ledger tells it candidate by candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from mixer.errors import MixerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mixer.ledger import Story
    from mixer.run import Degradation, Run, Step

STAGES = (
    "update_target",
    "target_eligibility",
    "candidate_generation",
    "hydration",
    "pre_ranker_filter",
    "ranker",
    "post_ranker_transform",
    "filter_and_take",
    "transform_results",
)
"""Stages in order of execution. Names are those of the original stats scopes; hydration is new."""


@attrs.frozen
class StageTrace:
    """One stage: candidates in and out, and its time in milliseconds since the request began."""

    name: str
    count_in: int
    count_out: int
    start_ms: float
    ms: float

    def to_json(self) -> dict[str, object]:
        """Plain values, with the keys ``name``, ``in``, ``out``, ``ms``."""
        return {"name": self.name, "in": self.count_in, "out": self.count_out, "ms": round(self.ms, 4)}


@attrs.frozen
class ComponentTrace:
    """One observed component: its scope, rows answered (-1: none counted), time, and failure class if any."""

    name: str
    count: int
    start_ms: float
    ms: float
    failure: str = ""


class Trace:
    """Counts and timings, always; the ledger of steps when the request was traced.

    Args:
        flow: name of the flow.
        request_id: id of the request.
        run: the record of the request.
    """

    __slots__ = ("flow", "request_id", "run")

    def __init__(self, flow: str, request_id: str, run: Run) -> None:
        self.flow = flow
        self.request_id = request_id
        self.run = run

    @property
    def steps(self) -> Sequence[tuple[str, Step]]:
        """What each component did to which batch, by stage; empty unless the request was traced."""
        return self.run.steps

    @property
    def degradations(self) -> Sequence[Degradation]:
        """What failed open."""
        return self.run.degradations

    @property
    def captured(self) -> Mapping[str, Any] | None:
        """What the request depended on, if it was captured; see ``mixer.replay``."""
        return self.run.captured

    @property
    def marks(self) -> Sequence[int]:
        """Nanosecond timestamps: the begin, then the end of every stage that ran."""
        return self.run.marks

    @property
    def stages(self) -> tuple[StageTrace, ...]:
        """Every stage that ran, in order."""
        begin = self.marks[0]
        rows: list[StageTrace] = []
        before = 0
        for index, after in enumerate(self.run.counts):
            start, end = self.marks[index], self.marks[index + 1]
            rows.append(StageTrace(STAGES[index], before, after, (start - begin) / 1e6, (end - start) / 1e6))
            before = after
        return tuple(rows)

    @property
    def components(self) -> tuple[ComponentTrace, ...]:
        """Every observed component, in order of completion."""
        begin = self.marks[0]
        return tuple(
            ComponentTrace(name, rows, (start - begin) / 1e6, (end - start) / 1e6, failure)
            for name, start, end, rows, failure in self.run.observed
        )

    @property
    def ms(self) -> float:
        """Time of the whole request, milliseconds, without side effects."""
        return (self.marks[-1] - self.marks[0]) / 1e6

    def story(self, candidate_id: int) -> Story:
        """Everything that happened to one candidate.

        Raises:
            MixerError: the request was not traced.
        """
        from mixer.ledger import story_of

        if not self.steps:
            raise MixerError("no ledger: ask for the request with DebugOptions(trace=True)")
        return story_of(self, candidate_id)

    def to_json(self, *, stories: bool = False) -> dict[str, Any]:
        """Plain values for JSON; ``stories`` adds every candidate's story (needs a traced request)."""
        document: dict[str, Any] = {
            "flow": self.flow,
            "request_id": self.request_id,
            "ms": round(self.ms, 4),
            "stages": [stage.to_json() for stage in self.stages],
            "components": [attrs.asdict(component) for component in self.components],
            "validation_batches": self.run.batches,
            "degraded": [str(degradation) for degradation in self.degradations],
        }
        if stories:
            from mixer.ledger import all_stories

            document["stories"] = [story.to_json() for story in all_stories(self)]
        return document
