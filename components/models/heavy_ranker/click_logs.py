"""Public click logs as columns: CSV, libsvm and libffm files, plain or compressed."""

from __future__ import annotations

import csv as header_reader
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import attrs
import numpy as np
import pyarrow as pa
from attrs.validators import ge, min_len
from pyarrow import csv

from components.models.heavy_ranker.libsvm import LINE, read_libsvm
from components.models.heavy_ranker.log_columns import Category, ClickLog, labels_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEPARATORS = ",\t;|"


@attrs.frozen
class ClickDataConfig:
    """How a click log is laid out.

    Attributes:
        format: ``auto`` looks at the first line: ``libsvm`` (or libffm) where it reads ``1 INDEX:1 ...``, else ``csv``.
        label: CSV column of 0 and 1; libsvm lines start with it. -1 counts as 0.
        numeric: CSV columns that are numbers; all others are categories.
        multi_valued: CSV column -> the separator of its values.
        ignored: CSV columns to leave out.
        min_count: values seen less often in training share one vector, which values never seen take, too.
    """

    format: Literal["auto", "csv", "libsvm"] = "auto"
    label: str = attrs.field(default="label", validator=min_len(1))
    numeric: tuple[str, ...] = ()
    multi_valued: dict[str, str] = attrs.field(factory=dict)
    ignored: tuple[str, ...] = ()
    min_count: int = attrs.field(default=1, validator=ge(1))


def read_click_log(path: str | Path, layout: ClickDataConfig) -> ClickLog:
    """Reads one file; ``.gz``, ``.bz2``, ``.zst`` and ``.lz4`` are unpacked on the way.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line or column is not as the layout says; names file, line or column.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{path}: expected a click log, found no file")
    first = _first_line(file)
    named = not {".libsvm", ".libffm", ".libfm", ".svm"}.isdisjoint(file.suffixes)
    chosen = "libsvm" if named or re.fullmatch(LINE, first.strip()) else "csv"
    try:
        if (chosen if layout.format == "auto" else layout.format) == "libsvm":
            return read_libsvm(file)
        return _read_csv(file, first, layout)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{file}: {error}") from error


def _first_line(file: Path) -> str:
    with pa.input_stream(str(file)) as stream:
        start = stream.read(1 << 16)
    return (start.splitlines() or [b""])[0].decode("utf-8-sig", errors="replace")


def _read_csv(file: Path, header: str, layout: ClickDataConfig) -> ClickLog:
    separator = max(SEPARATORS, key=header.count)
    names = [name.strip() for name in next(header_reader.reader([header], delimiter=separator), [])]
    _check_names(file, names, layout)
    numeric = {layout.label, *layout.numeric}
    text = pa.dictionary(pa.int32(), pa.string())
    table = csv.read_csv(
        file,
        # One thread: with more, Arrow cannot say in which row an error is.
        csv.ReadOptions(use_threads=False, column_names=names, skip_rows=1),
        csv.ParseOptions(delimiter=separator, newlines_in_values=True),
        csv.ConvertOptions(
            include_columns=[name for name in names if name not in layout.ignored],
            column_types={name: pa.float32() if name in numeric else text for name in names},
        ),
    ).unify_dictionaries()
    chosen = [name for name in table.column_names if name not in numeric]
    return ClickLog(
        str(file),
        {name: _category(table[name], layout.multi_valued.get(name)) for name in chosen},
        {name: table[name].to_numpy().astype(np.float32) for name in layout.numeric},
        labels_of(table[layout.label].to_numpy(), file, first_line=2),
    )


def _check_names(file: Path, names: list[str], layout: ClickDataConfig) -> None:
    absent = sorted({layout.label, *layout.numeric, *layout.multi_valued} - set(names))
    if absent:
        raise ValueError(
            f"{file}:1: expected a header with columns {absent} (data.label, data.numeric and data.multi_valued name "
            f"them), got {names[:20]}"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{file}:1: expected different names for all columns, got {twice} more than once")


def _category(column: pa.ChunkedArray, separator: str | None) -> Category:
    joined = pa.concat_arrays(column.chunks) if column.num_chunks else column.combine_chunks()
    words, codes = joined.dictionary.to_pylist(), joined.indices.fill_null(-1).to_numpy()
    if separator is None:
        # An empty field is a missing one; the last entry answers code -1.
        kept = np.array([*(place if word else -1 for place, word in enumerate(words)), -1], np.int32)
        return Category(words, kept[codes][:, None])
    lists = [[part for part in (text or "").split(separator) if part] for text in words]
    parts = sorted({part for parts in lists for part in parts})
    place = {part: number for number, part in enumerate(parts)}
    padded = _padded([[place[part] for part in parts] for parts in [*lists, []]])
    return Category(parts, padded[codes])


def _padded(rows: list[list[int]]) -> NDArray[np.int32]:
    length = max(1, *(len(row) for row in rows))
    return np.array([row + [-1] * (length - len(row)) for row in rows], np.int32)
