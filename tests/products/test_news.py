"""What is new on the home timeline: the pill, polling, and gaps."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.rankers.light import LogisticRanker
from components.sources.answers import posts_at
from components.stores.types import Paging, Post, Refresh, Viewer
from mixer import CursorCodec, Direction, Request
from mixer.params import Params
from products.for_you import params
from products.for_you.flow import ForYou
from products.for_you.home import Home
from products.for_you.pill import pill_of
from products.for_you.training import INPUTS
from tests.components.transforms.test_conversations import stores_with

HOUR_MS = 3_600_000
CODEC = CursorCodec(b"a key for the tests", "for_you")
BUSY = 5


@pytest.fixture
def home(stores, timeline_model):
    return Home(
        ForYou(stores, LogisticRanker(timeline_model, INPUTS, Post.score), cursors=CODEC), None, CODEC
    )


def asked(stores, cursor=None, refresh=Refresh.OPENED, *, after_h=6.0, limit=None, **settings):
    now_ms = stores.now_ms - 24 * HOUR_MS + int(after_h * HOUR_MS)
    known = Params.of({getattr(params, name): value for name, value in settings.items()})
    request = Request(id="home", now_ms=now_ms, cursor=cursor, params=known)
    return Viewer(BUSY, limit, paging=Paging(refresh=refresh), request=request)


async def opened(stores, home):
    return (await home.process(asked(stores, after_h=0.0))).response


def ids_of(response):
    return [entry["id"] for entry in response["entries"] if entry["kind"] == "post"]


# -- the pill


def small(authors, reposts):
    stores = stores_with(len(authors), author_id=np.ones(len(authors), int), repost_of=reposts)
    users = attrs.evolve(stores.users, ids=np.arange(7))
    posts = attrs.evolve(stores.posts, author=np.array(authors, np.int32))
    return attrs.evolve(stores, users=users, posts=posts)


@st.composite
def pages(draw):
    count = draw(st.integers(1, 8))
    authors = draw(st.lists(st.integers(0, 6), min_size=count, max_size=count))
    reposts = [draw(st.sampled_from([-1, -1, 99, *range(10, 10 + at)])) for at in range(count)]
    return authors, reposts


@given(pages(), st.sampled_from([None, *Direction]), st.sampled_from(Refresh), st.booleans())
def test_the_pill_names_three_original_authors_or_does_not_appear(page, direction, refresh, on):
    authors, reposts = page
    stores = small(authors, reposts)
    viewer = Viewer(
        0, paging=Paging((), 1, direction, refresh), request=Request(params=Params.of({params.PILL: on}))
    )
    expected = []
    for author, repost in zip(authors, reposts, strict=True):
        original = author if repost == -1 else authors[repost - 10] if repost != 99 else 0
        if original != 0 and original not in expected:
            expected.append(original)
    rows = np.arange(len(authors))
    pill = pill_of(viewer, posts_at(stores, rows, np.ones(len(rows))), stores)
    if not on or direction is not Direction.TOP or refresh is Refresh.PULLED or len(expected) < 3:
        assert pill is None
    else:
        at_once = refresh in (Refresh.MANUAL, Refresh.OWN_POST)
        assert pill == {"authors": expected[:3], "after_s": 0.0 if at_once else 240.0}


async def test_a_pill_comes_after_four_minutes_above_what_is_new(stores, home):
    first = await opened(stores, home)
    assert first["pill"] is None
    page = (await home.process(asked(stores, first["top"]))).response
    assert page["pill"]["after_s"] == 240.0
    assert len(set(page["pill"]["authors"])) == 3
    assert home.stats.snapshot()["home/pills"] == 1
    below = (await home.process(asked(stores, first["bottom"]))).response
    assert below["pill"] is None


# -- polling


async def test_polling_tells_how_much_is_new_and_leaves_everything_as_it_was(stores, home):
    first = await opened(stores, home)
    shown = home.posts.impressions.shown(BUSY, stores.now_ms).tolist()
    polled = [(await home.process(asked(stores, first["top"], Refresh.POLLING))).response for _ in range(2)]
    assert polled[0] == polled[1]
    assert polled[0]["entries"] == []
    assert polled[0]["top"] == first["top"]
    assert (polled[0]["gap"], polled[0]["bottom"]) == (None, None)
    assert polled[0]["pill"]["after_s"] == 240.0
    assert home.posts.impressions.shown(BUSY, stores.now_ms).tolist() == shown
    tapped = (await home.process(asked(stores, first["top"], Refresh.MANUAL))).response
    assert len(ids_of(tapped)) == tapped["new"] == polled[0]["new"] > 0
    assert tapped["pill"] == {**polled[0]["pill"], "after_s": 0.0}


async def test_nothing_is_new_at_once(stores, home):
    first = await opened(stores, home)
    polled = (await home.process(asked(stores, first["top"], Refresh.POLLING, after_h=0.0))).response
    assert (polled["new"], polled["pill"]) == (0, None)


# -- gaps


async def test_what_is_new_and_does_not_fit_lies_in_a_gap(stores, home):
    first = await opened(stores, home)
    since_ms = stores.now_ms - 24 * HOUR_MS
    created = dict(zip(stores.posts.index.ids.tolist(), stores.posts.created_ms.tolist(), strict=True))
    cursor, seen = first["top"], []
    while cursor is not None:
        page = (await home.process(asked(stores, cursor, limit=3))).response
        assert page["bottom"] is None
        ids = ids_of(page)
        assert len(ids) == 3 or page["gap"] is None
        assert not set(ids) & {*seen, *ids_of(first)}
        assert all(created[post] >= since_ms for post in ids)
        assert page["pill"] is None or cursor == first["top"]
        seen += ids
        cursor = page["gap"]
    assert len(seen) > 6  # more than two pages
