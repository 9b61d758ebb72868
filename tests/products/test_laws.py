"""Every stage that a product holds keeps the laws of its kind, on batches that sources might have found."""

from __future__ import annotations

import itertools

import attrs
import numpy as np
import pytest
from hypothesis import strategies as st

from components.stores.requests import PeopleRequest
from components.stores.types import Account, Post, Viewer
from mixer import Candidates, CandidateSource, DebugOptions, Provenance, Request, SideEffect
from mixer.testing import check_conservation, check_laws

SOURCES = ("in_network", "co_engagement", "popular")
ACCOUNT_SOURCES = ("friends_of_friends", "mutual_interest", "popular")


def viewers(stores):
    def known(user):
        viewer = PeopleRequest(user, request=Request(id="law", now_ms=stores.now_ms))
        rows = dict.fromkeys(("followed", "dismissed", "avoided", "avoiding"), np.arange(0, 200, 9))
        shown = stores.users.ids[::7]
        return attrs.evolve(viewer, known=stores.history(user, stores.now_ms), shown=shown, **rows)

    return st.sampled_from([known(user) for user in (1, 8, 77, 10**9)])


def posts(stores):
    def batch(rows, lengths):
        authors = stores.posts.author[rows].astype(np.int64)
        columns = {
            Post.id: stores.posts.index.ids[rows],
            Post.row: rows,
            Post.author_row: authors,
            Post.author_id: stores.users.ids[authors],
            Post.created_ms: stores.posts.created_ms[rows],
            Post.score: (rows % 7 / 7).astype(np.float32),
            Post.followed_engagers: np.zeros(len(rows), dtype=np.int32),
        }
        return found(Candidates(Post, columns), SOURCES, lengths)

    return batches(len(stores.posts), batch)


def accounts(stores):
    def batch(rows, lengths):
        columns = {
            Account.id: stores.users.ids[rows],
            Account.row: rows,
            Account.score: (rows % 7 / 7).astype(np.float32),
        }
        return found(Candidates(Account, columns), ACCOUNT_SOURCES, lengths)

    return batches(len(stores.users), batch)


def found(batch, names, lengths):
    return batch.stamped(Provenance.of(names, lengths, batch))


def batches(count, build):
    """Rows from three sources, which may find the same."""
    part = st.lists(st.integers(0, count - 1), max_size=6, unique=True)
    return st.tuples(part, part, part).map(
        lambda parts: build(np.array([*itertools.chain(*parts)], dtype=np.int64), [len(one) for one in parts])
    )


@pytest.fixture(params=["for_you", "follow_recs"])
def flow(request):
    return request.getfixturevalue(request.param)


def test_every_stage_keeps_its_laws(flow, stores):
    strategy = posts(stores) if flow.name == "for_you" else accounts(stores)
    checked = set()
    for _, stage in flow.components():
        if not isinstance(stage, SideEffect) and hasattr(stage, "children"):
            for one in parts_of(stage):
                check_laws(one, target=viewers(stores), batches=strategy, examples=8)
                checked.add(one.name)
    assert len(checked) > 12


async def test_every_candidate_is_shown_or_left_for_a_reason(flow, stores):
    debug = DebugOptions(trace=True)
    for user in (1, 8, 77):
        asked = Request(id="law", now_ms=stores.now_ms, debug=debug)
        result = await flow.process(Viewer(user, 5, request=asked))
        fates = check_conservation(result)
        assert fates["shown"] == 5
        assert fates["merged"] > 0


def parts_of(stage):
    """A stage, and the stages that it is made of."""
    if isinstance(stage, CandidateSource) or type(stage).__name__ != "SourceRegistry":
        yield stage
    for child in stage.children():
        yield from parts_of(child)
