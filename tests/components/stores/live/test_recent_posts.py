"""Recent posts follow Thunder's rules: what is kept, what is served, what is taken back."""

from __future__ import annotations

import attrs
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from components.stores.live.recent_posts import RecentLimits, RecentPosts

NOW = 10**12
DAY = 86_400_000


def posts(*rows: dict[str, int]) -> dict[str, np.ndarray]:
    """Columns of posts; what is not given is an original by author 1, a minute old."""
    defaults = {"author_id": 1, "created_ms": NOW - 60_000, "reply_to": -1, "repost_of": -1, "media": 0}
    return {
        name: np.array([row.get(name, defaults.get(name)) for row in rows], dtype=np.int64)
        for name in ("post_id", *defaults)
    }


def many(count: int, **columns: int) -> dict[str, np.ndarray]:
    return posts(*({"post_id": at, "created_ms": NOW - count + at, **columns} for at in range(count)))


def store(*rows: dict[str, int], limits: RecentLimits | None = None) -> RecentPosts:
    made = RecentPosts(limits)
    made.add(posts(*rows))
    return made


def test_constants_are_those_of_thunder():
    assert attrs.asdict(RecentLimits()) == {
        "retention_ms": 172_800_000,
        "kept": 5_000,
        "scanned": 500,
        "served": (50, 30, 100),
        "authors": 10_000,
        "excluded": 10_000,
    }


def test_of_sixty_originals_by_one_author_the_newest_fifty_are_served():
    recent = RecentPosts()
    recent.add(many(60))
    assert recent.of_authors([1], NOW).tolist() == list(range(59, 9, -1))


def test_of_forty_reposts_thirty_are_served_and_of_120_videos_a_hundred():
    reposts, videos = RecentPosts(), RecentPosts()
    reposts.add(many(40, repost_of=1_000))
    videos.add(many(120, media=2))
    assert reposts.of_authors([1], NOW).tolist() == list(range(39, 9, -1))
    assert videos.of_authors([1], NOW, videos=True).tolist() == list(range(119, 19, -1))


def test_only_the_newest_five_hundred_are_looked_at():
    recent = RecentPosts()
    recent.add(many(600))
    seen = np.arange(110, 600)
    assert recent.of_authors([1], NOW, exclude=seen).tolist() == list(range(109, 99, -1))


def test_a_request_gets_1200_of_all_authors_by_default_newest_first():
    recent = RecentPosts()
    rows = many(1_500)
    recent.add({**rows, "author_id": np.arange(1_500) % 50})
    assert recent.of_authors(np.arange(50), NOW).tolist() == list(range(1_499, 299, -1))
    assert recent.of_authors(np.arange(50), NOW, limit=3).tolist() == [1_499, 1_498, 1_497]


def test_posts_are_served_for_two_days_from_just_after_they_were_made():
    recent = store(
        {"post_id": 1, "created_ms": NOW - 2 * DAY - 1},
        {"post_id": 2, "created_ms": NOW - 2 * DAY},
        {"post_id": 3, "created_ms": NOW - 1},
        {"post_id": 4, "created_ms": NOW},
        {"post_id": 5, "created_ms": NOW + 1},
    )
    assert recent.of_authors([1], NOW).tolist() == [3, 2]


def test_a_reply_needs_its_post_here_and_that_to_be_an_original_or_by_someone_followed():
    conversation = (
        {"post_id": 1, "author_id": 9},
        {"post_id": 2, "author_id": 8, "reply_to": 1},
        {"post_id": 3, "author_id": 7, "reply_to": 2},
        {"post_id": 4, "author_id": 6, "reply_to": 3},
        {"post_id": 5, "author_id": 6, "reply_to": 99},
    )
    recent = store(*conversation)
    assert recent.of_authors([8], NOW).tolist() == [2]
    assert recent.of_authors([7], NOW).tolist() == []
    assert recent.of_authors([7, 8], NOW).tolist() == [3, 2]
    assert recent.of_authors([6, 7], NOW).tolist() == []
    recent.delete([1], NOW)
    assert recent.of_authors([8], NOW).tolist() == []


def test_reposts_of_the_viewer_are_left_out():
    recent = store(
        {"post_id": 1, "author_id": 5},
        {"post_id": 2, "author_id": 1, "repost_of": 1},
        {"post_id": 3, "author_id": 1, "repost_of": 99},
    )
    assert recent.of_authors([1], NOW, viewer_id=5).tolist() == [3]
    assert recent.of_authors([1], NOW, viewer_id=6).tolist() == [3, 2]


def test_a_deleted_post_does_not_come_back_not_even_when_it_comes_late():
    recent = store({"post_id": 1}, {"post_id": 2})
    recent.delete([1, 3], NOW)
    recent.add(posts({"post_id": 1}, {"post_id": 3}, {"post_id": 4}))
    assert recent.of_authors([1], NOW).tolist() == [4, 2]
    assert len(recent) == 2


def test_a_post_that_comes_twice_counts_once():
    recent = store({"post_id": 1}, {"post_id": 1, "author_id": 2})
    recent.add(posts({"post_id": 1}))
    assert recent.of_authors([1, 2, 1], NOW).tolist() == [1]


def test_expiry_gives_memory_back_and_changes_no_answer():
    recent = RecentPosts()
    rows = many(5_000)
    recent.add({**rows, "created_ms": NOW - np.arange(5_000)[::-1] * 60_000})
    answer, before = recent.of_authors([1], NOW).tolist(), recent.nbytes
    recent.expire(NOW)
    assert recent.of_authors([1], NOW).tolist() == answer
    assert len(recent) == 2 * 24 * 60 + 1
    assert recent.nbytes < before


ROWS = st.fixed_dictionaries(
    {
        "post_id": st.integers(0, 12),
        "author_id": st.integers(0, 2),
        "created_ms": st.integers(NOW - 20, NOW + 2),
        "reply_to": st.integers(-1, 12),
        "repost_of": st.sampled_from([-1, -1, 3]),
        "media": st.sampled_from([0, 2]),
    }
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(ROWS, min_size=1, max_size=6)),
        st.tuples(st.just("delete"), st.lists(st.integers(0, 12), max_size=3)),
        st.tuples(st.just("expire"), st.none()),
        st.tuples(st.just("save"), st.none()),
    ),
    max_size=6,
)
FEW = RecentLimits(retention_ms=15, kept=100, scanned=4, served=(3, 2, 2))


@given(steps=STEPS, followed=st.sets(st.integers(0, 3)), seen=st.sets(st.integers(0, 12), max_size=3))
def test_recent_posts_answer_like_a_list_of_posts(steps, followed, seen):
    recent, naive = RecentPosts(FEW), {}
    for what, argument in steps:
        if what == "add":
            rows = sorted(argument, key=lambda row: row["created_ms"])
            recent.add(posts(*rows))
            for row in rows:
                naive.setdefault(row["post_id"], {**row, "gone": False})
        elif what == "delete":
            recent.delete(argument, NOW)
            for post in argument:
                naive[post] = {**naive.get(post, {"created_ms": NOW}), "gone": True}
        elif what == "expire":
            recent.expire(NOW)
            naive = {post: row for post, row in naive.items() if row["created_ms"] >= NOW - 15}
        else:
            saved, recent = recent.arrays(), RecentPosts(FEW)
            recent.load_arrays(saved)
    for videos in (False, True):
        got = recent.of_authors(sorted(followed), NOW, 8, exclude=sorted(seen), viewer_id=2, videos=videos)
        assert got.tolist() == expected(naive, followed, seen, videos)


def expected(naive, followed, seen, videos):
    here = {post: row for post, row in naive.items() if not row["gone"]}
    arrived = {id: at for at, id in enumerate(here)}
    kinds = {"videos": FEW.served[2]} if videos else {"originals": FEW.served[0], "others": FEW.served[1]}
    chosen = []
    for author in followed:
        for kind, most in kinds.items():
            own = [id for id, row in here.items() if row["author_id"] == author and is_of(row, kind)]
            newest = sorted(own, key=arrived.__getitem__)[::-1][: FEW.scanned]
            chosen += [id for id in newest if is_served(here, here[id], followed, seen)][:most]
    return sorted(chosen, key=lambda post: (here[post]["created_ms"], post))[::-1][:8]


def is_original(row):
    return row is not None and row["reply_to"] == -1 and row["repost_of"] == -1


def is_of(row, kind):
    return row["media"] == 2 if kind == "videos" else is_original(row) == (kind == "originals")


def is_served(here, row, followed, seen):
    above, source = here.get(row["reply_to"]), here.get(row["repost_of"])
    if row["post_id"] in seen or not NOW - 15 <= row["created_ms"] < NOW:
        return False
    if source is not None and source["author_id"] == 2:
        return False
    if row["reply_to"] == -1 or is_original(above):
        return True
    return above is not None and is_original(here.get(above["reply_to"])) and above["author_id"] in followed
