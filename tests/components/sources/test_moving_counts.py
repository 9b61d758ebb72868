from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from components.sources.answers import best
from components.sources.moving_counts import MovingCounts
from components.stores.graph import Graph

COLUMNS, HOURS = 12, 30
edges = st.lists(st.tuples(st.integers(0, COLUMNS - 1), st.integers(0, HOURS)), max_size=80)
asked = st.tuples(
    st.integers(-2, HOURS + 2),
    st.integers(-2, HOURS + 2),
    st.integers(0, 6),
    st.sets(st.integers(0, COLUMNS - 1)),
)


def graph_of(listed, columns=COLUMNS):
    ends, times = (np.array([edge[i] for edge in listed], dtype=np.int64) for i in range(2))
    return Graph.build(np.zeros(len(listed), np.int64), ends, times, shape=(1, columns))


def naive(graph, begin, end, count, forbidden):
    """Counts every column of every edge anew."""
    within = (graph.time_ms >= begin) & (graph.time_ms < end)
    counts = np.bincount(graph.ends[within], minlength=graph.columns)
    counts[sorted(forbidden)] = 0
    rows = best(counts, count)
    return rows.tolist(), counts[rows].tolist()


def moved(counts, begin, end, count, forbidden):
    rows, found = counts.most(begin, end, count, lambda some: ~np.isin(some, sorted(forbidden)))
    return rows.tolist(), found.tolist()


@given(edges, st.lists(asked, min_size=1, max_size=12))
@settings(max_examples=300)
def test_wherever_the_stretch_moves_it_counts_as_if_anew(listed, questions):
    graph = graph_of(listed)
    counts = MovingCounts(graph)
    for question in questions:
        assert moved(counts, *question) == naive(graph, *question)


@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
@settings(max_examples=30)
def test_a_window_that_glides_over_a_busy_day_counts_as_if_anew(seed, cap):
    rng = np.random.default_rng(seed)
    ends, times = rng.zipf(1.5, 2_000) % 200, rng.integers(0, 1_000, 2_000)
    graph = graph_of(list(zip(ends.tolist(), times.tolist(), strict=True)), 200)
    counts = MovingCounts(graph)
    for end in range(100, 1_000, 7):
        question = (end - 100, end, cap, {0, 1} if end % 2 else set())
        assert moved(counts, *question) == naive(graph, *question)


def test_threads_with_other_windows_do_not_disturb_each_other():
    rng = np.random.default_rng(0)
    listed = list(
        zip((rng.zipf(1.5, 3_000) % 300).tolist(), rng.integers(0, 1_000, 3_000).tolist(), strict=True)
    )
    graph = graph_of(listed, 300)
    counts = MovingCounts(graph)
    questions = [(start, start + length, 5, set()) for start in range(0, 900, 10) for length in (20, 50, 400)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda question: moved(counts, *question), questions))
    assert found == [naive(graph, *question) for question in questions]
