"""Each filter of the timeline, on a small world where everything refers to everything, against a naive reading."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.datasets import Relation
from components.predicates import timeline
from components.sources.answers import posts_at
from components.stores.types import Controls, Paging, Post, Viewer
from mixer import Request
from tests.components.predicates.small_timeline import FRIEND, VIEWER, checked, reasons, stores


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
            built, lambda viewer, ids: np.isin(ids, sorted(shown & set(naive.posts)))
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


@given(stores())
def test_replies_need_their_conversation_up_to_its_root(found):
    naive = found[1]

    def rootless(post, row):
        seen = set()
        while row["reply_to"] != -1 and row["reply_to"] in naive.posts and post not in seen:
            seen.add(post)
            post, row = row["reply_to"], naive.posts[row["reply_to"]]
        return row["reply_to"] != -1

    rules = {"conversation_without_root": rootless}
    assert checked(found, timeline.WholeConversation)[0] == reasons(naive, rules)


@given(stores())
def test_following_has_replies_among_followed_people(found):
    naive = found[1]

    def to_stranger(post, row):
        author, above, seen = row["author_id"], row["reply_to"], set()
        while above in naive.posts and above not in seen:
            seen.add(above)
            if naive.author(above) != author:
                return naive.author(above) not in (VIEWER, FRIEND)
            above = naive.posts[above]["reply_to"]
        return False

    rules = {"reply_to_stranger": to_stranger}
    assert checked(found, timeline.RepliesAmongFollowed)[0] == reasons(naive, rules)


@given(stores(), st.sets(st.integers(10, 18)))
def test_what_earlier_pages_showed_does_not_come_again(found, shown):
    naive = found[1]
    rules = {"on_an_earlier_page": lambda post, row: post in shown}
    paging = Paging(shown=tuple(shown))
    answer, _ = checked(found, lambda built: timeline.NotOnEarlierPages(), paging=paging)
    assert answer == reasons(naive, rules)
