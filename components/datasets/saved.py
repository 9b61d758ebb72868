"""A data set on disk: a folder with a Parquet file a table and a small manifest.

Opening reads the manifest and the footers of the files; a column is read when somebody first asks for it, so that a
table far larger than what is used of it costs nothing. Files of other writers are welcome, as long as their columns
have the names and kinds of the schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.datasets.checks import problems_of
from components.datasets.dataset import Dataset, LoadReport, completed
from components.datasets.errors import DataError
from components.datasets.table import Lazy, Table
from components.files import atomic_folder

MANIFEST = "dataset.json"
FORMAT, VERSION = "mixer.dataset", 1
_ROW_GROUP = 1 << 20


def is_saved(path: Path) -> bool:
    """True for a folder that :func:`save` wrote."""
    return (path / MANIFEST).is_file()


def save(data: Dataset, folder: Path) -> None:
    """Write a folder that appears whole or not at all; an older data set there is replaced.

    Raises:
        FileExistsError: the folder holds something else than a data set.
    """
    if folder.exists() and not is_saved(folder) and (folder.is_file() or any(folder.iterdir())):
        raise FileExistsError(f"{folder}: expected no such folder, an empty one or a saved data set there")
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "name": data.name,
        "now_ms": int(data.now_ms),
        "report": attrs.asdict(data.report),
        "tables": {name: len(table) for name, table in data.tables.items() if len(table)},
    }
    with atomic_folder(folder) as temporary:
        for name in manifest["tables"]:
            table = data[name]
            columns = {column: _arrow(table[column]) for column in table}
            pq.write_table(pa.table(columns), temporary / f"{name}.parquet", row_group_size=_ROW_GROUP)
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=2, default=int), encoding="utf-8")


def open_saved(folder: Path, *, checked: bool = False) -> Dataset:
    """The data set in a folder; ``checked`` promises that nobody changed it since it was saved.

    Raises:
        DataError: lists everything that is missing, damaged or does not fit, with file, column and first row.
    """
    manifest = _manifest(folder)
    tables: dict[str, Table] = {}
    problems: list[str] = []
    for name, rows in manifest["tables"].items():
        table, found = _opened(folder / f"{name}.parquet", rows)
        problems += found
        tables[name] = table
    if not problems and not checked:
        files = {name: f"{name}.parquet" for name in tables}
        problems = [problem.in_words(files) for problem in problems_of(completed(tables))]
    if problems:
        raise DataError(str(folder), problems)
    report = LoadReport(**manifest["report"])
    return Dataset(manifest["name"], tables, manifest["now_ms"], report, checked=True)


_KEYS: Mapping[str, type] = {"name": str, "now_ms": int, "report": dict, "tables": dict}


def _manifest(folder: Path) -> dict[str, Any]:
    source = str(folder / MANIFEST)
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(source, ["expected the manifest of a saved data set, found nothing there"]) from None
    except ValueError as error:
        raise DataError(source, [f"expected JSON: {error}"]) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise DataError(source, [f"expected a manifest of format {FORMAT!r}"])
    if manifest.get("version") != VERSION:
        raise DataError(source, [f"expected version {VERSION}, got {manifest.get('version')!r}"])
    wrong = [
        f"expected {name!r} to be {kind.__name__}, got {manifest.get(name)!r}"
        for name, kind in _KEYS.items()
        if not isinstance(manifest.get(name), kind)
    ]
    if wrong:
        raise DataError(source, wrong)
    return manifest


def _opened(path: Path, rows: int) -> tuple[Table, list[str]]:
    try:
        footer = pq.read_metadata(path)
    except FileNotFoundError:
        return Table({}), [f"{path.name}: expected a file with {rows} rows, found nothing there"]
    except (OSError, pa.ArrowException) as error:
        return Table({}), [f"{path.name}: cannot be read: {error}"]
    if footer.num_rows != rows:
        return Table({}), [f"{path.name}: expected {rows} rows, got {footer.num_rows}"]
    schema = footer.schema.to_arrow_schema()
    columns = {field.name: Lazy(rows, _dtype(field.type), _Column(path, field.name)) for field in schema}
    return Table(columns), [*_nulls(path, footer, schema)]


def _nulls(path: Path, footer: pq.FileMetaData, schema: pa.Schema) -> Iterator[str]:
    """Columns with nulls, which the tables do not have; the statistics of the file tell without reading it."""
    for number in range(footer.num_columns):
        name = (
            footer.row_group(0).column(number).path_in_schema.split(".")[0] if footer.num_row_groups else ""
        )
        chunks = [footer.row_group(group).column(number) for group in range(footer.num_row_groups)]
        if all(chunk.is_stats_set and chunk.statistics.null_count == 0 for chunk in chunks):
            continue
        column = pq.read_table(path, columns=[name])[name]
        if column.null_count:
            first = int(np.flatnonzero(column.is_null().to_numpy())[0])
            yield f"{path.name}: {name}: {column.null_count} nulls, first in row {first}"


@attrs.frozen
class _Column:
    """Reads one column of a file.

    Raises:
        DataError: the file is damaged or gone.
    """

    path: Path
    name: str

    def __call__(self) -> NDArray[Any]:
        try:
            column = pq.read_table(self.path, columns=[self.name], memory_map=True)[self.name]
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{self.path}: {self.name}", [f"cannot be read: {error}"]) from error
        if pa.types.is_fixed_size_list(column.type):
            values = pa.chunked_array([chunk.flatten() for chunk in column.chunks], column.type.value_type)
            return values.to_numpy().reshape(len(column), column.type.list_size)
        return column.to_numpy()


def _arrow(values: NDArray[Any]) -> pa.Array:
    if values.ndim == 2:
        return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
    return pa.array(values, pa.string()) if values.dtype == object else pa.array(values)


def _dtype(kind: pa.DataType) -> np.dtype[Any]:
    return np.dtype(
        kind.value_type.to_pandas_dtype() if pa.types.is_fixed_size_list(kind) else kind.to_pandas_dtype()
    )
