"""The home timeline: pages without repeats, people once in a while, no long runs of strangers."""

from __future__ import annotations

import attrs
import pytest

from components.rankers.light import LogisticRanker
from components.stores.controls import ControlStore
from components.stores.types import Account, Controls, Paging, Post, Viewer
from mixer import CursorCodec, CursorError, DebugOptions, Outcome, Request
from mixer.params import Params
from products.follow_recs.flow import FollowRecs
from products.follow_recs.training import INPUTS as ACCOUNT_INPUTS
from products.for_you import params
from products.for_you.flow import ForYou
from products.for_you.following import Following, RankedFollowing
from products.for_you.home import Home, conversation_above
from products.for_you.training import INPUTS as POST_INPUTS

HOUR_MS = 3_600_000
CODEC = CursorCodec(b"a key for the tests", "for_you")
USERS = range(1, 201, 23)


@pytest.fixture
def home(stores, timeline_model, follow_model):
    posts = ForYou(stores, LogisticRanker(timeline_model, POST_INPUTS, Post.score), cursors=CODEC)
    people = FollowRecs(stores, LogisticRanker(follow_model, ACCOUNT_INPUTS, Account.score))
    return Home(posts, people, CODEC)


def request(stores, user, cursor=None, *, limit=None, after_h=0.0, **fields):
    now_ms = stores.now_ms - 24 * HOUR_MS + int(after_h * HOUR_MS)
    return Viewer(user, limit, request=Request(id="home", now_ms=now_ms, cursor=cursor, **fields))


def posts_of(result):
    return [entry["id"] for entry in result.response["entries"] if entry["kind"] == "post"]


async def test_pages_lead_on_without_repeats(stores, home):
    for user in USERS:
        seen, cursor = [], None
        for page in range(4):
            result = await home.process(request(stores, user, cursor, limit=8))
            ids = posts_of(result)
            assert len(ids) == len(set(ids)) <= 8
            assert not set(ids) & set(seen)
            assert page or len(ids) == 8
            seen += ids
            cursor = result.response["bottom"]
            if cursor is None:
                assert not ids
                break


async def test_cursors_alone_prevent_repeats_where_nothing_is_remembered(stores, home):
    dark = DebugOptions(skip_side_effects=True)
    first = await home.process(request(stores, 3, limit=6, debug=dark))
    same = await home.process(request(stores, 3, limit=6, debug=dark))
    then = await home.process(request(stores, 3, first.response["bottom"], limit=6, debug=dark))
    assert posts_of(first) == posts_of(same)
    assert not set(posts_of(first)) & set(posts_of(then))


async def test_the_top_cursor_leads_to_what_is_new(stores, home):
    first = await home.process(request(stores, 5))
    newer = await home.process(request(stores, 5, first.response["top"], after_h=3.0))
    created = dict(zip(stores.posts.index.ids.tolist(), stores.posts.created_ms.tolist(), strict=True))
    assert posts_of(newer)
    assert all(created[post] >= stores.now_ms - 24 * HOUR_MS for post in posts_of(newer))
    assert all(created[post] < stores.now_ms - 21 * HOUR_MS for post in posts_of(newer))


async def test_people_come_at_the_sixth_place_once_in_thirty_hours(stores, home):
    def places(result):
        return [at for at, entry in enumerate(result.response["entries"]) if entry["kind"] == "people"]

    first = await home.process(request(stores, 7))
    assert places(first) == [5]
    people = first.response["entries"][5]["ids"]
    assert len(people) == 3
    follows = stores.users.ids[stores.follows.of(stores.users.row_of(7))].tolist()
    assert not set(people) & {7, *follows}
    for cursor, after_h, expected in ((None, 1.0, []), (None, 29.9, []), (None, 30.1, [5])):
        again = await home.process(request(stores, 7, cursor, after_h=after_h))
        assert places(again) == expected
    below = await home.process(request(stores, 9, first.response["bottom"]))
    assert places(below) == []


async def test_no_more_than_two_strangers_in_a_row_while_there_are_others(stores, home):
    for user in USERS:
        result = await home.process(request(stores, user))
        items = [entry for entry in result.slate if entry.flow == "for_you"]
        strangers = [not item.value(Post.in_network) for item in items]
        last_friend = max((at for at, strange in enumerate(strangers) if not strange), default=-1)
        runs = "".join("s" if strange else "f" for strange in strangers[: last_friend + 1])
        assert "sss" not in runs


async def test_followed_people_are_pulled_forward_from_beyond_the_page(stores, home):
    """Blending from a pool shows posts of followed people that are not among the best of the page's length."""
    gained = 0
    for user in USERS:
        shown = {}
        for pool in (0, 120):
            settings = Params.of({params.POOL: pool})
            dark = DebugOptions(skip_side_effects=True)
            result = await home.process(request(stores, user, limit=10, params=settings, debug=dark))
            items = [entry for entry in result.slate if entry.flow == "for_you"]
            shown[pool] = [bool(item.value(Post.in_network)) for item in items]
        assert len(shown[0]) == len(shown[120]) == 10
        assert sum(shown[120]) >= sum(shown[0])
        gained += sum(shown[120]) - sum(shown[0])
    assert gained > 0


async def test_older_posts_are_not_pulled_forward(stores, home):
    """Not even those of followed people: they stand where the posts of a page end."""
    older = 0
    for user in USERS:
        result = await home.process(request(stores, user, limit=200))
        ages = [item.value(Post.age_h) > 48.0 for item in result.slate if item.flow == "for_you"]
        assert ages == sorted(ages)
        older += sum(ages)
    assert older > 0


async def test_only_what_a_page_shows_is_remembered_as_shown(stores, home):
    result = await home.process(request(stores, 3, limit=6))
    shown = posts_of(result)
    assert len(result.results["for_you"].candidates) > len(shown) == 6
    assert home.posts.impressions.shown(3, stores.now_ms).tolist() == shown
    counters = home.stats.snapshot()
    counts = [counters.get(f"home/slate/{network}", 0) for network in ("in_network", "out_of_network")]
    assert sum(counts) == 6
    assert counts[0] == sum(
        bool(entry.value(Post.in_network)) for entry in result.slate if entry.flow == "for_you"
    )


@pytest.mark.parametrize(("discovery", "run"), [(0.0, 2), (0.5, 2), (0.75, 4), (1.0, 35)])
async def test_who_would_rather_discover_sees_longer_runs_of_strangers(stores, home, discovery, run):
    longest = 0
    for user in USERS:
        viewer = attrs.evolve(request(stores, user), controls=Controls(discovery=discovery))
        result = await home.process(viewer)
        items = [entry for entry in result.slate if entry.flow == "for_you"]
        kinds = "".join("f" if item.value(Post.in_network) else "s" for item in items)
        runs = kinds[: kinds.rfind("f") + 1].split("f")
        longest = max([longest, *map(len, runs)])
        assert max(map(len, runs)) <= run
    assert longest == run or discovery in (0.0, 1.0)


async def test_home_asks_the_store_what_the_viewer_wishes(stores, home):
    home.posts.controls = ControlStore()
    home.posts.controls.change(5, discovery=1.0)
    kinds = {}
    for user in (5, 28):
        result = await home.process(request(stores, user, limit=10))
        kinds[user] = [bool(item.value(Post.in_network)) for item in result.slate if item.flow == "for_you"]
    assert not any(kinds[5])
    assert any(kinds[28])


@pytest.mark.parametrize("cursor", ["nonsense", "AAAA", CursorCodec(b"another key, as long", "for_you")])
async def test_foreign_cursors_are_refused(stores, home, cursor):
    from mixer import Cursor, Direction

    text = cursor if isinstance(cursor, str) else cursor.encode(Cursor(Direction.BOTTOM, {"shown": [1]}))
    with pytest.raises(CursorError, match="expected one that for_you gave out"):
        await home.posts.process(request(stores, 1, text))


async def test_a_timeline_without_cursors_has_one_page(stores, home, timeline_model):
    plain = ForYou(stores, LogisticRanker(timeline_model, POST_INPUTS, Post.score))
    result = await plain.process(request(stores, 1))
    assert result.cursor is None
    with pytest.raises(CursorError, match="a timeline of one page"):
        await plain.process(request(stores, 1, "x"))


async def test_following_is_what_followed_people_post_newest_first(stores):
    flow = Following(stores)
    for user in USERS:
        result = await flow.process(request(stores, user))
        row = stores.users.row_of(user)
        posts = result.candidates
        followed = set(stores.follows.of(row, posts[Post.created_ms].max() + 1 if len(posts) else 0).tolist())
        assert set(posts[Post.author_row].tolist()) <= followed | {row}
        assert posts[Post.created_ms].tolist() == sorted(posts[Post.created_ms].tolist(), reverse=True)
        assert len(posts) <= params.FOLLOWING.default
        assert result.outcome in (Outcome.OK, Outcome.EMPTY)


async def test_following_goes_on_where_the_page_before_ended(stores):
    flow = Following(stores, cursors=CODEC)
    whole = (await Following(stores).process(request(stores, 5))).candidates.ids.tolist()
    cursor, seen = None, []
    for _ in range(4):
        page = await flow.process(request(stores, 5, cursor, limit=7))
        seen += page.candidates.ids.tolist()
        cursor = page.cursor
    assert len(seen) == len(set(seen)) == 28
    assert seen[:7] == whole[:7]
    newest = [int(stores.posts.created_ms[row]) for row in stores.posts.index.rows_of(seen)]
    assert newest == sorted(newest, reverse=True)


async def test_ranked_following_is_for_you_of_followed_people(stores, timeline_model):
    """Thirty-eight of the same posts, best first, and no stranger even for who would rather discover."""
    flow = RankedFollowing(stores, LogisticRanker(timeline_model, POST_INPUTS, Post.score))
    assert params.RANKED_FOLLOWING.default == 38
    lengths = []
    for user in USERS:
        wishes = Controls(discovery=0.75)
        dark = request(stores, user, debug=DebugOptions(skip_side_effects=True))
        posts = (await flow.process(attrs.evolve(dark, controls=wishes))).candidates
        assert posts[Post.in_network].all()
        assert posts[Post.score].tolist() == sorted(posts[Post.score].tolist(), reverse=True)
        newest = (await Following(stores).process(dark)).candidates
        assert len(posts) <= 38
        lengths.append(len(posts))
        few = (await flow.process(attrs.evolve(dark, limit=3))).candidates
        assert len(few) == min(3, len(posts))
        if len(posts) > 5:
            assert posts.ids.tolist() != newest.ids.tolist()[: len(posts)]
    assert max(lengths) == 38


def test_replies_are_displayed_with_root_and_parent(stores):
    from components.stores.threads import Threads

    ids = stores.posts.index
    none = [-1] * len(stores.posts)
    replies = [*none[:1], int(ids.ids[0]), int(ids.ids[1]), int(ids.ids[2]), *none[4:]]
    import numpy as np

    threads = Threads.of(ids, np.array(replies), np.array(none), np.array(none))
    posts = attrs.evolve(stores.posts)
    posts.__dict__["threads"] = threads
    threaded = attrs.evolve(stores, posts=posts)
    first = ids.ids[:4].tolist()
    assert [conversation_above(threaded, row) for row in range(4)] == [
        [],
        [first[0]],
        [first[0], first[1]],
        [first[0], first[2]],
    ]


async def test_a_prompt_stands_at_the_head_once_a_week(stores, home):
    lonely = next(user for user in range(1, 201) if len(stores.history(user, stores.now_ms).follows) < 5)
    first = await home.process(request(stores, lonely, limit=6))
    assert first.response["entries"][0]["kind"] == "prompt"
    assert first.response["entries"][0]["about"] == "follow_people"
    again = await home.process(request(stores, lonely, limit=6, after_h=1.0))
    assert "follow_people" not in [entry.get("about") for entry in again.response["entries"]]
    page = await home.process(request(stores, lonely, first.response["bottom"], limit=6, after_h=8 * 24.0))
    assert {entry["kind"] for entry in page.response["entries"]} <= {"post", "people"}


async def test_nobody_is_prompted_without_an_occasion(stores, home):
    busy = max(range(1, 201), key=lambda user: len(stores.history(user, stores.now_ms).follows))
    page = await home.process(request(stores, busy, limit=6))
    assert "prompt" not in {entry["kind"] for entry in page.response["entries"]}


def pushed(stores, user, post, cursor=None, **fields):
    viewer = request(stores, user, cursor, **fields)
    return attrs.evolve(viewer, paging=Paging(pushed=post))


async def test_the_post_of_a_notification_stands_at_the_head_and_not_again_below(stores, home):
    for user in USERS:
        dark = DebugOptions(skip_side_effects=True)
        would = posts_of(await home.process(request(stores, user, limit=8, debug=dark)))
        notified = would[4]
        first = await home.process(pushed(stores, user, notified, limit=8))
        head = first.response["entries"][0]
        assert (head["kind"], head["id"]) == ("post", notified)
        assert len(head["pushed_by"]) <= 3
        assert set(head["pushed_by"]) <= set(
            stores.users.ids[stores.follows.of(stores.users.row_of(user))].tolist()
        )
        ids = posts_of(first)
        assert len(ids) == len(set(ids)) == 9
        below = await home.process(pushed(stores, user, notified, first.response["bottom"], limit=8))
        assert not set(posts_of(below)) & set(ids)
        assert notified in home.posts.impressions.shown(user, stores.now_ms - 24 * HOUR_MS)


async def test_a_notification_shows_nothing_that_must_not_be_shown(stores, home):
    later = int(stores.posts.index.ids[stores.posts.created_ms.argmax()])
    post = posts_of(await home.process(request(stores, 3, limit=8)))[0]
    text = str(stores.posts.text[stores.posts.index.row_of(post)])
    muting = attrs.evolve(
        pushed(stores, 3, post), controls=Controls(muted_words=(text.split(maxsplit=1)[0],))
    )
    off = pushed(stores, 3, post, params=Params.of({params.PUSHED: False}))
    for viewer in (muting, off, pushed(stores, 3, later), pushed(stores, 3, -5)):
        page = await home.process(viewer)
        assert posts_of(page)
        assert all("pushed_by" not in entry for entry in page.response["entries"])
