from __future__ import annotations

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.datasets import Dataset, Table
from components.sources.answers import posts_at
from components.stores.from_dataset import stores_of
from components.stores.labels import AccountLabel, PostLabel, SafetyLabels
from components.stores.types import Post, Settings, Viewer
from components.visibility.engine import INHERITED, Visibility, Visible, Warn
from components.visibility.rules import BASE, RECOMMENDATION, Outcome
from mixer import OnError, Request

NOW = 1_000
VIEWER, FRIEND, STRANGER, PRIVATE = 1, 2, 3, 4


def world(labels=(), account_labels=(), relations=(), **columns):
    """Posts 10 to 15: friend's, stranger's, own, and three that refer to others as ``columns`` say."""
    authors = [FRIEND, STRANGER, VIEWER, FRIEND, STRANGER, STRANGER]
    posts = {"post_id": np.arange(10, 16), "author_id": authors, "created_ms": np.arange(10, 16), **columns}
    tables = {
        "users": Table({"user_id": [VIEWER, FRIEND, STRANGER, PRIVATE]}),
        "follows": Table({"follower_id": [VIEWER], "followee_id": [FRIEND]}),
        "posts": Table(posts),
        "labels": Table(
            {
                "post_id": np.array([post for post, _ in labels], dtype=np.int64),
                "label": np.array([label for _, label in labels], dtype=object),
                "score": np.ones(len(labels), dtype=np.float32),
            }
        ),
        "account_labels": Table(
            {
                "user_id": np.array([user for user, _ in account_labels], dtype=np.int64),
                "label": np.array([label for _, label in account_labels], dtype=object),
            }
        ),
        "relations": Table(
            {
                "user_id": np.array([one for one, _, _ in relations], dtype=np.int64),
                "subject_id": np.array([other for _, other, _ in relations], dtype=np.int64),
                "kind": np.array([kind for _, _, kind in relations], dtype=np.int8),
            }
        ),
    }
    data = Dataset("test", tables, NOW)
    stores = stores_of(data)
    return stores, Visibility(stores)


def viewer_of(stores, **wishes):
    viewer = Viewer(VIEWER, request=Request(id="r", now_ms=NOW), settings=Settings(**wishes))
    return attrs.evolve(viewer, known=stores.history(VIEWER, NOW))


def reasons(stores, visibility, post, **wishes):
    rows = stores.posts.index.rows_of([post])
    return set(visibility.drops(viewer_of(stores, **wishes), rows).reasons_of(0))


ANYONE = [label for label in PostLabel if label.value in {rule.name for rule in BASE}]


@pytest.mark.parametrize("label", [*ANYONE, PostLabel.TAKEDOWN])
def test_a_base_label_drops_posts_of_friends_and_strangers_and_spares_the_author(label):
    stores, visibility = world([(post, label.value) for post in (10, 11, 12)])
    expected = "post_takedown" if label is PostLabel.TAKEDOWN else label.value
    assert reasons(stores, visibility, 10) == reasons(stores, visibility, 11) == {expected}
    own = {"emergency_only"} if label is PostLabel.EMERGENCY_ONLY else set()
    assert reasons(stores, visibility, 12) == own


@pytest.mark.parametrize("name", [rule.name for rule in RECOMMENDATION])
def test_a_recommendation_rule_drops_strangers_only(name):
    of_author = name.endswith("_author") or name == "abusive_author"
    value = {
        "impersonation_author": "impersonation",
        "abusive_author": "abusive_high_recall",
    }.get(name, name.removesuffix("_author") if of_author else name)
    if of_author:
        stores, visibility = world(account_labels=[(FRIEND, value), (STRANGER, value)])
    else:
        stores, visibility = world([(10, value), (11, value)])
    assert name in reasons(stores, visibility, 11)
    assert name not in reasons(stores, visibility, 10)


@pytest.mark.parametrize("label", ["suspended", "deactivated", "erased", "offboarded", "takedown"])
def test_an_account_that_is_gone_takes_its_posts_along(label):
    stores, visibility = world(account_labels=[(FRIEND, label)])
    expected = {"author_takedown" if label == "takedown" else f"{label}_author"}
    assert reasons(stores, visibility, 10) == expected
    assert reasons(stores, visibility, 11) == set()


def test_protected_accounts_are_for_followers():
    stores, visibility = world(account_labels=[(FRIEND, "protected"), (STRANGER, "protected")])
    assert reasons(stores, visibility, 10) == set()
    assert reasons(stores, visibility, 11) == {"protected_author"}


def test_decisions_about_people_drop_their_posts():
    stores, visibility = world(
        relations=[(VIEWER, FRIEND, 1), (STRANGER, VIEWER, 0), (VIEWER, STRANGER, 4)],
        repost_of=[-1, -1, -1, -1, 10, -1],
    )
    assert reasons(stores, visibility, 10) == {"viewer_mutes_author"}
    assert reasons(stores, visibility, 11) == {"author_blocks_viewer"}
    assert reasons(stores, visibility, 14) == {
        "author_blocks_viewer",
        "viewer_mutes_reposts",
        "reposted_post_dropped",
    }


def test_subscribers_see_what_is_for_subscribers():
    columns = {"subscribers_only": np.array([1, 1, 1, 0, 0, 0], dtype=np.int8)}
    stores, visibility = world(relations=[(VIEWER, FRIEND, 3)], **columns)
    assert [reasons(stores, visibility, post) for post in (10, 11, 12)] == [
        set(),
        {"exclusive_content"},
        set(),
    ]


def test_sensitive_posts_ask_who_is_looking():
    stores, visibility = world([(10, "sensitive")])
    for wishes, reason in (
        ({}, None),
        ({"logged_in": False}, "sensitive_logged_out"),
        ({"age": 17}, "sensitive_under_age"),
        ({"age": 18}, None),
        ({"age_is_required": True}, "sensitive_no_age_stated"),
        ({"age_is_required": True, "age": 30}, None),
    ):
        assert reasons(stores, visibility, 10, **wishes) == ({reason} if reason else set())


def test_posts_inherit_from_what_they_quote_repost_and_answer():
    none = [-1] * 6
    for column, reason in zip(("quote_of", "repost_of", "reply_to"), INHERITED, strict=True):
        stores, visibility = world([(11, "spam")], **{column: [*none[:3], 11, -1, -1]})
        assert reasons(stores, visibility, 13) == {reason}
    chain = [-1, -1, 11, 12, 13, -1]
    stores, visibility = world([(11, "spam")], reply_to=chain)
    assert [reasons(stores, visibility, post) for post in (12, 13, 14)] == [{"ancestor_dropped"}] * 2 + [
        {"ancestor_dropped"}
    ]


def test_quoted_posts_are_held_to_the_stricter_level_and_reposts_by_friends_are_not():
    label = [(11, "do_not_amplify")]
    quoting, visibility = world(label, quote_of=[-1, -1, -1, 11, -1, -1])
    assert reasons(quoting, visibility, 13) == {"quoted_post_dropped"}
    reposting, visibility = world(label, repost_of=[-1, -1, -1, 11, 11, -1])
    assert reasons(reposting, visibility, 13) == set()
    assert reasons(reposting, visibility, 14) == {"reposted_post_dropped"}


def test_every_matching_rule_is_kept_in_the_order_of_the_rules():
    stores, visibility = world([(11, "spam"), (11, "gore"), (11, "pdna")])
    verdicts = visibility.drops(viewer_of(stores), stores.posts.index.rows_of([11]))
    assert verdicts.reasons_of(0) == ("pdna", "spam", "gore")


def test_the_first_warning_is_shown_unless_it_is_not_wanted():
    stores, visibility = world([(10, "gore"), (10, "nsfw")])
    posts = posts_at(stores, np.arange(3), np.ones(3))
    warned = Warn(visibility).transform(viewer_of(stores), posts)
    assert warned[Post.warning].tolist() == ["nsfw_interstitial", "", ""]
    spared = Warn(visibility).transform(viewer_of(stores, sees_sensitive=True), posts)
    assert spared[Post.warning].tolist() == ["", "", ""]
    assert Visible(visibility).check(viewer_of(stores), posts).keep.all()


async def test_what_cannot_be_judged_is_not_shown():
    stores, _visibility = world()
    labels = SafetyLabels(np.zeros(0, np.uint64), np.zeros(0, np.uint64))
    broken = Visibility(attrs.evolve(stores, labels=labels))
    posts = posts_at(stores, np.arange(3), np.ones(3))
    verdicts = await Visible(broken).on_error(OnError.DROP).check(viewer_of(stores), posts)
    assert not verdicts.keep.any()


LABELLED = st.lists(
    st.tuples(st.integers(10, 15), st.sampled_from([label.value for label in PostLabel])), max_size=8
)
ACCOUNTS = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from([label.value for label in AccountLabel])), max_size=4
)
REFERENCES = st.lists(st.sampled_from([-1, -1, 10, 11, 12, 13, 14, 15]), min_size=6, max_size=6)


@settings(max_examples=40)
@given(LABELLED, ACCOUNTS, REFERENCES, REFERENCES, st.sampled_from([{}, {"age": 9}, {"logged_in": False}]))
def test_judging_together_equals_judging_one_by_one(labels, accounts, quotes, replies, wishes):
    def earlier(references):
        return [other if other < post else -1 for post, other in zip(range(10, 16), references, strict=True)]

    stores, visibility = world(labels, accounts, quote_of=earlier(quotes), reply_to=earlier(replies))
    viewer = viewer_of(stores, **wishes)
    together = visibility.drops(viewer, np.arange(6))
    for row in range(6):
        alone = visibility.drops(viewer, np.array([row]))
        assert alone.reasons_of(0) == together.reasons_of(row)
        assert bool(alone.keep[0]) == bool(together.keep[row]) == (not alone.reasons_of(0))
    for row, quoted in enumerate(earlier(quotes)):
        if quoted >= 0:  # a quoted post that a stranger's could not survive takes its quotes along
            bad = visibility._dropped(viewer, stores.posts.index.rows_of([quoted]), np.zeros(1, np.bool_))[0]
            assert bad == ("quoted_post_dropped" in together.reasons_of(row))


def test_weak_and_unknown_labels_do_not_count():
    stores, _ = world()
    table = Table(
        {
            "post_id": [10, 11, 12],
            "label": np.array(["spam", "spam", "odd"], dtype=object),
            "score": np.array([0.79, 0.8, 1.0], dtype=np.float32),
        }
    )
    data = Dataset(
        "test",
        {
            "users": Table({"user_id": [1, 2, 3]}),
            "posts": Table({"post_id": [10, 11, 12], "author_id": [1, 2, 3], "created_ms": [1, 1, 1]}),
            "labels": table,
        },
        NOW,
    )
    found = SafetyLabels.of(data, stores.posts.index, stores.users)
    assert (found.posts != 0).tolist() == [False, True, False, False, False, False]


def test_the_published_number_of_rules_by_level():
    assert sum(rule.outcome is Outcome.INTERSTITIAL for rule in BASE) == 4
    assert len(RECOMMENDATION) == 26
    assert len({rule.name for rule in (*BASE, *RECOMMENDATION)}) == len(BASE) + len(RECOMMENDATION)
