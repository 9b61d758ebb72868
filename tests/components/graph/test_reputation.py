from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.graph.edges import adjacency
from components.graph.pagerank import PageRankConfig, pagerank
from components.graph.tweepcred import (
    TWEEPCRED,
    AccountFacts,
    follow_penalty,
    reputation,
    tweepcred,
    user_mass,
)
from components.graph.user_cred import USER_CRED, PublishGate, UserCredInput, teleport, user_cred

EDGES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=30)


def naive_pagerank(edges, nodes, jump, teleport, steps):
    edges = {(u, v) for u, v in edges if u != v}
    teleport = [share / sum(teleport) for share in teleport]
    shares = list(teleport)
    for _ in range(steps):
        new = [jump * teleport[v] for v in range(nodes)]
        for u in range(nodes):
            followed = [v for w, v in edges if w == u]
            for v in followed or range(nodes):
                new[v] += (1 - jump) * shares[u] / (len(followed) or nodes)
        shares = new
    return shares


@settings(max_examples=30)
@given(EDGES, st.lists(st.floats(0.1, 5.0), min_size=7, max_size=7), st.floats(0.05, 0.9))
def test_pagerank_equals_passing_mass_along_each_edge(edges, prior, jump):
    config = PageRankConfig(jump, max_iterations=12, tolerance=0.0)
    got = pagerank(adjacency(edges, 7), config, teleport=np.array(prior))
    assert np.allclose(got.shares, naive_pagerank(edges, 7, jump, prior, 12))
    assert got.shares.sum() == pytest.approx(1.0)


def test_pagerank_follows_weights_and_stops_when_little_moves():
    graph = adjacency([[0, 1], [0, 2], [1, 0], [2, 0]], 3, [3.0, 1.0, 1.0, 1.0])
    found = pagerank(graph, PageRankConfig(tolerance=1e-4))
    assert found.shares[1] > found.shares[2]
    assert found.change < 1e-4
    assert pagerank(graph, PageRankConfig(tolerance=1e-4), start=found.shares).iterations == 1


def test_pagerank_of_no_accounts_is_empty_and_a_bad_teleport_is_named():
    assert pagerank(adjacency([], 0)).shares.shape == (0,)
    with pytest.raises(ValueError, match="teleport"):
        pagerank(adjacency([], 2), teleport=np.array([1.0, -1.0]))


def facts(count=1, **given):
    plain = {
        "age_days": 1000.0,
        "has_valid_device": False,
        "is_restricted": False,
        "is_suspended": False,
        "is_verified": False,
    }
    return AccountFacts(**{name: np.full(count, value) for name, value in (plain | given).items()})


@pytest.mark.parametrize(
    ("given", "followings", "followers", "expected"),
    [
        ({}, 0, 0, 5.0),
        ({"has_valid_device": True}, 0, 0, 55.0),
        ({"age_days": 0.0}, 0, 0, 1.0),
        ({"has_valid_device": True, "age_days": 15.0}, 0, 0, 55.0 * np.log(2.0)),
        ({"has_valid_device": True, "age_days": 30.0}, 0, 0, 55.0),
        ({"has_valid_device": True, "is_restricted": True}, 0, 0, 5.5),
        ({"is_verified": True}, 0, 0, 100.0),
        ({"is_suspended": True, "is_verified": True}, 0, 0, 0.0),
        ({"is_verified": True}, 500, 0, 100.0),
        ({"is_verified": True}, 501, 501, 100.0 / np.exp(5.0 * 0.4)),
        ({"is_verified": True}, 600, 1000, 100.0 / np.exp(5.0 * (601 / 1001 - 0.6))),
    ],
)
def test_user_mass_has_its_published_values(given, followings, followers, expected):
    mass = user_mass(facts(**given), np.array([float(followings)]), np.array([float(followers)]))
    assert mass[0] == pytest.approx(expected)


def test_reputation_has_its_published_values():
    assert reputation([1e-10, 1e-8, 1e-6, 1e-4, 1e-3]).tolist() == [10, 34, 58, 82, 94]
    assert reputation([0.0, 1.0]).tolist() == [0, 100]


def test_those_who_follow_far_more_than_follow_them_are_divided_by_at_most_50():
    penalties = follow_penalty(np.array([2500.0, 2501.0, 2501.0, 1e6]), np.array([0.0, 1e6, 2501.0, 0.0]))
    assert penalties.tolist() == [
        1.0,
        1.0,
        pytest.approx(np.exp(3 * 0.4 * np.log(np.log(2501)))),
        pytest.approx(50.0),
    ]


def test_tweepcred_uses_its_published_walk():
    assert (TWEEPCRED.jump, TWEEPCRED.max_iterations, TWEEPCRED.tolerance) == (0.1, 20, 0.001)
    follows = adjacency([[0, 2], [1, 2], [3, 2], [2, 0], [2, 1]], 4)
    got = tweepcred(follows, facts(4))
    assert got.shares.argmax() == 2
    assert got.walk.shares.sum() == pytest.approx(1.0)
    assert np.array_equal(got.reputations, reputation(got.shares))
    assert tweepcred(adjacency([], 0), facts(0)).reputations.shape == (0,)
    with pytest.raises(ValueError, match="expected 3"):
        tweepcred(follows, facts(3))


def cred(
    follows=(), engagements=(), eligible=(1, 1, 1), near_zero=(0, 0, 0), linked=(), prior=(1.0, 1.0, 2.0)
):
    return UserCredInput(
        list(follows),
        list(engagements),
        np.array(prior),
        np.array(eligible, bool),
        np.array(near_zero, bool),
        list(linked),
    )


def test_jumps_land_half_on_the_eligible_and_half_by_engagement():
    data = cred(engagements=[[2, 0], [1, 0], [0, 1], [1, 1]], eligible=(0, 1, 1), near_zero=(0, 0, 1))
    assert teleport(data).tolist() == [0.5 * 3 / 4, 0.5 + 0.5 * 1 / 4, 0.0]


def test_one_half_takes_all_jumps_when_the_other_has_nobody():
    assert teleport(cred(engagements=[[0, 1]], eligible=(0, 0, 0))).tolist() == [0.0, 1.0, 0.0]
    assert teleport(cred()).tolist() == [pytest.approx(1 / 3)] * 3
    assert user_cred(cred(eligible=(0, 0, 0))).shares.sum() == pytest.approx(1.0)


def test_linked_accounts_cannot_lift_one_another():
    plain, linked = cred([[0, 1]], [[0, 1]]), cred([[0, 1]], [[0, 1]], linked=[[1, 0]])
    assert user_cred(plain).shares[1] > user_cred(linked).shares[1]
    assert np.allclose(user_cred(linked).shares, user_cred(cred()).shares)


def test_near_zero_accounts_receive_but_do_not_distribute():
    spread = user_cred(cred([[2, 0], [1, 2]], eligible=(1, 1, 0)))
    held = user_cred(cred([[2, 0], [1, 2]], eligible=(1, 1, 0), near_zero=(0, 0, 1)))
    assert held.shares[2] > 0.0
    assert held.shares[0] < spread.shares[0]
    assert (USER_CRED.jump, USER_CRED.max_iterations, USER_CRED.tolerance) == (0.2, 50, 0.001)


def test_yesterday_saves_steps():
    data = cred([[0, 1], [1, 2], [2, 0], [0, 2]], [[0, 1]])
    first = user_cred(data)
    assert user_cred(data, yesterday=first.shares).iterations < first.iterations


def test_the_gate_holds_back_drift_and_leaks():
    gate = PublishGate()
    assert gate.problems([0.5, 0.5], (105, 95), (100, 100)) == []
    problems = gate.problems([0.5, 0.48], (106, 94), (100, 100))
    assert [text.split(":")[0] for text in problems] == ["total mass", "accounts", "very important accounts"]
    assert gate.problems([1.0, 0.006], (100, 100), (100, 100))
