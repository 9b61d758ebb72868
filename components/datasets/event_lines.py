"""Lines of an event log: records to JSON and back into tables, each row with the moment from which it counts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from components.datasets.dataset import FOREVER_MS, Dataset
from components.datasets.errors import DataError
from components.datasets.schema import CLOCKS, MANDATORY, SCHEMA, Field
from components.datasets.table import Table

if TYPE_CHECKING:
    import pyarrow as pa

Events: TypeAlias = dict[str, Table]
"""Tables by name, with a column :data:`MOMENT` beside those of the schema."""
MOMENT = "moment_ms"
DELETIONS = "deletions"
KEYS: Mapping[str, tuple[str, ...]] = {
    "posts": ("post_id",),
    "follows": ("follower_id", "followee_id"),
    "relations": ("user_id", "subject_id", "kind"),
}
"""What can be deleted, and the columns that say which."""
_IDS = dict.fromkeys([column for columns in KEYS.values() for column in columns])
TABLES: Mapping[str, Mapping[str, Field]] = {
    **SCHEMA,
    DELETIONS: {
        "of": Field(object, "posts, follows or relations"),
        "time_ms": Field(np.int64, "when"),
        **{name: Field(np.int8 if name == "kind" else np.int64, "-1 if none", -1) for name in _IDS},
    },
}
_CLOCKS = {**CLOCKS, DELETIONS: "time_ms"}
_MOST_LISTED = 20


def lines_of(records: Iterable[Mapping[str, Any]]) -> bytes:
    """A line of JSON for each record; what is None or NaN is left out."""
    lines = (
        json.dumps(
            {name: value for name, value in record.items() if value is not None and value == value},  # noqa: PLR0124
            default=_plain,
            ensure_ascii=False,
            separators=(",", ":"),
        )
        for record in records
    )
    return "".join(f"{line}\n" for line in lines).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise DataError("record", [f"expected numbers and text, got {value!r}"])


def records_of(data: Dataset, block: int) -> Iterator[list[dict[str, Any]]]:
    """The rows of a data set as records in order of time, undated preferences last; defaults are left out."""
    names = ["topics", "users", *(name for name in SCHEMA if name not in ("topics", "users"))]
    moments = [_moments_in(data, name) for name in names]
    table = np.repeat(np.arange(len(names), dtype=np.int8), [len(one) for one in moments])
    row = np.concatenate([np.arange(len(one)) for one in moments])
    order = np.argsort(np.concatenate(moments), kind="stable")
    for begin in range(0, len(order), block):
        chosen = order[begin : begin + block]
        records: list[dict[str, Any]] = [{}] * len(chosen)
        for number in np.unique(table[chosen]).tolist():
            places = (table[chosen] == number).nonzero()[0]
            rows = _records(names[number], data[names[number]].take(row[chosen[places]]))
            for place, record in zip(places.tolist(), rows, strict=True):
                records[place] = record
        yield records


def _moments_in(data: Dataset, name: str) -> NDArray[np.int64]:
    table = data[name]
    if name in CLOCKS:
        times = table[CLOCKS[name]]
        return np.where(times == 0, -FOREVER_MS, times) if _may_be_unknown(name) else times
    if name == "labels":  # a label comes right after its post
        by_id = np.argsort(data.posts["post_id"])
        rows = (
            by_id[np.searchsorted(data.posts["post_id"], table["post_id"], sorter=by_id)]
            if len(table)
            else []
        )
        return data.posts["created_ms"][np.asarray(rows, dtype=np.intp)]
    return np.full(len(table), FOREVER_MS if name == "undated" else -FOREVER_MS)


def _records(name: str, rows: Table) -> Iterator[dict[str, Any]]:
    columns = {column: rows[column].tolist() for column in SCHEMA[name]}
    defaults = {column: field.default for column, field in SCHEMA[name].items()}
    for values in zip(*columns.values(), strict=True):
        record = {"table": name}
        for (column, default), value in zip(defaults.items(), values, strict=True):
            if value != default:
                record[column] = value
        yield record


def parse(data: bytes, where: str, first: int, reached: int, lateness_ms: int = FOREVER_MS) -> Events:
    """Lines as tables, each row with its moment.

    Args:
        data: whole lines.
        where: what a line is called in a complaint: ``log.jsonl: line``.
        first: the number of the first line.
        reached: the latest moment before these lines.
        lateness_ms: how far a line may lie before the latest moment ahead of it.

    Raises:
        DataError: lists the lines that are no records of the schema, or too late.
    """
    raw = _read(data, where, first)
    kinds = raw["table"].to_numpy(zero_copy_only=False)
    numbers = np.arange(first, first + len(raw))
    own = np.full(len(raw), -FOREVER_MS)
    problems: list[str] = []
    tables: dict[str, Table] = {}
    for name in dict.fromkeys(kinds.tolist()):
        rows = (kinds == name).nonzero()[0]
        if name not in TABLES:
            known = f"expected a table of {', '.join(TABLES)}, got {name!r}"
            problems.append(f"{where} {numbers[rows[0]]}: {known}")
            continue
        columns = {column: raw[column].combine_chunks().take(rows) for column in TABLES[name]}
        problems += _gaps(columns, TABLES[name], where, numbers[rows])
        tables[name] = Table(
            {column: _filled(cells, TABLES[name][column]) for column, cells in columns.items()}
        )
        if name in _CLOCKS:
            times = tables[name][_CLOCKS[name]]
            own[rows] = np.where(times == 0, -FOREVER_MS, times) if _may_be_unknown(name) else times
    moments, late = _moments(own, reached, lateness_ms)
    problems += [f"{where} {numbers[row]}: {own[row]} is more than {lateness_ms} ms late" for row in late[:1]]
    if problems:
        raise DataError("events", problems)
    return {name: rows.with_columns(**{MOMENT: moments[kinds == name]}) for name, rows in tables.items()}


def _moments(
    own: NDArray[np.int64], reached: int, lateness_ms: int
) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """The moment of each line, and the lines that come too late."""
    latest = np.maximum(np.maximum.accumulate(own), reached) if len(own) else own
    dated = own > -FOREVER_MS
    oldest = np.maximum(latest, -FOREVER_MS + lateness_ms) - lateness_ms
    return np.where(dated, own, latest), (dated & (own < oldest)).nonzero()[0]


def _may_be_unknown(name: str) -> bool:
    return TABLES[name][_CLOCKS[name]].default == 0


def _gaps(
    columns: Mapping[str, pa.Array], fields: Mapping[str, Field], where: str, numbers: NDArray[np.int64]
) -> Iterator[str]:
    for column, cells in columns.items():
        if fields[column].default is MANDATORY and cells.null_count:
            row = np.flatnonzero(cells.is_null().to_numpy(zero_copy_only=False))[0]
            yield f"{where} {numbers[row]}: mandatory {column!r} is missing"


def _filled(cells: pa.Array, field: Field) -> NDArray[Any]:
    if cells.null_count == len(cells) and field.default is not MANDATORY:
        return np.full(len(cells), field.default, dtype=field.dtype)
    if cells.null_count and field.default is not MANDATORY:
        cells = cells.fill_null(field.default)
    return cells.to_numpy(zero_copy_only=False)


def _read(data: bytes, where: str, first: int) -> pa.Table:
    from pyarrow import ArrowInvalid

    try:
        raw = _arrow(data)
    except ArrowInvalid:
        raw = None
    lines = data.splitlines() if raw is None else []
    if raw is None or len(raw) != data.count(b"\n"):
        wrong = [f"{where} {first + number}: {why}" for number, why in _bad(lines or data.split(b"\n")[:-1])]
        raise DataError("events", wrong[:_MOST_LISTED])
    return raw


def _bad(lines: list[bytes]) -> Iterator[tuple[int, str]]:
    """Lines that are no records, and why."""
    from pyarrow import ArrowInvalid

    for number, line in enumerate(lines):
        try:
            if len(_arrow(line)) != 1:
                yield number, "expected one record, got an empty line"
        except ArrowInvalid as error:
            yield number, f"expected a record, got {line[:80].decode(errors='replace')!r}: {error}"


def _arrow(data: bytes) -> pa.Table:
    import pyarrow as pa
    from pyarrow import json as arrow_json

    fields = {column: field.dtype for columns in TABLES.values() for column, field in columns.items()}
    kinds = {
        column: pa.string() if kind is object else pa.from_numpy_dtype(kind)
        for column, kind in fields.items()
    }
    options = arrow_json.ParseOptions(
        explicit_schema=pa.schema({"table": pa.string(), **kinds}), unexpected_field_behavior="error"
    )
    reading = arrow_json.ReadOptions(use_threads=False, block_size=max(len(data), 1))
    return arrow_json.read_json(pa.BufferReader(data), reading, options)
