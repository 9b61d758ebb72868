"""Shards: what is read is what was written, in an order that the seed alone decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.models.heavy_ranker.datasets import (
    BatchOrder,
    MemoryDataset,
    ParquetDataset,
    in_order,
    write_shard,
)
from components.models.heavy_ranker.rows import Rows, check_features

if TYPE_CHECKING:
    from pathlib import Path


@attrs.frozen
class Numbered:
    """Shards of rows whose only feature is their number."""

    shard_rows: tuple[int, ...]
    name: str = "numbered"
    label_names: tuple[str, ...] = ()
    weighted: bool = False

    def load(self, shard: int) -> Rows:
        first = sum(self.shard_rows[:shard])
        values = np.arange(first, first + self.shard_rows[shard], dtype=np.float32)[:, None]
        return Rows(values, values[:, :0])


shards = st.lists(st.integers(1, 12), min_size=1, max_size=5).map(tuple)


@settings(max_examples=60)
@given(shard_rows=shards, batch=st.integers(1, 8), seed=st.integers(0, 5), epoch=st.integers(0, 2))
def test_an_epoch_holds_every_row_at_most_once_and_only_a_remainder_is_missing(
    shard_rows, batch, seed, epoch
) -> None:
    total = sum(shard_rows)
    if total < batch:
        return
    order = BatchOrder(Numbered(shard_rows), batch, seed)
    steps = range(epoch * order.steps_per_epoch, (epoch + 1) * order.steps_per_epoch)
    seen = np.concatenate([order.batch(step)[1] for step in steps])
    assert len(seen) == len(set(seen.tolist())) == total - total % batch
    for step in steps:
        rows, numbers = order.batch(step)
        np.testing.assert_array_equal(rows.continuous[:, 0], numbers)


@settings(max_examples=30)
@given(shard_rows=shards, seed=st.integers(0, 5), workers=st.sampled_from([1, 2, 3]))
def test_workers_share_every_batch_without_overlap(shard_rows, seed, workers) -> None:
    if sum(shard_rows) < 6:
        return
    alone = BatchOrder(Numbered(shard_rows), 6, seed)
    parts = [BatchOrder(Numbered(shard_rows), 6, seed, worker, workers) for worker in range(workers)]
    for step in range(alone.steps_per_epoch):
        joined = np.concatenate([part.batch(step)[1] for part in parts])
        np.testing.assert_array_equal(joined, alone.batch(step)[1])


def test_any_step_can_be_read_without_those_before_it() -> None:
    data = Numbered((5, 9, 3))
    walked = BatchOrder(data, 4, 1)
    numbers = [walked.batch(step)[1] for step in range(9)]
    np.testing.assert_array_equal(BatchOrder(data, 4, 1).batch(8)[1], numbers[8])
    assert not np.array_equal(numbers[0], BatchOrder(data, 4, 2).batch(0)[1])


def test_too_few_rows_for_a_batch_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one batch of 8 rows, got 3"):
        BatchOrder(Numbered((3,)), 8, 0)


def test_parquet_gives_back_what_was_written(tmp_path: Path, tiny, rows_for) -> None:
    parts = [rows_for(tiny, 11, 0), rows_for(tiny, 7, 1)]
    for index, part in enumerate(parts):
        write_shard(attrs.evolve(part, weights=np.arange(len(part), dtype=np.float32)), tmp_path, index)
    dataset = ParquetDataset.open(tmp_path)
    assert dataset.shard_rows == (11, 7)
    assert dataset.label_names == tiny.label_names
    assert dataset.weighted
    found, expected = Rows.concat(list(in_order(dataset, 5))), Rows.concat(parts)
    np.testing.assert_array_equal(found.continuous, expected.continuous)
    np.testing.assert_array_equal(found.binary, expected.binary)
    for name in expected.embeddings:
        missing = np.isnan(expected.embeddings[name][:, 0])
        assert missing.any()
        np.testing.assert_array_equal(np.isnan(found.embeddings[name]).all(axis=1), missing)
        np.testing.assert_array_equal(found.embeddings[name][~missing], expected.embeddings[name][~missing])
    for name in expected.ids:
        np.testing.assert_array_equal(found.ids[name], expected.ids[name])
    for name in expected.labels:
        np.testing.assert_array_equal(found.labels[name], expected.labels[name])


def test_a_folder_without_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected shards named part-\*\.parquet"):
        ParquetDataset.open(tmp_path)


def test_shards_with_different_columns_are_refused(tmp_path: Path, tiny, rows_for) -> None:
    rows = rows_for(tiny, 4)
    write_shard(rows, tmp_path, 0)
    write_shard(attrs.evolve(rows, weights=np.ones(4, np.float32)), tmp_path, 1)
    with pytest.raises(ValueError, match=r"part-00001\.parquet: expected the columns of part-00000"):
        ParquetDataset.open(tmp_path)


def test_rows_that_do_not_fit_name_every_wrong_column(tiny, rows_for) -> None:
    rows = rows_for(tiny, 4)
    wrong = attrs.evolve(rows, binary=rows.binary[:, :2], embeddings={"user": rows.embeddings["user"]})
    with pytest.raises(
        ValueError, match=r"binary: expected shape \(4, 4\), got \(4, 2\); embedding author: .* no column"
    ):
        check_features(wrong, tiny.features)


def test_rows_in_memory_are_one_shard(tiny, rows_for) -> None:
    rows = rows_for(tiny, 9)
    assert MemoryDataset(rows).shard_rows == (9,)
    assert MemoryDataset(rows).load(0) is rows
