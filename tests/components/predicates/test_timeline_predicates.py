"""Each filter of the timeline, on a small world where everything refers to everything, against a naive reading."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.datasets import Dataset, Relation, Table
from components.predicates import timeline
from components.sources.answers import posts_at
from components.stores.from_dataset import stores_of
from components.stores.types import Controls, Post, Viewer
from mixer import Request
from mixer.params import Params

DAY = timeline.DAY_MS
NOW = 100 * DAY
VIEWER, FRIEND, STRANGER, OTHER = 1, 2, 3, 4
WORDS = ("jazz", "tea", "the long exposure", "spoiler", "Spoiler alert", "#tea", "")


@st.composite
def stores(draw):
    count = draw(st.integers(2, 9))
    ids = list(range(10, 10 + count))

    def references(missing):
        return [draw(st.sampled_from([-1, -1, -1, *missing, *ids[:at]])) for at in range(count)]

    posts = {
        "post_id": ids,
        "author_id": [draw(st.integers(1, 4)) for _ in ids],
        "created_ms": [NOW - DAY] * count,
        "text": [draw(st.sampled_from(WORDS)) for _ in ids],
        "topic": [draw(st.integers(-1, 2)) for _ in ids],
        "media": np.array([draw(st.integers(0, 2)) for _ in ids], dtype=np.int8),
        "subscribers_only": np.array([draw(st.integers(0, 1)) for _ in ids], dtype=np.int8),
        "reply_to": references([77]),
        "repost_of": references([]),
        "quote_of": references([]),
    }
    relations = draw(
        st.lists(
            st.tuples(st.integers(1, 4), st.integers(1, 4), st.sampled_from(Relation), st.integers(80, 100)),
            max_size=8,
        )
    )
    tables = {
        "users": Table({"user_id": [1, 2, 3, 4], "created_ms": [NOW - 60_000, 0, 0, 0]}),
        "follows": Table({"follower_id": [VIEWER], "followee_id": [FRIEND]}),
        "posts": Table(posts),
        "relations": Table(
            {
                "user_id": np.array([one for one, _, _, _ in relations], dtype=np.int64),
                "subject_id": np.array([other for _, other, _, _ in relations], dtype=np.int64),
                "kind": np.array([int(kind) for _, _, kind, _ in relations], dtype=np.int8),
                "time_ms": np.array([day * DAY for _, _, _, day in relations], dtype=np.int64),
            }
        ),
    }
    data = Dataset("test", tables, NOW)
    return stores_of(data), Naive(posts, relations)


class Naive:
    """The same posts and decisions as dictionaries."""

    def __init__(self, columns, relations):
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        self.posts = {row["post_id"]: row for row in rows}
        self.relations = [one for one in relations if one[3] < 100]

    def author(self, post):
        return self.posts[post]["author_id"] if post in self.posts else None

    def decided(self, one, other, *kinds, since=0):
        return any(
            (who, whom) == (one, other) and kind in kinds and day > since
            for who, whom, kind, day in self.relations
        )

    def avoided(self, author):
        return self.decided(VIEWER, author, Relation.BLOCK, Relation.MUTE)

    def blocks(self, author):
        return self.decided(author, VIEWER, Relation.BLOCK)

    def with_it(self, post):
        """The post and everything that is displayed with it."""
        row, seen = self.posts[post], [post]
        seen += [row["quote_of"], row["repost_of"]]
        above = row["reply_to"]
        while above in self.posts and len(seen) < 50:
            seen.append(above)
            above = self.posts[above]["reply_to"]
        return [other for other in seen if other in self.posts]


def checked(found, predicate, **viewing):
    built, naive = found
    viewer = Viewer(VIEWER, request=Request(id="r", now_ms=NOW, params=Params.of({})), **viewing)
    viewer = attrs.evolve(viewer, known=built.history(VIEWER, NOW))
    rows = np.arange(len(built.posts))
    verdicts = predicate(built).check(viewer, posts_at(built, rows, np.ones(len(rows))))
    return {post: set(verdicts.reasons_of(row)) for row, post in enumerate(naive.posts)}, verdicts


def reasons(naive, rules):
    return {
        post: {name for name, applies in rules.items() if applies(post, row)}
        for post, row in naive.posts.items()
    }


@given(stores())
def test_own_posts_and_reposts_of_them(found):
    naive = found[1]
    rules = {
        "own_post": lambda post, row: row["author_id"] == VIEWER,
        "repost_of_own_post": lambda post, row: naive.author(row["repost_of"]) == VIEWER,
    }
    assert checked(found, timeline.NotOwn)[0] == reasons(naive, rules)


@given(stores())
def test_replies_and_reposts_by_strangers(found):
    naive = found[1]

    def stranger(row):
        return row["author_id"] not in (VIEWER, FRIEND)

    rules = {
        "reply_by_stranger": lambda post, row: stranger(row) and row["reply_to"] != -1,
        "repost_by_stranger": lambda post, row: stranger(row) and row["repost_of"] != -1,
        "reply_to_nothing": lambda post, row: row["reply_to"] == 77,
    }
    assert checked(found, timeline.NoStrangersReplies)[0] == reasons(naive, rules)


@given(stores())
def test_posts_for_subscribers(found):
    naive = found[1]
    rules = {
        "for_subscribers_only": lambda post, row: (
            row["subscribers_only"]
            and row["author_id"] != VIEWER
            and not naive.decided(VIEWER, row["author_id"], Relation.SUBSCRIBED)
        )
    }
    assert checked(found, timeline.ForSubscribers)[0] == reasons(naive, rules)


@given(stores(), st.sets(st.integers(10, 18)))
def test_what_was_shown_covers_reposts_and_answers_of_it(found, shown):
    naive = found[1]
    rules = {
        "already_seen": lambda post, row: bool(
            {post, row["repost_of"], row["reply_to"]} & shown & set(naive.posts)
        )
    }
    answer, _ = checked(
        found,
        lambda built: timeline.NotShownBefore(
            built, lambda viewer: np.array(sorted(shown & set(naive.posts)), dtype=np.int64)
        ),
    )
    assert answer == reasons(naive, rules)


@given(stores())
def test_people_who_do_not_get_along(found):
    naive = found[1]

    def known(post):
        return naive.author(post) is not None

    rules = {
        "viewer_avoids_author": lambda post, row: naive.avoided(row["author_id"]),
        "author_blocks_viewer": lambda post, row: naive.blocks(row["author_id"]),
        "quoted_author_avoided": lambda post, row: (
            known(row["quote_of"])
            and (naive.avoided(naive.author(row["quote_of"])) or naive.blocks(naive.author(row["quote_of"])))
        ),
        "reposted_author_avoided": lambda post, row: (
            known(row["repost_of"])
            and (
                naive.avoided(naive.author(row["repost_of"])) or naive.blocks(naive.author(row["repost_of"]))
            )
        ),
        "reposts_of_author_muted": lambda post, row: (
            row["repost_of"] != -1 and naive.decided(VIEWER, row["author_id"], Relation.MUTE_REPOSTS)
        ),
    }
    assert checked(found, timeline.PeopleGetAlong)[0] == reasons(naive, rules)


@given(stores())
def test_fewer_of_an_author_for_fourteen_days(found):
    naive = found[1]
    rules = {
        "asked_to_see_less": lambda post, row: naive.decided(
            VIEWER, row["author_id"], Relation.SHOW_LESS, since=86
        )
    }
    assert checked(found, timeline.NotFatigued)[0] == reasons(naive, rules)


@given(stores(), st.sets(st.integers(0, 2)), st.sets(st.integers(0, 2)), st.booleans())
def test_topics_and_videos_as_asked_for(found, wanted, excluded, videos):
    naive = found[1]
    controls = Controls(topics=frozenset(wanted), excluded_topics=frozenset(excluded), videos=videos)
    rules = {
        "topic_not_asked_for": lambda post, row: bool(wanted) and row["topic"] not in wanted,
        "topic_excluded": lambda post, row: row["topic"] in excluded,
    }
    assert checked(found, timeline.WantedTopics, controls=controls)[0] == reasons(naive, rules)
    rules = {"video_not_wanted": lambda post, row: not videos and row["media"] == 2}
    assert checked(found, timeline.WantedMedia, controls=controls)[0] == reasons(naive, rules)


@settings(max_examples=60)
@given(stores(), st.lists(st.sampled_from(["jazz", "TEA", "long exposure", "spoiler alert", "exposure the"])))
def test_muted_words_cover_whatever_is_displayed_with_a_post(found, phrases):
    naive = found[1]

    def says(post):
        words = naive.posts[post]["text"].casefold().replace("#", "").split()
        wanted = [phrase.casefold().split() for phrase in phrases]
        return any(words[at : at + len(phrase)] == phrase for phrase in wanted for at in range(len(words)))

    rules = {"muted_words": lambda post, row: any(says(other) for other in naive.with_it(post))}
    answer, _ = checked(found, lambda built: timeline.NoMutedWords(built, lambda viewer: phrases))
    assert answer == reasons(naive, rules)


@given(stores(), st.integers(0, 2))
def test_new_viewers_are_spared_strangers_posts_that_nobody_liked(found, least):
    naive = found[1]
    rules = {
        "unproven_for_a_new_viewer": lambda post, row: least > 0 and row["author_id"] not in (VIEWER, FRIEND)
    }
    answer, _ = checked(found, lambda built: timeline.ProvenToStrangers(built, least))
    assert answer == reasons(naive, rules)
    _, verdicts = checked(found, lambda built: timeline.ProvenToStrangers(built, least, new_for_s=60.0))
    assert verdicts.keep.all()  # the account is a minute old: not younger than a minute


@given(stores(), st.integers(0, 100))
def test_the_holdout_withholds_by_the_original_post(found, percent):
    built, naive = found
    _, verdicts = checked(found, lambda stores: timeline.Holdout(stores, percent))
    originals = [row["repost_of"] if row["repost_of"] != -1 else post for post, row in naive.posts.items()]
    buckets = timeline.holdout_bucket(np.array(originals), VIEWER)
    assert verdicts.keep.tolist() == (buckets >= percent).tolist()
    assert built.posts.index.ids.tolist() == list(naive.posts)


@pytest.mark.parametrize(
    ("post", "viewer", "bucket"),
    [(1, 1, 48), (1, 2, 96), (2, 1, 42), (12345, 678, 60), (1899999999999999999, 42, 92)],
)
def test_the_published_holdout_buckets(post, viewer, bucket):
    assert timeline.holdout_bucket(np.array([post]), viewer).tolist() == [bucket]


@given(stores())
def test_posts_without_an_author_go(found):
    built, _ = found
    rows = np.arange(len(built.posts))
    posts = posts_at(built, rows, np.ones(len(rows))).with_columns(
        {Post.author_row: np.where(rows == 0, -1, 1)}
    )
    verdicts = timeline.KnownAuthor().check(Viewer(VIEWER, request=Request(id="r")), posts)
    assert [verdicts.reasons_of(row) for row in rows] == [("unknown_author",), *[()] * (len(rows) - 1)]
