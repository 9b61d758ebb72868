from __future__ import annotations

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.datasets import generate
from components.predicates.viewer import MaxAge, NotIn, NotSeen, known_user
from components.stores.from_dataset import stores_of
from components.stores.impressions import ImpressionStore
from components.stores.types import Post, Viewer
from components.units import HOUR_MS
from mixer import Candidates, Request

STORES = stores_of(generate("tiny", seed=2).dataset)


def viewer_of(user):
    viewer = Viewer(user, request=Request(now_ms=STORES.now_ms))
    return attrs.evolve(viewer, known=STORES.history(user, STORES.now_ms))


def posts_of(rows):
    rows = np.array(rows, dtype=np.int64)
    store = STORES.posts
    return Candidates(
        Post,
        {
            Post.id: store.index.ids[rows],
            Post.row: rows,
            Post.author_row: store.author[rows].astype(np.int64),
            Post.author_id: STORES.users.ids[store.author[rows]],
            Post.created_ms: store.created_ms[rows],
        },
    )


IMPRESSIONS = ImpressionStore()
IMPRESSIONS.record(5, STORES.posts.index.ids[::3], STORES.now_ms)

PREDICATES = {
    "already_engaged": (
        NotIn(Post.row, lambda known: known.engaged_mask, "already_engaged"),
        lambda viewer, post: post.row not in viewer.history.engaged,
    ),
    "blocked": (
        NotIn(Post.author_row, lambda known: known.avoided_mask, "blocked"),
        lambda viewer, post: post.author_row not in np.flatnonzero(viewer.history.avoided_mask),
    ),
    "too_old": (
        MaxAge(30.0),
        lambda viewer, post: 0 <= viewer.history.now_ms - post.created_ms <= 30 * HOUR_MS,
    ),
    "already_seen": (
        NotSeen(IMPRESSIONS),
        lambda viewer, post: viewer.user_id != 5 or post.id not in STORES.posts.index.ids[::3],
    ),
}
rows = st.lists(st.integers(0, len(STORES.posts) - 1), max_size=30)


@pytest.mark.parametrize("reason", PREDICATES)
@given(rows=rows, user=st.sampled_from([1, 5, 60, 10**9]))
def test_a_predicate_says_of_every_row_what_its_rule_says(reason, rows, user):
    predicate, rule = PREDICATES[reason]
    viewer, posts = viewer_of(user), posts_of(rows)
    verdicts = predicate.check(viewer, posts)
    assert verdicts.keep.tolist() == [bool(rule(viewer, post)) for post in posts]
    assert verdicts.reasons == (reason,)


@pytest.mark.parametrize("reason", PREDICATES)
@given(rows=rows, cut=st.integers(0, 30))
def test_cutting_a_batch_changes_no_verdict(reason, rows, cut):
    predicate, _ = PREDICATES[reason]
    viewer, posts = viewer_of(5), posts_of(rows)
    parts = [predicate.check(viewer, part).keep for part in (posts.head(cut), posts.slice(cut, len(posts)))]
    assert np.concatenate(parts).tolist() == predicate.check(viewer, posts).keep.tolist()


def test_somebody_engaged_and_somebody_blocked_so_the_rules_are_tried():
    everything = posts_of(range(len(STORES.posts)))
    for reason, (predicate, _) in PREDICATES.items():
        dropped = [(~predicate.check(viewer_of(user), everything).keep).any() for user in range(1, 120)]
        assert any(dropped), reason


def test_only_known_users_are_eligible():
    assert known_user.check(viewer_of(1)).valid
    assert known_user.check(viewer_of(10**9)).reasons == {"unknown_user"}


def test_posts_from_the_future_are_dropped():
    posts = posts_of([0]).with_columns({Post.created_ms: np.array([STORES.now_ms + 1])})
    assert not MaxAge(30.0).check(viewer_of(1), posts).keep.any()
