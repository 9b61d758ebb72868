from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.stores.types import Controls, Post, Viewer
from components.transforms.quotas import NetworkQuotas, shares
from mixer import Candidates, Provenance

SOURCES = ("in_network", "popular", "backfill")
networks = st.lists(st.booleans(), max_size=40)


def posts(inside, lengths=None):
    count = len(inside)
    batch = Candidates(
        Post, {Post.id: np.arange(count), Post.row: np.arange(count), Post.in_network: np.array(inside, bool)}
    )
    return batch if lengths is None else batch.stamped(Provenance.of(SOURCES, lengths, batch))


def naive(inside, in_quota, out_quota, exempt=()):
    front, behind, taken = [], [], {True: 0, False: 0}
    for post, followed in enumerate(inside):
        if post in exempt:
            front.append(post)
            continue
        taken[followed] += 1
        (front if taken[followed] <= (in_quota if followed else out_quota) else behind).append(post)
    return front + behind


@given(networks, st.integers(0, 12), st.integers(0, 12))
def test_quotas_put_the_rest_behind_and_lose_nothing(inside, in_quota, out_quota):
    balanced = NetworkQuotas(in_quota, out_quota).transform(Viewer(1), posts(inside))
    assert balanced.ids.tolist() == naive(inside, in_quota, out_quota)


@given(st.tuples(networks, networks, networks))
def test_what_exempt_sources_found_counts_towards_no_quota(parts):
    inside = [one for part in parts for one in part]
    found = posts(inside, [len(part) for part in parts])
    balanced = NetworkQuotas(3, 3, frozenset({"backfill"})).transform(Viewer(1), found)
    late = range(len(parts[0]) + len(parts[1]), len(inside))
    assert balanced.ids.tolist() == naive(inside, 3, 3, late)


def test_the_published_quotas_are_sixty_of_each():
    """The sixtieth is within, the one after it is not; strangers have a quota of their own."""
    balanced = NetworkQuotas().transform(Viewer(1), posts([True] * 70 + [False] * 70))
    assert balanced.ids.tolist() == [*range(60), *range(70, 130), *range(60, 70), *range(130, 140)]


@pytest.mark.parametrize(
    ("discovery", "expected"), [(0.0, (1, 0)), (0.25, (1, 0.5)), (0.5, (1, 1)), (0.75, (0.5, 1)), (1, (0, 1))]
)
def test_the_slider_moves_the_quotas(discovery, expected):
    wishes = Controls(discovery=discovery)
    assert shares(wishes) == expected
    inside = [True, False] * 10
    balanced = NetworkQuotas(4, 4).transform(Viewer(1, controls=wishes), posts(inside))
    assert balanced.ids.tolist() == naive(inside, int(4 * expected[0]), int(4 * expected[1]))
