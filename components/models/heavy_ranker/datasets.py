"""Training data: Parquet shards on disk or rows in memory, read in an order that is a function of the seed."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.files import atomic_file
from components.models.heavy_ranker.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

LABEL, EMBEDDING, ID = "label.", "embedding.", "id."


class Dataset(Protocol):
    """Shards of rows; ``shard_rows`` are their lengths."""

    @property
    def name(self) -> str: ...

    @property
    def shard_rows(self) -> tuple[int, ...]: ...

    @property
    def label_names(self) -> tuple[str, ...]: ...

    @property
    def weighted(self) -> bool: ...

    def load(self, shard: int) -> Rows: ...


@attrs.frozen(eq=False)
class MemoryDataset:
    """Rows that are already in memory, as one shard."""

    rows: Rows
    name: str = "rows in memory"

    @property
    def shard_rows(self) -> tuple[int, ...]:
        return (len(self.rows),)

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(self.rows.labels)

    @property
    def weighted(self) -> bool:
        return self.rows.weights is not None

    def load(self, shard: int) -> Rows:
        return self.rows


@attrs.frozen(eq=False)
class ParquetDataset:
    """A folder of ``part-*.parquet``.

    Columns: ``continuous``, ``binary`` and ``embedding.NAME`` are fixed-size lists of float32 (a null embedding is
    missing), ``id.NAME`` of int64, ``label.NAME`` and the optional ``weight`` are numbers.
    """

    folder: Path
    files: tuple[Path, ...]
    shard_rows: tuple[int, ...]
    columns: tuple[str, ...]

    @classmethod
    def open(cls, folder: str | Path) -> ParquetDataset:
        """Reads the footers only.

        Raises:
            FileNotFoundError: the folder holds no shard.
            ValueError: two shards have different columns.
        """
        files = tuple(sorted(Path(folder).glob("part-*.parquet")))
        if not files:
            raise FileNotFoundError(f"{folder}: expected shards named part-*.parquet, found none")
        schemas = [pq.read_schema(file) for file in files]
        for file, schema in zip(files, schemas, strict=True):
            if schema != schemas[0]:
                raise ValueError(f"{file}: expected the columns of {files[0].name}, got {schema.names}")
        rows = tuple(pq.read_metadata(file).num_rows for file in files)
        return cls(Path(folder), files, rows, tuple(schemas[0].names))

    @property
    def name(self) -> str:
        return str(self.folder)

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(name.removeprefix(LABEL) for name in self.columns if name.startswith(LABEL))

    @property
    def weighted(self) -> bool:
        return "weight" in self.columns

    def load(self, shard: int) -> Rows:
        return rows_of(pq.read_table(self.files[shard]))


def rows_of(table: pa.Table) -> Rows:
    """Rows of an Arrow table with the columns that ``ParquetDataset`` describes."""
    count = table.num_rows

    def matrix(name: str) -> NDArray:
        return _matrix(table[name]) if name in table.column_names else np.empty((count, 0), np.float32)

    def named(prefix: str) -> Iterator[tuple[str, str]]:
        return ((name, name.removeprefix(prefix)) for name in table.column_names if name.startswith(prefix))

    return Rows(
        matrix("continuous"),
        matrix("binary"),
        {short: matrix(name) for name, short in named(EMBEDDING)},
        {short: matrix(name) for name, short in named(ID)},
        {short: table[name].to_numpy().astype(np.float32) for name, short in named(LABEL)},
        table["weight"].to_numpy().astype(np.float32) if "weight" in table.column_names else None,
    )


def _matrix(column: pa.ChunkedArray) -> NDArray:
    lists = column.combine_chunks()
    lists = lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists
    width = lists.type.list_size
    values = lists.values[lists.offset * width : (lists.offset + len(lists)) * width]
    dense = values.to_numpy(zero_copy_only=False).reshape(len(lists), width)
    if not lists.null_count:
        return dense
    dense = dense.copy()
    dense[lists.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return dense


def table_of(rows: Rows) -> pa.Table:
    """The Arrow table of rows; an embedding that starts with NaN becomes null."""
    columns = {"continuous": _lists(rows.continuous), "binary": _lists(rows.binary)}
    for name, array in rows.embeddings.items():
        columns[EMBEDDING + name] = _lists(array, np.isnan(array[:, 0]))
    columns |= {ID + name: _lists(array) for name, array in rows.ids.items()}
    columns |= {LABEL + name: pa.array(array.astype(np.uint8)) for name, array in rows.labels.items()}
    if rows.weights is not None:
        columns["weight"] = pa.array(rows.weights)
    return pa.table({name: column for name, column in columns.items() if column is not None})


def _lists(array: NDArray, missing: NDArray[np.bool_] | None = None) -> pa.Array | None:
    if not array.shape[1]:
        return None
    mask = None if missing is None else pa.array(missing)
    return pa.FixedSizeListArray.from_arrays(pa.array(array.reshape(-1)), array.shape[1], mask=mask)


def write_shard(rows: Rows, folder: Path, index: int) -> Path:
    """Writes one shard; it appears whole or not at all."""
    path = folder / f"part-{index:05d}.parquet"
    with atomic_file(path) as temporary:
        pq.write_table(table_of(rows), temporary, compression="zstd")
    return path


class BatchOrder:
    """Which rows make the batch of a step: a function of (seed, step), so that a resumed run reads on exactly.

    Every epoch permutes the shards, and the rows within each shard. Rows left over at the end of an epoch are
    dropped; a later epoch holds them back elsewhere. With several workers each takes its own part of every batch.
    """

    def __init__(
        self, dataset: Dataset, batch_size: int, seed: int, worker: int = 0, workers: int = 1
    ) -> None:
        total = sum(dataset.shard_rows)
        if total < batch_size:
            raise ValueError(f"{dataset.name}: expected at least one batch of {batch_size} rows, got {total}")
        if batch_size % workers:
            raise ValueError(f"batch_size: expected a multiple of {workers} workers, got {batch_size}")
        self._dataset, self._seed = dataset, seed
        self._batch, self._share = batch_size, batch_size // workers
        self._offset = worker * self._share
        self.steps_per_epoch = total // batch_size
        self._first_row = np.concatenate([[0], np.cumsum(dataset.shard_rows)])
        self._shard = functools.lru_cache(maxsize=2)(self._load_permuted)
        self._shards = functools.lru_cache(maxsize=1)(self._permute_shards)

    def batch(self, step: int) -> tuple[Rows, NDArray[np.int64]]:
        """Rows of a step, and each row's number in the data set."""
        epoch, index = divmod(step, self.steps_per_epoch)
        start = index * self._batch + self._offset
        shards, ends = self._shards(epoch)
        parts, numbers = [], []
        for place in range(int(np.searchsorted(ends, start, side="right")), len(shards)):
            begin = ends[place] - self._dataset.shard_rows[shards[place]]
            low, high = max(start - begin, 0), start + self._share - begin
            rows, order = self._shard(epoch, int(shards[place]))
            parts.append(rows.take(order[low:high]))
            numbers.append(order[low:high] + self._first_row[shards[place]])
            if high <= len(order):
                break
        return Rows.concat(parts), np.concatenate(numbers)

    def _permute_shards(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._dataset.shard_rows))
        return order, np.cumsum(np.asarray(self._dataset.shard_rows)[order])

    def _load_permuted(self, epoch: int, shard: int) -> tuple[Rows, NDArray[np.int64]]:
        rows = self._dataset.load(shard)
        return rows, np.random.default_rng([self._seed, epoch, 1 + shard]).permutation(len(rows))


def in_order(dataset: Dataset, batch_size: int) -> Iterator[Rows]:
    """All rows once, in the order in which they are stored."""
    for shard in range(len(dataset.shard_rows)):
        rows = dataset.load(shard)
        for start in range(0, len(rows), batch_size):
            yield rows.take(slice(start, start + batch_size))
