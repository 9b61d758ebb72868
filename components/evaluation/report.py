"""Rows of system x metric with intervals, as text, JSON and back."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from components.evaluation.bootstrap import Interval
from components.evaluation.errors import InvalidInputError, require
from components.files import atomic_file

__all__ = ["Report", "Row"]


@attrs.frozen
class Row:
    """One measured number. `note` says why it is undefined, or anything a reader must know beside it."""

    system: str
    metric: str
    interval: Interval
    segment: str = "all"
    note: str = ""


@attrs.frozen
class Report:
    """Measured numbers under a title, with the settings that produced them.

    Raises:
        InvalidInputError: two rows have the same system, metric and segment.
    """

    title: str
    rows: tuple[Row, ...] = attrs.field(converter=tuple)
    settings: Mapping[str, str | int | float | bool | None] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        """Refuses rows that would hide each other in a table."""
        seen: set[tuple[str, str, str]] = set()
        for row in self.rows:
            key = (row.system, row.metric, row.segment)
            if key in seen:
                raise InvalidInputError(
                    f"rows: expected one row a system, metric and segment, got {key} twice"
                )
            seen.add(key)

    def find(self, system: str, metric: str, segment: str = "all") -> Row:
        """The row of a system, metric and segment.

        Raises:
            InvalidInputError: there is none; the message lists what there is.
        """
        for row in self.rows:
            if (row.system, row.metric, row.segment) == (system, metric, segment):
                return row
        known = ", ".join(f"{row.system}/{row.metric}/{row.segment}" for row in self.rows)
        raise InvalidInputError(
            f"expected a row {system}/{metric}/{segment}, the report has: {known or 'no rows'}"
        )

    def with_rows(self, rows: Iterable[Row]) -> Report:
        """A report with more rows."""
        return attrs.evolve(self, rows=(*self.rows, *rows))

    def to_text(self, width: int = 120) -> str:
        """A table with one line a segment and metric and one column a system, notes below.

        Raises:
            MissingPackageError: rich is not installed.
        """
        table = require("rich.table", "a text table").Table(title=self.title, title_justify="left")
        systems = list(dict.fromkeys(row.system for row in self.rows))
        for heading in ("segment", "metric", *systems):
            table.add_column(heading, justify="left" if heading in ("segment", "metric") else "right")
        cells = {(row.segment, row.metric, row.system): _cell(row.interval) for row in self.rows}
        for segment, metric in dict.fromkeys((row.segment, row.metric) for row in self.rows):
            table.add_row(segment, metric, *(cells.get((segment, metric, system), "") for system in systems))
        text = io.StringIO()
        require("rich.console", "a text table").Console(file=text, width=width, markup=False).print(table)
        notes = (f"{row.system}, {row.metric}, {row.segment}: {row.note}\n" for row in self.rows if row.note)
        table_text = "\n".join(line.rstrip() for line in text.getvalue().splitlines())
        return table_text + "\n" + "".join(notes)

    def to_json(self) -> str:
        """Strict JSON; undefined numbers are null."""
        return json.dumps(_without_nan(attrs.asdict(self)), indent=2, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Reads what `to_json` wrote.

        Raises:
            InvalidInputError: the text is not such a report.
        """
        try:
            data = json.loads(text)
            rows = [Row(**{**row, "interval": _interval(row["interval"])}) for row in data["rows"]]
            return cls(data["title"], rows, data["settings"])
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise InvalidInputError(f"expected the JSON of a report, got {text[:60]!r}: {error}") from error

    def write_json(self, path: Path) -> None:
        """Writes the JSON; the file appears whole or not at all."""
        with atomic_file(path) as temporary:
            temporary.write_text(self.to_json() + "\n", encoding="utf-8")


def _cell(interval: Interval) -> str:
    if math.isnan(interval.estimate):
        return "undefined"
    if math.isnan(interval.low):
        return f"{interval.estimate:.4f}"
    return f"{interval.estimate:.4f} [{interval.low:.4f}, {interval.high:.4f}]"


def _without_nan(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    return value


# Any: parsed JSON.
def _interval(data: Mapping[str, Any]) -> Interval:
    fields: dict[str, Any] = {name: math.nan if value is None else value for name, value in data.items()}
    return Interval(**fields)
