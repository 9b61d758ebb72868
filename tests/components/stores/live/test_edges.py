"""Edge stores keep the newest edges of every row, like a naive deque would."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from components.stores.live.edges import EdgeStore
from components.stores.live.growing import Slots

ENDS = st.one_of(st.integers(0, 5), st.sampled_from([-(2**63), 2**63 - 1]))
EDGES = st.lists(st.tuples(ENDS, ENDS, st.integers(0, 9)), max_size=12)
CAP, REVERSE_CAP = 3, 5


def columns(edges):
    return (np.array([edge[place] for edge in edges], dtype=np.int64) for place in range(3))


class EdgeStoreIsLikeLists(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.store = EdgeStore(CAP, REVERSE_CAP)
        self.forward: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self.backward: dict[int, list[tuple[int, int]]] = defaultdict(list)

    def sides(self):
        return (self.forward, CAP, 0, 1), (self.backward, REVERSE_CAP, 1, 0)

    @rule(edges=EDGES)
    def add(self, edges):
        self.store.add(*columns(edges))
        for side, cap, key, other in self.sides():
            for edge in edges:
                side[edge[key]] = [*side[edge[key]], (edge[other], edge[2])][-cap:]

    @rule(pairs=EDGES)
    def remove(self, pairs):
        self.store.remove(*columns(pairs))
        for side, _, key, other in self.sides():
            for pair in pairs:
                side[pair[key]] = [
                    one for one in side[pair[key]] if one[0] != pair[other] or one[1] > pair[2]
                ]

    @rule(moment=st.integers(0, 10))
    def drop_before(self, moment):
        self.store.drop_before(moment)
        for side, *_ in self.sides():
            for key in side:
                side[key] = [one for one in side[key] if one[1] >= moment]

    @rule()
    def save_and_load(self):
        loaded = EdgeStore(1)
        loaded.load_arrays(self.store.arrays())
        self.store = loaded

    @invariant()
    def rows_are_the_same(self):
        for id in (*range(7), -(2**63), 2**63 - 1):
            ends, times = self.store.dated(id)
            assert list(zip(ends.tolist(), times.tolist(), strict=True)) == self.forward[id]
            assert self.store.of(id, latest=2).tolist() == [end for end, _ in self.forward[id][-2:]]
            assert self.store.reverse_of(id).tolist() == [source for source, _ in self.backward[id]]

    @invariant()
    def many_rows_are_as_one_by_one(self):
        asked = [2, 99, 0, 2**63 - 1]
        ends, times, which = self.store.expand(asked, latest=2)
        expected = [(at, *one) for at, id in enumerate(asked) for one in self.forward.get(id, [])[-2:]]
        assert list(zip(which.tolist(), ends.tolist(), times.tolist(), strict=True)) == expected
        sources, _, which = self.store.backward.expand(asked)
        expected = [(at, one[0]) for at, id in enumerate(asked) for one in self.backward.get(id, [])]
        assert list(zip(which.tolist(), sources.tolist(), strict=True)) == expected

    @invariant()
    def all_edges_are_the_rows(self):
        held = sorted(zip(*(column.tolist() for column in self.store.edges()), strict=True))
        assert held == sorted((id, *one) for id, row in self.forward.items() for one in row)
        assert len(self.store) == len(held)


TestEdgeStoreIsLikeLists = EdgeStoreIsLikeLists.TestCase


def test_removing_ends_leaves_no_edge_to_them():
    store = EdgeStore(10)
    store.add([1, 2, 2, 3], [7, 7, 8, 9], [1, 2, 3, 4])
    store.remove_ends([7, 9, 100])
    assert store.of(1).tolist() == store.of(3).tolist() == store.reverse_of(7).tolist() == []
    assert store.of(2).tolist() == [8]


def test_a_busy_row_does_not_cost_the_others_memory():
    store = EdgeStore(1_000)
    store.add(np.arange(10_000), np.arange(10_000), np.zeros(10_000))
    quiet = store.nbytes
    store.add(np.zeros(500), np.arange(500), np.zeros(500))
    assert store.nbytes <= 2 * quiet + 1_000 * 16


def test_what_a_reader_got_does_not_change():
    store = EdgeStore(2)
    store.add([1, 1], [5, 6], [1, 2])
    got = store.of(1)
    store.add([1, 1], [7, 8], [3, 4])
    assert got.tolist() == [5, 6]


def test_a_cap_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least 1 edge a row, got 0"):
        EdgeStore(0)


@given(batches=st.lists(st.lists(ENDS, max_size=8), max_size=5))
def test_slots_number_ids_in_order_of_arrival(batches):
    slots, naive = Slots(), {}
    for batch in batches:
        expected = [naive.setdefault(id, len(naive)) for id in batch]
        assert slots.rows_for(batch).tolist() == expected
    assert slots.ids.tolist() == list(naive)
    asked = [*naive, 77]
    assert slots.rows_of(asked).tolist() == [naive.get(id, -1) for id in asked]
    assert [slots.row_of(id) for id in asked] == [naive.get(id, -1) for id in asked]
    assert slots.row_of(2**70) == -1


def test_slots_stay_right_while_late_arrivals_are_merged(rng):
    slots, ids = Slots(), rng.permutation(50_000)
    for part in np.array_split(ids, 13):
        slots.rows_for(part)
    assert slots.rows_of(ids).tolist() == list(range(len(ids)))
