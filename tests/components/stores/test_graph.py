from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.sources.answers import best
from components.stores.graph import NEVER, Graph, flattened

ROWS, COLUMNS = 5, 7
edges = st.lists(
    st.tuples(st.integers(-1, ROWS - 1), st.integers(-1, COLUMNS - 1), st.integers(-3, 12)), max_size=40
)
moments = st.one_of(st.integers(-5, 14), st.just(NEVER))


def graph_of(listed) -> Graph:
    source, end, time = (np.array([edge[i] for edge in listed], dtype=np.int64) for i in range(3))
    return Graph.build(source, end, time, shape=(ROWS, COLUMNS))


def naive(listed, row, before):
    """Edges of a row before a moment, oldest first, in the order given where times are equal."""
    mine = [(time, end) for source, end, time in listed if source == row and end >= 0 and time < before]
    return [(time, end) for time, end in sorted(mine, key=lambda edge: edge[0])]


@given(edges, moments)
def test_a_row_has_the_edges_before_a_moment_oldest_first(listed, before):
    graph = graph_of(listed)
    for row in range(-1, ROWS):
        expected = naive(listed, row, before) if row >= 0 else []
        assert graph.of(row, before).tolist() == [end for _, end in expected]
        assert graph.times_of(row, before).tolist() == [time for time, _ in expected]


@given(edges, moments, st.lists(st.integers(0, ROWS - 1), max_size=6), st.none() | st.integers(1, 4))
def test_expanding_many_rows_is_reading_them_one_by_one(listed, before, rows, latest):
    graph = graph_of(listed)
    at, owner = graph.expand(np.array(rows, dtype=np.int64), before_ms=before, latest=latest)
    expected = [
        (index, end)
        for index, row in enumerate(rows)
        for _, end in naive(listed, row, before)[-latest if latest else 0 :]
    ]
    assert list(zip(owner.tolist(), graph.ends[at].tolist(), strict=True)) == expected


@given(edges, moments)
def test_degrees_count_the_edges_before_a_moment(listed, before):
    rows = np.arange(ROWS)
    assert graph_of(listed).degrees(rows, before).tolist() == [
        len(naive(listed, row, before)) for row in rows
    ]


@given(edges)
def test_the_reverse_of_the_reverse_has_the_same_edges(listed):
    graph = graph_of(listed)
    twice = graph.reverse.reverse
    assert sorted(zip(twice.sources, twice.ends, twice.time_ms, strict=True)) == sorted(
        zip(graph.sources, graph.ends, graph.time_ms, strict=True)
    )
    assert (len(twice), twice.columns) == (ROWS, COLUMNS)


@given(edges)
def test_distinct_keeps_the_earliest_edge_of_every_pair(listed):
    first = {}
    for source, end, time in listed:
        if source >= 0 and end >= 0:
            first[source, end] = min(time, first.get((source, end), time))
    distinct = graph_of(listed).distinct
    pairs = zip(distinct.sources.tolist(), distinct.ends.tolist(), distinct.time_ms.tolist(), strict=True)
    assert {(source, end): time for source, end, time in pairs} == first
    assert distinct.edges == len(first)


@given(edges, st.integers(-5, 14), st.integers(-5, 14))
def test_between_finds_the_edges_of_a_time_span(listed, begin, end):
    graph = graph_of(listed)
    found = graph.time_ms[graph.between(begin, end)].tolist()
    expected = [
        time for source, column, time in listed if source >= 0 and column >= 0 and begin <= time < end
    ]
    assert found == sorted(expected)


@given(edges, st.integers(-5, 14), st.integers(-5, 14))
def test_a_span_of_time_is_a_slice_of_the_edges_in_time(listed, begin, end):
    graph = graph_of(listed)
    span = graph.span_between(begin, end)
    assert graph.ends_in_time[span].tolist() == graph.ends[graph.between(begin, end)].tolist()


@given(edges)
def test_every_edge_knows_the_one_before_it_to_the_same_column(listed):
    ends = (graph := graph_of(listed)).ends_in_time.tolist()
    expected = [
        max((other for other in range(at) if ends[other] == end), default=-1) for at, end in enumerate(ends)
    ]
    assert graph.before_in_time.tolist() == expected


@given(st.integers(0, 2**32 - 1), st.integers(-5, 105))
def test_many_rows_at_once_are_searched_as_each_alone(seed, before):
    rng = np.random.default_rng(seed)
    sources, times = rng.zipf(1.3, 900) % 300, rng.integers(0, 100, 900)
    graph = Graph.build(sources, np.zeros(900, np.int64), times, shape=(300, 1))
    rows = rng.integers(0, 300, 400)
    naive = [int(((sources == row) & (times < before)).sum()) for row in rows]
    assert graph.degrees(rows, before).tolist() == naive


@given(edges, moments, moments, st.lists(st.integers(0, ROWS - 1), max_size=6))
def test_spans_of_many_rows_are_the_edges_within_a_time_span(listed, begin, end, rows):
    graph = graph_of(listed)
    at, owner = graph.spans(np.array(rows, dtype=np.int64), begin, end)
    expected = [
        (index, column)
        for index, row in enumerate(rows)
        for time, column in naive(listed, row, end)
        if time >= begin
    ]
    assert list(zip(owner.tolist(), graph.ends[at].tolist(), strict=True)) == expected


@given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.integers(-5, 105))
def test_the_rows_with_most_edges_are_those_of_a_whole_sort(seed, count, before):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(0, 300))
    sources, times = rng.zipf(1.3, size) % 80, rng.integers(0, 100, size)
    graph = Graph.build(sources, np.zeros(size, np.int64), times, shape=(80, 1))
    rows, degrees = graph.most(count, before)
    everybody = graph.degrees(np.arange(80), before)
    assert (np.diff(rows) > 0).all()
    assert degrees.tolist() == everybody[rows].tolist()
    assert rows[best(degrees, count)].tolist() == best(everybody, count).tolist()


def test_a_graph_without_edges_answers():
    graph = Graph.build([], [], shape=(2, 3))
    assert graph.edges == 0
    assert graph.of(1).tolist() == []
    assert graph.degrees(np.array([0, 1]), 5).tolist() == [0, 0]
    assert graph.reverse.degrees(np.arange(3)).tolist() == [0, 0, 0]


def test_flattened_spans_that_are_inside_out_are_empty():
    at, span = flattened(np.array([4, 2]), np.array([3, 4]))
    assert (at.tolist(), span.tolist()) == ([2, 3], [1, 1])


def test_the_same_edge_twice_is_two_edges_until_distinct():
    graph = Graph.build([0, 0], [1, 1], [5, 3], shape=(1, 2))
    assert (graph.edges, graph.distinct.time_ms.tolist()) == (2, [3])


@pytest.mark.parametrize("before", [0, 10**15])
def test_millisecond_times_do_not_overflow(before):
    now = 1_767_225_600_000
    graph = Graph.build(np.full(3, 299_999), [0, 1, 2], [now, now + 1, 0], shape=(300_000, 3))
    assert graph.degrees(np.array([299_999]), before).tolist() == [3 if before else 0]
