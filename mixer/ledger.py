"""The story of each candidate, read from the batches that a traced request kept.

Batches are immutable, so a traced request only keeps references to them; stories are worked out when somebody
asks, one candidate at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import attrs
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mixer.candidates import Candidates
    from mixer.run import Step
    from mixer.trace import Trace


@attrs.frozen
class Event:
    """One thing that happened to a candidate.

    Args:
        stage: stage of the flow.
        component: who did it.
        action: ``found``, ``kept``, ``dropped``, ``merged``, ``moved``, ``annotated``, ``not_examined`` or ``cut``.
        position: 0-based position afterwards; None once the candidate is gone.
        reasons: why it was dropped, all that matched.
        values: columns written, scores of sources, or terms of a score.
    """

    stage: str
    component: str
    action: str
    position: int | None = None
    reasons: tuple[str, ...] = ()
    values: Mapping[str, Any] = attrs.field(factory=dict[str, Any])

    def in_words(self) -> str:
        """One line."""
        where = "" if self.position is None else f", position {self.position + 1}"
        why = f" for {', '.join(self.reasons)}" if self.reasons else ""
        what = "; ".join(f"{name} = {_short(value)}" for name, value in self.values.items())
        return f"{self.stage}/{self.component}: {self.action}{why}{where}{': ' + what if what else ''}"


@attrs.frozen
class Story:
    """Everything that happened to one candidate in one request."""

    candidate_id: int
    events: tuple[Event, ...]
    final_position: int | None

    @property
    def shown(self) -> bool:
        """True when the candidate is in the answer."""
        return self.final_position is not None

    def in_words(self) -> str:
        """The story as text, one event a line."""
        if not self.events:
            return f"{self.candidate_id}: no source found it"
        end = (
            f"shown at position {self.final_position + 1}" if self.final_position is not None else "not shown"
        )
        lines = "".join(f"\n  {event.in_words()}" for event in self.events)
        return f"{self.candidate_id}: {end}{lines}"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        events = [attrs.asdict(event, recurse=False) for event in self.events]
        return {
            "id": self.candidate_id,
            "shown": self.shown,
            "final_position": self.final_position,
            "events": [
                {**event, "values": {k: _plain(v) for k, v in event["values"].items()}} for event in events
            ],
        }


def story_of(trace: Trace, candidate_id: int) -> Story:
    """The story of one candidate; without events if no source found it."""
    merged = trace.steps[0][1].after
    events: list[Event] = []
    for row in (merged.ids == candidate_id).nonzero()[0].tolist():
        events.extend(_events_of(trace, merged, row))
    last = trace.steps[-1][1].after
    found = (last.ids == candidate_id).nonzero()[0]
    return Story(candidate_id, tuple(events), int(found[0]) if len(found) else None)


def all_stories(trace: Trace) -> Iterator[Story]:
    """The stories of all candidates, in the order in which sources found them."""
    ids = trace.steps[0][1].after.ids
    for candidate_id in dict.fromkeys(ids.tolist()):
        yield story_of(trace, candidate_id)


def _events_of(trace: Trace, merged: Candidates[Any], row: int) -> Iterator[Event]:
    provenance = merged.provenance
    assert provenance is not None  # noqa: S101 - merged batches are stamped
    source = provenance.names[int(provenance.source[row])]
    values = {"rank": int(provenance.rank[row])}
    score = float(provenance.score[row])
    yield Event(
        "candidate_generation",
        source,
        "found",
        row,
        values=values if np.isnan(score) else {**values, "score": score},
    )
    for stage, step in trace.steps[1:]:
        event = _event_of(stage, step, handle=row)
        if event is not None:
            yield event
            if event.position is None:
                return


def _event_of(stage: str, step: Step, handle: int) -> Event | None:
    before = _row_of(step.before, handle)
    after = _row_of(step.after, handle)
    if before is None:
        return None
    if step.verdicts is not None:
        return _judged(stage, step, before, after)
    if after is None:
        provenance = step.after.provenance
        lead = handle if provenance is None else int(provenance.lead[handle])
        return Event(stage, step.component, "dropped" if lead == handle else "merged")
    values = _written(step, before, after)
    if step.terms:
        values.update({name: float(term[after]) for name, term in step.terms.items()})
    if before == after and not values:
        return None
    return Event(stage, step.component, "annotated" if before == after else "moved", after, values=values)


def _judged(stage: str, step: Step, before: int, after: int | None) -> Event:
    verdicts = step.verdicts
    assert verdicts is not None  # noqa: S101 - the caller asked
    if before >= len(verdicts):
        return Event(stage, step.component, "not_examined")
    if not verdicts.keep[before]:
        return Event(stage, step.component, "dropped", reasons=verdicts.reasons_of(before))
    return Event(stage, step.component, "cut" if after is None else "kept", after)


def _row_of(batch: Candidates[Any], handle: int) -> int | None:
    rows = (batch.handles == handle).nonzero()[0]
    return int(rows[0]) if len(rows) else None


def _written(step: Step, before: int, after: int) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for key in step.after.present:
        if key.shape:
            continue
        value = step.after[key][after]
        if not step.before.has(key) or not _equal(step.before[key][before], value):
            changed[key.name] = value
    return changed


def _equal(one: Any, two: Any) -> bool:
    return bool(one == two) or (one != one and two != two)  # noqa: PLR0124 - NaN


def _plain(value: Any) -> Any:
    plain: Any = cast("np.generic[Any]", value).item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and not np.isfinite(plain) else plain


def _short(value: Any) -> str:
    plain: Any = cast("np.generic[Any]", value).item() if isinstance(value, np.generic) else value
    return f"{plain:.4g}" if isinstance(plain, float) else str(plain)
