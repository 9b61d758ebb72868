"""CSV files read as tables of the schema, with every problem told by file, column and row.

Rows are counted from 1, below the header. Times may be milliseconds since 1970 or ISO 8601 (UTC where no zone is
given); codes may be numbers or their names.
"""

# The functions of pyarrow.compute are made when it is imported:
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from components.datasets.table import Table

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import csv

Parse: TypeAlias = "Callable[[pa.Array], NDArray[Any]]"


@attrs.frozen
class Column:
    """How the cells of a column are read.

    Args:
        parse: cells -> values; raises ``ValueError`` (as Arrow's errors are) for cells it cannot read.
        expected: what it reads, in words.
        default: stands for an empty cell; None: the column is mandatory.
    """

    parse: Parse
    expected: str
    default: Any = None


def numbers(dtype: Any) -> Parse:
    """Cells that are numbers of a dtype."""

    def parse(cells: pa.Array) -> NDArray[Any]:
        import pyarrow as pa
        import pyarrow.compute as pc

        trimmed = pc.utf8_trim_whitespace(cells)
        return pc.cast(trimmed, pa.from_numpy_dtype(dtype)).to_numpy(zero_copy_only=False)

    return parse


def words(cells: pa.Array) -> NDArray[Any]:
    """Cells as they are."""
    return cells.to_numpy(zero_copy_only=False)


def codes(kind: type[IntEnum]) -> Parse:
    """Cells that are members of an enumeration, by name or by number."""
    known = {str(int(one)): int(one) for one in kind} | {one.name: int(one) for one in kind}
    values = np.array([*known.values()], dtype=np.int8)

    def parse(cells: pa.Array) -> NDArray[Any]:
        import pyarrow as pa
        import pyarrow.compute as pc

        found = pc.index_in(pc.utf8_upper(pc.utf8_trim_whitespace(cells)), pa.array(known))
        if found.null_count:
            raise ValueError("unknown code")
        return values[found.to_numpy()]

    return parse


def times(cells: pa.Array) -> NDArray[Any]:
    """Cells that are milliseconds since 1970 or ISO 8601 -> ``(n,)`` int64 milliseconds."""
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = pc.utf8_trim_whitespace(cells)
    plain = pc.match_substring_regex(cells, r"^[+-]?\d+$")
    zoned = pc.match_substring_regex(cells, r"(Z|[+-]\d\d:?\d\d)$")
    zoned = pc.and_(zoned, pc.match_substring_regex(cells, ":"))
    result = np.empty(len(cells), dtype=np.int64)
    for mask, kind, divisor in (
        (plain, pa.int64(), 1),
        (pc.and_not(zoned, plain), pa.timestamp("us", "UTC"), 1000),
        (pc.invert(pc.or_(plain, zoned)), pa.timestamp("us"), 1000),
    ):
        values = pc.cast(pc.cast(cells.filter(mask), kind), pa.int64())
        result[mask.to_numpy(zero_copy_only=False)] = values.to_numpy() // divisor
    return result


@attrs.frozen
class Parsed:
    """What a CSV file holds: its table, the row number (from 1) of each row, what is wrong, and unknown columns."""

    table: Table
    rows: NDArray[np.int64]
    problems: list[str]
    unknown: list[str]


def read_csv(data: bytes, file: str, columns: Mapping[str, Column]) -> Parsed:
    """Read the known columns of a CSV file; nothing is raised, problems are listed."""
    import pyarrow as pa
    from pyarrow import csv

    ragged: dict[int, str] = {}

    def note(row: csv.InvalidRow) -> str:
        number = row.number - 1  # its count begins with the header
        ragged[number] = (
            f"{file}: row {number}: expected {row.expected_columns} cells, got {row.actual_columns}"
        )
        return "skip"

    try:
        raw = csv.read_csv(
            pa.py_buffer(data),
            read_options=csv.ReadOptions(use_threads=False),
            parse_options=csv.ParseOptions(invalid_row_handler=note, newlines_in_values=b'"' in data),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        return Parsed(Table({}), np.empty(0, np.int64), [f"{file}: expected CSV with a header: {error}"], [])
    rows = np.delete(np.arange(1, len(raw) + len(ragged) + 1), np.array([*ragged], dtype=np.int64) - 1)
    return _converted(raw, rows, file, columns, [*ragged.values()])


def _converted(
    raw: pa.Table, rows: NDArray[np.int64], file: str, columns: Mapping[str, Column], problems: list[str]
) -> Parsed:
    names = raw.column_names
    problems += [
        f"{file}: {name}: {names.count(name)} columns of this name"
        for name in sorted({*names})
        if names.count(name) > 1
    ]
    missing = [name for name, column in columns.items() if column.default is None and name not in names]
    problems += [f"{file}: {name}: mandatory column is missing, got {', '.join(names)}" for name in missing]
    values: dict[str, NDArray[Any]] = {}
    for name in [name for name in columns if names.count(name) == 1]:
        cells = raw[name].combine_chunks()
        try:
            values[name] = _values(cells, columns[name])
        except ValueError:
            problems.append(f"{file}: {name}: {_complaint(cells, columns[name], rows)}")
    unknown = [name for name in names if name not in columns]
    return Parsed(Table({} if problems else values), rows, problems, unknown)


def _values(cells: pa.Array, column: Column) -> NDArray[Any]:
    import pyarrow.compute as pc

    if column.default is None:
        return column.parse(cells)
    given = pc.not_equal(cells, "")
    parsed = column.parse(cells.filter(given))
    if len(parsed) == len(cells):
        return parsed
    values = np.full(len(cells), column.default, dtype=parsed.dtype)
    values[given.to_numpy(zero_copy_only=False)] = parsed
    return values


def _complaint(cells: pa.Array, column: Column, rows: NDArray[np.int64]) -> str:
    wrong = [*_wrong(cells, column, 0)]
    return (
        f"{len(wrong)} values are not {column.expected}, first in row {rows[wrong[0]]}:"
        f" {cells[wrong[0]].as_py()[:60]!r}"
    )


def _wrong(cells: pa.Array, column: Column, begin: int) -> Iterator[int]:
    """Rows that cannot be read, found by halving."""
    try:
        _values(cells, column)
    except ValueError:
        if len(cells) == 1:
            yield begin
            return
        half = len(cells) // 2
        yield from _wrong(cells[:half], column, begin)
        yield from _wrong(cells[half:], column, begin + half)
