"""Public click logs as rows: libsvm and CSV files, with a vocabulary that is learned on the training file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import attrs
import numpy as np
import pyarrow as pa
from attrs.validators import ge, min_len
from pyarrow import csv

from components.models.files import atomic_file
from components.models.heavy_ranker.config import FeatureConfig, IdConfig
from components.models.heavy_ranker.rows import MISSING_ID, Rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

CLICK = "click"
TOKENS = "tokens"


@attrs.frozen
class ClickDataConfig:
    """How a click log is laid out.

    Attributes:
        format: ``auto`` takes ``libsvm`` for files named ``*.libsvm`` or ``*.libfm``, else ``csv``.
        label: CSV column of 0 and 1; libsvm files start every line with it (-1 counts as 0).
        numeric: CSV columns that are numbers; all others are categories.
        multi_valued: CSV column -> the separator of its values.
        ignored: CSV columns to leave out.
        min_count: values seen less often in training count as missing, as do values never seen.
    """

    format: Literal["auto", "csv", "libsvm"] = "auto"
    label: str = attrs.field(default="label", validator=min_len(1))
    numeric: tuple[str, ...] = ()
    multi_valued: dict[str, str] = attrs.field(factory=dict)
    ignored: tuple[str, ...] = ()
    min_count: int = attrs.field(default=1, validator=ge(1))


@attrs.frozen(eq=False)
class ClickLog:
    """A file as columns: categories as lists of texts, numbers, labels."""

    categories: Mapping[str, list[list[str]]]
    numbers: Mapping[str, NDArray[np.float32]]
    labels: NDArray[np.float32]


def read_click_log(path: str | Path, layout: ClickDataConfig) -> ClickLog:
    """Reads one file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line or column is not as the layout says; names file, line or column.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{path}: expected a click log, found no file")
    named = file.suffix in {".libsvm", ".libfm", ".svm"}
    chosen = ("libsvm" if named else "csv") if layout.format == "auto" else layout.format
    return _read_libsvm(file) if chosen == "libsvm" else _read_csv(file, layout)


def _read_libsvm(file: Path) -> ClickLog:
    labels: list[float] = []
    tokens: list[list[str]] = []
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            label, *pairs = line.split()
            keys = [pair.removesuffix(":1") for pair in pairs]
            if label not in {"0", "1", "-1"} or any(":" in key for key in keys):
                raise ValueError(
                    f"{file}:{number}: expected '0|1 INDEX:1 INDEX:1 ...', got {line.strip()[:60]!r}; "
                    "files with numbers other than 1 are read as CSV with numeric columns"
                )
            labels.append(max(float(label), 0.0))
            tokens.append(keys)
    widths = {len(keys) for keys in tokens}
    columns = {TOKENS: tokens}
    if len(widths) == 1:
        # Every line holds one value of every field, in the same place.
        columns = {f"field_{place}": [[keys[place]] for keys in tokens] for place in range(widths.pop())}
    return ClickLog(columns, {}, np.array(labels, np.float32))


def _read_csv(file: Path, layout: ClickDataConfig) -> ClickLog:
    with file.open("rb") as stream:
        names = next(iter(stream), b"").decode().strip().replace('"', "").split(",")
    wanted = {layout.label, *layout.numeric, *layout.multi_valued, *layout.ignored}
    absent = sorted(wanted - set(names))
    if absent:
        raise ValueError(f"{file}: expected columns {absent}, got {names}")
    numeric = {layout.label, *layout.numeric}
    types = {name: pa.float32() if name in numeric else pa.string() for name in names}
    try:
        table = csv.read_csv(file, convert_options=csv.ConvertOptions(column_types=types))
    except pa.ArrowInvalid as error:
        raise ValueError(f"{file}: {error}") from error
    labels = table[layout.label].to_numpy()
    if not np.isin(labels, (0.0, 1.0)).all():
        raise ValueError(f"{file}: column {layout.label}: expected 0 and 1, got {np.unique(labels)[:5]}")
    chosen = [name for name in names if name not in numeric and name not in layout.ignored]
    categories = {name: _values(table[name].to_pylist(), layout.multi_valued.get(name)) for name in chosen}
    numbers = {name: table[name].to_numpy().astype(np.float32) for name in layout.numeric}
    return ClickLog(categories, numbers, labels.astype(np.float32))


def _values(column: list[str | None], separator: str | None) -> list[list[str]]:
    if separator is None:
        return [[value] if value else [] for value in column]
    return [[part for part in (value or "").split(separator) if part] for value in column]


@attrs.frozen
class Encoder:
    """The vocabulary of every category and the names of the numbers; what turns a log into rows."""

    vocabularies: Mapping[str, Mapping[str, int]]
    lengths: Mapping[str, int]
    numbers: tuple[str, ...]

    @classmethod
    def fit(cls, log: ClickLog, min_count: int = 1) -> Self:
        """Learns from a training log which values there are."""
        vocabularies, lengths = {}, {}
        for name, rows in log.categories.items():
            flat = np.array([value for row in rows for value in row], dtype=np.str_)
            values, counts = np.unique(flat, return_counts=True)
            kept = values[counts >= min_count]
            # A table needs a row even when every value is rare.
            vocabularies[name] = {str(value): place for place, value in enumerate(kept)} or {"": 0}
            lengths[name] = max(1, max((len(row) for row in rows), default=1))
        return cls(vocabularies, lengths, tuple(log.numbers))

    def rows(self, log: ClickLog) -> Rows:
        """Rows with one id feature a category; more values than training ever saw in a row are cut.

        Raises:
            ValueError: the log has other columns than the training log.
        """
        if set(log.categories) != set(self.vocabularies) or set(log.numbers) != set(self.numbers):
            raise ValueError(
                f"expected columns {sorted([*self.vocabularies, *self.numbers])}, "
                f"got {sorted([*log.categories, *log.numbers])}"
            )
        count = len(log.labels)
        numbers = [log.numbers[name] for name in self.numbers]
        continuous = np.stack(numbers, axis=1) if numbers else np.empty((count, 0), np.float32)
        ids = {name: self._ids(name, log.categories[name]) for name in self.vocabularies}
        return Rows(continuous, np.empty((count, 0), np.float32), ids=ids, labels={CLICK: log.labels})

    def features(self, dim: int) -> FeatureConfig:
        """The input layer for these columns."""
        ids = {
            name: IdConfig(len(words), dim, "plain", length=self.lengths[name])
            for name, words in self.vocabularies.items()
        }
        return FeatureConfig(len(self.numbers), ids=ids, missing="mask" if self.numbers else "zero")

    def save(self, path: Path) -> None:
        """Writes JSON; it appears whole or not at all."""
        with atomic_file(path) as temporary:
            temporary.write_text(json.dumps(attrs.asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what ``save`` wrote."""
        plain = json.loads(path.read_text(encoding="utf-8"))
        return cls(plain["vocabularies"], plain["lengths"], tuple(plain["numbers"]))

    def _ids(self, name: str, rows: list[list[str]]) -> NDArray[np.int64]:
        words, length = self.vocabularies[name], self.lengths[name]
        padded = ([words.get(value, MISSING_ID) for value in row[:length]] for row in rows)
        return np.array([row + [MISSING_ID] * (length - len(row)) for row in padded], np.int64).reshape(
            -1, length
        )
