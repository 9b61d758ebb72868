"""What operators list, against a naive reading of each rule."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.predicates import listed
from components.stores.links import LinkIndex
from components.stores.types import Settings
from tests.components.predicates.small_timeline import (
    FRIEND,
    OTHER,
    STRANGER,
    VIEWER,
    checked,
    reasons,
    stores,
)

LINKS = ("tea", "https://example.com/x", "see HTTP://Shop.Example.COM", "https://example.org", "example.com")
people = st.sets(st.sampled_from([VIEWER, FRIEND, STRANGER, OTHER]))
hosts = st.sets(st.sampled_from(["example.com", "Shop.example.com", "org", "none.net"]))


def followed(row):
    return row["author_id"] in (VIEWER, FRIEND)


def links_to(text, wanted):
    found = [host.casefold() for host in re.findall(r"https?://([^/ ]+)", text, re.IGNORECASE)]
    return any(f".{host}".endswith(f".{one.casefold()}") for host in found for one in wanted)


@given(stores(LINKS), people, hosts)
def test_competitors_are_left_out_of_what_strangers_post(found, authors, wanted):
    naive = found[1]

    def judged(row):
        return not followed(row) and row["repost_of"] == -1

    rules = {
        "by_competitor": lambda post, row: judged(row) and row["author_id"] in authors,
        "links_to_competitor": lambda post, row: judged(row) and links_to(row["text"], wanted),
    }
    answer, _ = checked(found, lambda built: listed.NotCompeting(built, tuple(authors), tuple(wanted)))
    assert answer == reasons(naive, rules)


@given(stores(seconds=(0, 59, 60, 61)), people)
def test_support_answers_and_those_that_nobody_typed(found, accounts):
    """Exactly a minute is time enough to type."""
    naive = found[1]

    def judged(row):
        return followed(row) and row["reply_to"] != -1 and row["repost_of"] == -1

    def automatic(post, row):
        above = naive.posts.get(row["reply_to"])
        return judged(row) and above is not None and row["created_ms"] - above["created_ms"] < 60_000

    rules = {
        "reply_by_support": lambda post, row: judged(row) and row["author_id"] in accounts,
        "automatic_reply": automatic,
    }
    answer, _ = checked(found, lambda built: listed.NoSupportReplies(built, tuple(accounts)))
    assert answer == reasons(naive, rules)


@given(stores(), people)
def test_accounts_listed_for_elections_are_for_followers(found, accounts):
    naive = found[1]
    rules = {
        "listed_for_elections": lambda post, row: any(
            naive.author(other) in accounts - {FRIEND} for other in naive.with_it(post)
        )
    }
    answer, _ = checked(found, lambda built: listed.NotListedUnlessFollowed(built, tuple(accounts)))
    assert answer == reasons(naive, rules)


@given(stores(), st.sets(st.integers(10, 18)), people, st.sampled_from(["DE", "de", "FR", ""]))
def test_what_is_withheld_in_a_country_is_not_shown_there(found, posts, authors, country):
    naive = found[1]
    there = country.casefold() == "de"
    rules = {
        "withheld_in_country": lambda post, row: (
            there and any(other in posts or naive.author(other) in authors for other in naive.with_it(post))
        )
    }
    by_post = (*(f"DE:{post}" for post in sorted(posts)), "US:10")
    by_author = tuple(f"de:{author}" for author in sorted(authors))
    answer, _ = checked(
        found,
        lambda built: listed.NotWithheld(built, by_post, by_author),
        settings=Settings(country=country),
    )
    assert answer == reasons(naive, rules)


@pytest.mark.parametrize("entry", ["DE12", "DE:", ":12", "DE:12a", ""])
def test_entries_without_country_or_id_are_refused(entry):
    with pytest.raises(ValueError, match="expected a country and an id such as DE:12"):
        listed.ids_in("DE", [entry])


@given(stores(LINKS))
def test_empty_lists_judge_nothing(found):
    for rule in (listed.NotCompeting, listed.NotListedUnlessFollowed, listed.NotWithheld):
        assert checked(found, rule)[1].keep.all()


@given(st.lists(st.sampled_from(LINKS), max_size=6), hosts)
def test_the_index_of_links_equals_a_search_through_every_text(texts, wanted):
    expected = [row for row, text in enumerate(texts) if links_to(text, wanted)]
    assert np.unique(LinkIndex.of(texts).rows_to(wanted)).tolist() == expected


def test_ports_and_credentials_are_no_part_of_a_host():
    index = LinkIndex.of(["https://me:secret@example.com:8080/?q#f", "https://example.com.evil.net"])
    assert index.rows_to(["example.com"]).tolist() == [0]
