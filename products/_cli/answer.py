"""An answer as one JSON object and as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from components.stores.stores import Stores
from mixer import Candidates, RecommendationResult

Row = dict[str, Any]
NARROW, DETAILS = 80, ("source", "score")
"""Below so many characters a line, these columns give way to the words of the others."""


def provenance_rows(candidates: Candidates[Any]) -> Iterator[Row]:
    """For each shown candidate: the source whose row stayed, and all that found it."""
    provenance = candidates.provenance
    for handle in candidates.handles.tolist():
        if provenance is None:
            yield {"source": "", "sources": []}
        else:
            found = provenance.names[int(provenance.source[handle])]
            yield {"source": found, "sources": list(provenance.names_of(handle))}


def as_json(
    product: str, user: int, seed: int, result: RecommendationResult[Any], rows: Sequence[Row]
) -> Row:
    """The answer as plain values."""
    return {
        "product": product,
        "user": user,
        "request_id": result.request_id,
        "seed": seed,
        "outcome": result.outcome.value,
        "reasons": list(result.reasons),
        "degraded": [str(one) for one in result.degradations],
        "candidates": list(rows),
        "stages": [stage.to_json() for stage in result.trace.stages],
    }


def show(console: Console, answer: Row, table: Table, story: str | None) -> None:
    """Print an answer for people."""
    if console.width < NARROW:
        table.columns = [column for column in table.columns if column.header not in DETAILS]
    parts: list[RenderableType] = [table] if answer["candidates"] else [_nothing(answer)]
    parts += [Text(f"degraded: {one}", style="yellow") for one in answer["degraded"]]
    if story is not None:
        parts += [Text(), Text(story)]
    console.print(Group(*parts, Text(), _stages(answer)))


def _nothing(answer: Row) -> Text:
    why = f": {', '.join(answer['reasons'])}" if answer["reasons"] else ""
    return Text(f"nothing to show ({answer['outcome']}{why})")


def _stages(answer: Row) -> Table:
    table = Table(title="stages", title_justify="left", box=None, pad_edge=False)
    table.add_column("stage")
    for name in ("in", "out", "ms"):
        table.add_column(name, justify="right")
    for stage in answer["stages"]:
        table.add_row(stage["name"], str(stage["in"]), str(stage["out"]), f"{stage['ms']:.2f}")
    table.add_row(
        "all", "", str(len(answer["candidates"])), f"{sum(stage['ms'] for stage in answer['stages']):.2f}"
    )
    return table


def people(stores: Stores, ids: Sequence[int] | None, total: int) -> str:
    """``user 7 and 2 others``: the first of some users, by name, and how many there are."""
    if not ids:
        return ""
    first = stores.called(stores.users.row_of(ids[0]))
    others = max(total, len(ids)) - 1
    return first if not others else f"{first} and {others} other{'s' if others > 1 else ''}"


def in_words(hours: float) -> str:
    """A duration as people say it.

    >>> in_words(0.5), in_words(30), in_words(24 * 60)
    ('30 min', '30 h', '60 d')
    """
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} d"
