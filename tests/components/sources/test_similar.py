from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.sources.people import similar
from components.sources.people.similar import CircleOfTrust, RecentlyFollowedByFollowed, SimilarAccounts
from components.stores.types import Account
from mixer.testing import check_laws
from tests.components.sources.small_stores import Small, ranked, rows_and_scores, same, small_stores


def close(found, scores, cap):
    """Like ``same``, but accounts of equal score up to rounding may change places."""
    expected = ranked(scores, cap)
    pairs = rows_and_scores(found)
    assert [score for _, score in pairs] == pytest.approx([score for _, score in expected], rel=1e-4)
    for row, score in pairs:
        assert score == pytest.approx(scores[row], rel=1e-4)


def similar_accounts(small, row, to):
    past = small.past(small.follows)
    audience = {one: {who for who, whom in past.items() if one in whom} for one in range(small.users)}
    if to == "follows":
        seeds = past.get(row, [])
    else:
        seeds = {small.posts[post][0] for post in small.past(small.engagements).get(row, [])} - {row}
    scores = defaultdict(float)
    for seed in seeds:
        for other in set(range(small.users)) - {row, *seeds}:
            shared = len(audience[seed] & audience[other])
            if shared:
                scores[other] += shared / math.sqrt(len(audience[seed]) * len(audience[other]))
    return scores


@given(small_stores(), st.integers(-1, 6), st.sampled_from(["follows", "engagements"]), st.integers(0, 6))
@settings(max_examples=100, deadline=None)
def test_similar_accounts_equal_their_twin(small, row, to, cap):
    row, stores = min(row, small.users - 1), small.stores()
    found = SimilarAccounts(stores, to, cap).fetch(small.viewer(stores, row))
    close(found, similar_accounts(small, row, to), cap)


@given(small_stores(), st.integers(-1, 6), st.integers(1, 3), st.integers(0, 6))
@settings(max_examples=100, deadline=None)
def test_recently_followed_equal_their_twin(small, row, proofs, cap):
    row, stores = min(row, small.users - 1), small.stores()
    counts, followed = defaultdict(int), small.past(small.follows).get(row, [])
    for (one, other), hour in small.follows.items():
        counts[other] += one in followed and 0 < small.now_h - hour <= 24 and other not in (one, row)
    expected = {other: count for other, count in counts.items() if count >= proofs}
    source = RecentlyFollowedByFollowed(stores, cap, 24.0, proofs)
    same(source.fetch(small.viewer(stores, row)), ranked(expected, cap))


def walked(small, row, walk):
    """Dense power iteration over the circle."""
    past, n = small.past(small.follows), small.users
    seeds, edges = past.get(row, []), np.zeros((n, n))
    for seed in seeds:
        for other in past.get(seed, []):
            edges[seed, other] = float(seed != other)
    if not seeds or not any(past.get(seed) for seed in seeds):
        return {}
    home = np.isin(np.arange(n), seeds) / len(seeds)
    forth = edges / np.maximum(edges.sum(axis=1, keepdims=True), 1)
    back = (edges / np.maximum(edges.sum(axis=0), 1)).T
    at = home
    for _ in range(200 if walk == "pagerank" else 20):
        moved = at @ forth if walk == "pagerank" else at @ forth @ back
        at = 0.85 * moved + (1 - 0.85 * moved.sum()) * home
    shares = at if walk == "pagerank" else at @ forth
    return {other: shares[other] for other in range(n) if other != row and other not in seeds}


@pytest.mark.parametrize("walk", ["salsa", "pagerank"])
@given(small=small_stores(), row=st.integers(-1, 6))
@settings(max_examples=60, deadline=None)
def test_walks_equal_their_twin(walk, small, row):
    row, stores = min(row, small.users - 1), small.stores()
    found = CircleOfTrust(stores, walk).fetch(small.viewer(stores, row))
    close(found, {other: s for other, s in walked(small, row, walk).items() if s > 1e-12}, 200)


FULL = Small(
    5,
    50,
    {(0, 1): 1, (0, 2): 1, (1, 3): 40, (2, 3): 45, (2, 4): 45},
    [(1, 2, -1, "", -1, -1)],
    {(0, 0): 3},
    {},
    [""] * 5,
)


@pytest.mark.parametrize(
    ("kind", "options", "first"),
    [
        (RecentlyFollowedByFollowed, (), 3),
        (CircleOfTrust, ("salsa",), 3),
        (CircleOfTrust, ("pagerank",), 3),
        (SimilarAccounts, ("engagements",), 2),
    ],
)
def test_each_finds_somebody_and_keeps_the_laws(kind, options, first):
    stores = FULL.stores()
    source = kind(stores, *options)
    viewer = FULL.viewer(stores, 0)
    assert source.fetch(viewer)[Account.row][0] == first
    check_laws(source, target=viewer, examples=2)


def test_the_published_constants():
    stores = FULL.stores()
    assert (similar.SEEDS, similar.SIMILAR, SimilarAccounts(stores).cap) == (10, 40, 200)
    recent = RecentlyFollowedByFollowed(stores)
    assert (recent.cap, recent.window_h, recent.proofs) == (50, 48.0, 2)


@pytest.mark.parametrize(("kind", "word"), [(SimilarAccounts, "likes"), (CircleOfTrust, "random")])
def test_an_unknown_choice_is_refused(kind, word):
    with pytest.raises(ValueError, match=word):
        kind(FULL.stores(), word)
