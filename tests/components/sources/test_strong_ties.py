from __future__ import annotations

from collections import defaultdict

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.sources.people import strong_ties
from components.sources.people.strong_ties import MutualFollows, OutOfNetworkTies, TriangularLoops, TwoHop
from components.stores.types import Controls
from mixer.testing import check_laws
from tests.components.sources.small_stores import Small, ranked, same, small_stores


def two_hop(small, row):
    scores = defaultdict(float)
    first = {other: weight for (one, other), weight in small.ties.items() if one == row}
    for friend, weight in first.items():
        for (one, other), second in small.ties.items():
            if one == friend and other not in first and other != row:
                scores[other] += weight * second
    return scores


def out_of_network(small, row):
    followed = small.past(small.follows).get(row, [])
    return {
        other: weight
        for (one, other), weight in small.ties.items()
        if one == row and other != row and other not in followed and weight >= 0.26
    }


def mutual_follows(small, row):
    past, scores = small.past(small.follows), defaultdict(int)

    def mutual(one):
        return {other for other in past.get(one, []) if other != one and one in past.get(other, [])}

    for friend in mutual(row):
        for other in mutual(friend) - mutual(row) - {row}:
            scores[other] += 1
    return scores


def triangular_loops(small, row):
    past, scores = small.past(small.follows), {}
    mine = past.get(row, [])
    for other in range(small.users):
        loop = any(other in past.get(friend, []) for friend in mine if friend != row)
        if other != row and row in past.get(other, []) and other not in mine and loop:
            followers = sum(other in followed for followed in past.values())
            scores[other] = 1 / max(1, followers + len(past.get(other, [])))
    return scores


SOURCES = {
    "two_hop": (two_hop, lambda small, stores, cap: TwoHop(stores, small.scores(), cap)),
    "out_of_network": (
        out_of_network,
        lambda small, stores, cap: OutOfNetworkTies(stores, small.scores(), cap),
    ),
    "mutual": (mutual_follows, lambda small, stores, cap: MutualFollows(stores, cap)),
    "loops": (triangular_loops, lambda small, stores, cap: TriangularLoops(stores, cap)),
}


@pytest.mark.parametrize("kind", SOURCES)
@given(small=small_stores(), row=st.integers(-1, 6), cap=st.integers(0, 6))
@settings(max_examples=100, deadline=None)
def test_each_equals_its_twin(kind, small, row, cap):
    row, stores = min(row, small.users - 1), small.stores()
    naive, make = SOURCES[kind]
    expected = ranked(naive(small, row) if row >= 0 else {}, cap)
    same(make(small, stores, cap).fetch(small.viewer(stores, row)), expected)


FULL = Small(
    5,
    50,
    {(0, 1): 1, (1, 0): 2, (1, 2): 3, (2, 1): 4, (1, 3): 5, (3, 0): 6},
    [],
    {},
    {(0, 1): 0.5, (1, 2): 0.5, (1, 3): 0.25, (0, 4): 0.75},
    [""] * 5,
)


@pytest.mark.parametrize(
    ("kind", "first"), [("two_hop", 2), ("out_of_network", 4), ("mutual", 2), ("loops", 3)]
)
def test_each_finds_somebody_and_keeps_the_laws(kind, first):
    stores = FULL.stores()
    source = SOURCES[kind][1](FULL, stores, 10)
    viewer = FULL.viewer(stores, 0)
    assert source.fetch(viewer).ids[0] == 100 + first
    check_laws(source, target=viewer, examples=2)


def test_scores_made_later_are_not_used():
    stores, later = FULL.stores(), FULL.scores(at_h=51)
    for kind in (TwoHop, OutOfNetworkTies):
        assert len(kind(stores, later).fetch(FULL.viewer(stores, 0))) == 0


def test_the_published_constants():
    stores, ties = FULL.stores(), FULL.scores()
    assert (strong_ties.FIRST_DEGREE, strong_ties.SECOND_DEGREE, strong_ties.RECENT_MUTUAL) == (200, 50, 100)
    oon = OutOfNetworkTies(stores, ties)
    assert (TwoHop(stores, ties).cap, oon.cap, oon.least, TriangularLoops(stores).cap) == (
        200,
        200,
        0.26,
        100,
    )


@pytest.mark.parametrize("kind", [TwoHop, OutOfNetworkTies])
def test_ties_are_not_used_for_whoever_wants_nothing_personal(kind):
    stores = FULL.stores()
    viewer = attrs.evolve(FULL.viewer(stores, 0), controls=Controls(personalised=False))
    assert len(kind(stores, FULL.scores()).fetch(viewer)) == 0
