"""Does anything know the future? Checks for data sets, tables of features, and the code that makes features."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.datasets.dataset import Dataset
from components.datasets.errors import DataError
from components.datasets.table import Table


class LeakError(DataError):
    """Something at hand was not yet known at the moment of prediction."""


def assert_no_leak(data: Dataset | Table | Mapping[str, Table], cutoff_ms: int) -> None:
    """Raise unless everything was known strictly before a moment.

    In every table, each column whose name ends in ``_ms`` counts as the time of its row. A label of a post that is
    not there speaks of a later post. Undated preferences leak by
    themselves: nobody can tell whether they are older than the cutoff. A table of features must have at least one
    such column (say ``time_ms``, the latest event it was made from), for without it nothing could be said.

    Raises:
        LeakError: lists table, column, number of rows and first row of every leak.
    """
    tables = (
        data.tables if isinstance(data, Dataset) else {"features": data} if isinstance(data, Table) else data
    )
    problems: list[str] = []
    for name, table in tables.items():
        if name == "undated" and len(table):
            problems.append(
                f"undated: {len(table)} preferences without a date; leave them out before {cutoff_ms}"
            )
        elif len(table):
            problems += _late(name, table, cutoff_ms)
    problems += _of_the_unknown(tables)
    if isinstance(data, Table) and not any(column.endswith("_ms") for column in data):
        problems.append(f"features: expected a column ending in _ms, got {', '.join(data) or 'none'}")
    if problems:
        raise LeakError(f"as of {cutoff_ms}", problems)


def _late(name: str, table: Table, cutoff_ms: int) -> Iterator[str]:
    for column in table:
        if not column.endswith("_ms") or (name, column) == ("users", "created_ms"):
            continue
        late = (table[column] >= cutoff_ms).nonzero()[0]
        if len(late):
            value = table[column][late[0]]
            yield f"{name}.{column}: {len(late)} at or after the cutoff, first in row {late[0]}: {value}"


def _of_the_unknown(tables: Mapping[str, Table]) -> Iterator[str]:
    if "labels" in tables and "posts" in tables:
        ids = tables["labels"]["post_id"]
        unknown = (~np.isin(ids, tables["posts"]["post_id"])).nonzero()[0]
        if len(unknown):
            first = f"first in row {unknown[0]}: {ids[unknown[0]]}"
            yield f"labels.post_id: {len(unknown)} of posts that are not known yet, {first}"


def assert_features_ignore_the_future(
    build: Callable[[Dataset], Mapping[str, Any]], data: Dataset, cutoff_ms: int
) -> None:
    """Raise unless features come out the same whether or not the future is there to be looked at.

    ``build`` is called with all data and with ``data.as_of(cutoff_ms)``. Whatever differs was made from
    something later than the cutoff, or from something without a date, however well it is hidden.

    Args:
        build: data -> arrays by name, as of the cutoff.
        data: what reaches beyond the cutoff.
        cutoff_ms: the moment of prediction.

    Raises:
        LeakError: lists every feature that changed.
    """
    honest, tempted = build(data.as_of(cutoff_ms)), build(data)
    problems = [f"{name}: made with the future only" for name in tempted if name not in honest]
    for name, values in honest.items():
        if name not in tempted:
            problems.append(f"{name}: made without the future only")
        else:
            problems += _changed(name, np.asarray(values), np.asarray(tempted[name]))
    if problems:
        raise LeakError(f"features as of {cutoff_ms}", problems)


def _changed(name: str, honest: NDArray[Any], tempted: NDArray[Any]) -> Iterator[str]:
    if honest.shape != tempted.shape:
        yield f"{name}: shape {honest.shape} becomes {tempted.shape} when the future is there"
        return
    same = honest == tempted
    if honest.dtype.kind == "f":
        same |= np.isnan(honest) & np.isnan(tempted)
    rows = np.unique((~same).nonzero()[0])
    if len(rows):
        yield f"{name}: {len(rows)} rows change when the future is there, first row {rows[0]}"
