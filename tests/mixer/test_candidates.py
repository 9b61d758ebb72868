"""Batches behave like lists of rows, whatever was gathered when."""

from __future__ import annotations

import pickle

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mixer as m
from mixer.errors import (
    AbsentColumnError,
    CandidateError,
    ColumnShapeError,
    ColumnTypeError,
    ConfigurationError,
    UnknownColumnError,
)
from mixer.grouping import first_rows
from mixer.ordering import stable_order
from mixer.testing import batches


class Post(m.Candidate):
    author_id = m.column(np.int64)
    score = m.column(np.float32, default=np.nan)
    seen = m.column(np.bool_, default=False)
    vector = m.column(np.float32, shape=(3,), default=0.0)
    text = m.column(str, default="")


class Other(m.Candidate):
    weight = m.column(np.float64)


def posts(*ids: int, **columns) -> m.Candidates[Post]:
    values = {Post.id: np.array(ids, dtype=np.int64), Post.author_id: np.array(ids, dtype=np.int64) % 3}
    return m.Candidates(Post, values | {getattr(Post, name): value for name, value in columns.items()})


class TestAgainstRows:
    """Every method, against the same thing done to a list of row objects."""

    @given(batches(Post), st.data())
    def test_where_keeps_the_rows_of_the_mask(self, batch, data):
        mask = np.array(
            data.draw(st.lists(st.booleans(), min_size=len(batch), max_size=len(batch))), dtype=bool
        )
        assert batch.where(mask).rows() == [row for row, kept in zip(batch.rows(), mask, strict=True) if kept]

    @given(batches(Post, min_size=1), st.data())
    def test_take_gives_rows_by_position(self, batch, data):
        order = data.draw(st.lists(st.integers(0, len(batch) - 1), max_size=40))
        assert batch.take(order).rows() == [batch.rows()[position] for position in order]

    @given(batches(Post), st.integers(-3, 40), st.integers(-3, 40))
    def test_slices_are_those_of_lists(self, batch, start, stop):
        expected = batch.rows()[max(start, 0) : max(stop, 0)]
        assert batch.slice(start, stop).rows() == expected
        assert batch.head(max(stop, 0)).rows() == batch.rows()[: max(stop, 0)]

    @given(batches(Post, overrides={Post.score: st.sampled_from([0.0, -0.0, 1.5, np.nan, np.inf, -np.inf])}))
    def test_sorting_is_stable_and_puts_nan_last(self, batch):
        for descending in (True, False):
            sign = -1.0 if descending else 1.0
            expected = sorted(
                range(len(batch)),
                key=lambda row: (
                    np.isnan(batch[Post.score][row]),
                    sign * np.nan_to_num(batch[Post.score][row], posinf=9e9, neginf=-9e9),
                ),
            )
            found = batch.sort(Post.score, descending=descending)
            assert found.handles.tolist() == batch.handles[expected].tolist()

    @given(batches(Post))
    def test_unique_by_keeps_the_first_of_each_value(self, batch):
        firsts = {row.author_id: row for row in reversed(batch.rows())}
        kept = batch.unique_by(Post.author_id).rows()
        assert sorted(row.author_id for row in kept) == sorted(firsts)
        assert all(firsts[row.author_id] == row for row in kept)

    @given(batches(Post), batches(Post))
    def test_concat_appends_rows(self, one, two):
        assert m.Candidates.concat([one, two]).rows() == one.rows() + two.rows()

    @given(batches(Post), st.data())
    def test_any_sequence_of_operations_equals_the_same_on_rows(self, batch, data):
        rows = batch.rows()
        for operation in data.draw(
            st.lists(st.sampled_from(["where", "reverse", "score", "sort", "head"]), max_size=8)
        ):
            if operation == "where":
                batch, rows = batch.where(batch.ids % 2 == 0), [row for row in rows if row.id % 2 == 0]
            elif operation == "reverse":
                batch, rows = batch.take(range(len(batch) - 1, -1, -1)), rows[::-1]
            elif operation == "score":
                scores = (batch.ids * 7 % 5).astype(np.float32)
                batch = batch.with_columns({Post.score: scores})
                rows = [attrs.evolve(row, score=float(row.id * 7 % 5)) for row in rows]
            elif operation == "sort":
                batch, rows = batch.sort(Post.id), sorted(rows, key=lambda row: -row.id)
            else:
                batch, rows = batch.head(3), rows[:3]
        assert batch.rows() == rows

    @given(batches(Post))
    def test_rows_and_batches_convert_both_ways(self, batch):
        again = m.Candidates.from_rows(Post, batch.rows())
        assert again.rows() == batch.rows()


class TestImmutability:
    def test_arrays_that_come_out_are_read_only_and_those_that_went_in_are_not(self):
        ids = np.array([1, 2, 3])
        batch = m.Candidates(Post, {Post.id: ids, Post.author_id: ids})
        with pytest.raises(ValueError, match="read-only"):
            batch.ids[0] = 9
        with pytest.raises(ValueError, match="read-only"):
            batch.take([2, 1])[Post.author_id][0] = 9
        ids[0] = 1  # the owner may still write

    def test_columns_are_shared_when_rows_do_not_change(self):
        batch = posts(1, 2, 3)
        assert np.shares_memory(
            batch.with_columns({Post.score: np.zeros(3)})[Post.author_id], batch[Post.author_id]
        )

    def test_with_columns_leaves_the_original_alone(self):
        batch = posts(1, 2, score=np.float32([0.5, 0.6]))
        batch.with_columns({Post.score: np.float32([1, 2])})
        assert batch[Post.score].tolist() == pytest.approx([0.5, 0.6])


class TestDefaults:
    def test_an_absent_column_reads_as_its_default(self):
        batch = posts(1, 2)
        assert np.isnan(batch[Post.score]).all()
        assert batch[Post.vector].shape == (2, 3)
        assert not batch.has(Post.score)

    def test_concat_fills_what_a_part_lacks_with_the_default(self):
        joined = m.Candidates.concat([posts(1, score=np.float32([2.0])), posts(2)])
        assert joined[Post.score][0] == 2.0
        assert np.isnan(joined[Post.score][1])

    def test_concat_drops_a_required_column_that_a_part_lacks(self):
        partial = m.Candidates(Post, {Post.id: [5]})
        joined = m.Candidates.concat([posts(1), partial])
        with pytest.raises(AbsentColumnError, match=r"Post\.author_id has no default"):
            joined[Post.author_id]

    def test_empty_parts_impose_nothing(self):
        joined = m.Candidates.concat([m.Candidates.empty(m.Candidate), posts(1, 2), m.Candidates.empty(Post)])
        assert joined.kind is Post
        assert joined[Post.author_id].tolist() == [1, 2]

    def test_a_batch_without_rows_reads_every_column_as_empty(self):
        assert m.Candidates.empty(Post)[Post.vector].shape == (0, 3)
        assert len(m.Candidates.empty(m.Candidate).with_columns({Post.score: np.zeros(0)})[Post.score]) == 0


class TestErrors:
    def test_a_wrong_dtype_is_named(self):
        with pytest.raises(ColumnTypeError, match=r"Post.author_id: expected dtype int64, got float64"):
            m.Candidates(Post, {Post.id: [1], Post.author_id: [1.5]})

    def test_a_wrong_length_is_named(self):
        with pytest.raises(ColumnShapeError, match=r"Post.author_id: expected 2 rows, got 3"):
            m.Candidates(Post, {Post.id: [1, 2], Post.author_id: [1, 2, 3]})

    def test_a_wrong_row_shape_is_named(self):
        with pytest.raises(ColumnShapeError, match=r"Post.vector: expected shape \(n, 3\), got \(1, 2\)"):
            posts(1, vector=np.zeros((1, 2), np.float32))

    def test_an_unknown_column_lists_those_there_are(self):
        with pytest.raises(
            UnknownColumnError, match=r"Other\.weight is not a column of Post; its columns: id"
        ):
            posts(1)[Other.weight]
        with pytest.raises(UnknownColumnError):
            posts(1).with_columns({Other.weight: [1.0]})

    def test_a_batch_needs_ids(self):
        with pytest.raises(AbsentColumnError, match="needs the column id"):
            m.Candidates(Post, {Post.author_id: [1]})

    def test_masks_and_positions_are_checked(self):
        batch = posts(1, 2)
        with pytest.raises(ColumnTypeError, match="boolean mask"):
            batch.where(np.array([0, 1]))
        with pytest.raises(ColumnShapeError, match="mask of 2 values"):
            batch.where(np.array([True]))
        with pytest.raises(IndexError, match=r"positions in \[0, 2\)"):
            batch.take([2])
        with pytest.raises(ColumnTypeError, match="list of integers"):
            batch.take(np.array([0.5]))

    def test_different_candidate_types_do_not_mix(self):
        other = m.Candidates(Other, {Other.id: [1], Other.weight: [1.0]})
        with pytest.raises(CandidateError, match="one candidate type, got Other, Post"):
            m.Candidates.concat([posts(1), other])
        with pytest.raises(CandidateError, match="at least one batch"):
            m.Candidates.concat([])

    def test_a_default_that_does_not_fit_is_refused_when_declared(self):
        with pytest.raises(ConfigurationError, match="does not fit"):
            m.column(np.int64, default="x")

    def test_a_row_needs_its_required_columns(self):
        with pytest.raises(TypeError, match="author_id"):
            Post(id=1)

    def test_integers_fit_smaller_columns_only_without_loss(self):
        class Small(m.Candidate):
            level = m.column(np.int8)

        assert m.Candidates(Small, {Small.id: [1], Small.level: [100]})[Small.level].dtype == np.int8
        with pytest.raises(ColumnTypeError):
            m.Candidates(Small, {Small.id: [1], Small.level: [1000]})


class TestProvenance:
    def merged(self):
        one, two = (
            posts(1, 2, source_score=np.float32([0.9, 0.8])),
            posts(2, 3, source_score=np.float32([5.0, 4.0])),
        )
        batch = m.Candidates.concat([one, two])
        return batch.stamped(m.Provenance.of(("a", "b"), [2, 2], batch))

    def test_merging_duplicates_unites_their_sources(self):
        batch = self.merged().deduplicate()
        table = batch.provenance
        assert batch.ids.tolist() == [1, 2, 3]
        assert [table.names_of(handle) for handle in batch.handles.tolist()] == [("a",), ("a", "b"), ("b",)]
        assert table.sources_of(batch.handles).tolist() == [0b01, 0b11, 0b10]
        assert table.primary_of(batch.handles).tolist() == [0, 0, 1]
        assert table.rank_of(batch.handles).tolist() == [0, 1, 1]

    def test_scores_at_every_source_survive_the_merge(self):
        batch = self.merged().deduplicate()
        scores, ranks = batch.provenance.matrix_of(batch.handles)
        assert np.array_equal(scores, np.float32([[0.9, np.nan], [0.8, 5.0], [np.nan, 4.0]]), equal_nan=True)
        assert ranks.tolist() == [[0, -1], [1, 0], [-1, 1]]

    def test_handles_survive_every_derivation(self):
        batch = self.merged()
        assert batch.take([3, 0]).sort(Post.id, descending=False).handles.tolist() == [0, 3]

    def test_parts_of_one_run_keep_their_handles_when_united(self):
        batch = self.merged()
        assert m.Candidates.concat([batch.take([3]), batch.take([0])]).handles.tolist() == [3, 0]

    def test_parts_of_different_runs_are_renumbered(self):
        joined = m.Candidates.concat([self.merged(), self.merged()])
        assert joined.handles.tolist() == list(range(8))
        assert joined.provenance.names_of(7) == ("b",)

    def test_rows_with_and_without_origin_do_not_mix(self):
        with pytest.raises(CandidateError, match="no origin"):
            m.Candidates.concat([self.merged(), posts(1)])

    @given(batches(Post))
    def test_deduplicating_twice_changes_nothing_more(self, batch):
        once = batch.deduplicate()
        assert once.deduplicate() is once
        assert once.ids.tolist() == list(dict.fromkeys(batch.ids.tolist()))


class TestConversions:
    @given(batches(Post))
    def test_arrow_keeps_every_written_column(self, batch):
        assert m.Candidates.from_arrow(Post, batch.to_arrow()).equals(batch)

    def test_arrow_streams_come_in_from_any_exporter(self):
        batch = posts(1, 2)
        assert m.Candidates.from_arrow(Post, batch).equals(batch)

    def test_arrow_shares_numeric_columns(self):
        batch = posts(*range(100))
        column = batch.to_arrow().column("author_id").chunk(0).to_numpy()
        assert np.shares_memory(column, batch[Post.author_id])

    def test_arrow_nulls_are_refused(self):
        pa = pytest.importorskip("pyarrow")
        with pytest.raises(ColumnTypeError, match="no nulls, got 1"):
            m.Candidates.from_arrow(Post, pa.table({"id": [1, None], "author_id": [1, 2]}))
        with pytest.raises(UnknownColumnError, match="'nope' is not a column of Post"):
            m.Candidates.from_arrow(Post, pa.table({"nope": [1]}))

    @given(batches(Post))
    def test_pickling_keeps_columns_and_their_keys(self, batch):
        again = pickle.loads(pickle.dumps(batch))
        assert again.equals(batch)


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 5), max_size=60))
def test_first_rows_are_those_that_a_dictionary_finds(values):
    first: dict[int, int] = {}
    expected = [first.setdefault(value, row) for row, value in enumerate(values)]
    assert first_rows(np.array(values, dtype=np.int64)).tolist() == expected


@given(st.lists(st.floats(width=32), max_size=60), st.booleans())
def test_the_order_of_scores_is_that_of_a_stable_argsort(values, descending):
    keys = np.array(values, dtype=np.float32)
    expected = np.argsort(-keys if descending else keys, kind="stable")
    assert stable_order(keys, descending=descending).tolist() == expected.tolist()


def test_unsigned_and_integer_keys_sort_descending_without_overflow():
    keys = np.array([0, 2**64 - 1, 5, 5], dtype=np.uint64)
    assert stable_order(keys, descending=True).tolist() == [1, 2, 3, 0]
