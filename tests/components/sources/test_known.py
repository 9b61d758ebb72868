from __future__ import annotations

from collections import Counter

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.sources.people.known import ContactBook, CuratedAccounts, PopularInLanguage, RepeatedVisits
from components.stores.graph import Graph
from components.stores.types import Controls
from mixer.testing import check_laws
from tests.components.sources.small_stores import (
    HOUR_MS,
    LANGUAGES,
    Small,
    graph_of,
    ranked,
    same,
    small_stores,
)


def without(scores, row):
    return {other: score for other, score in scores.items() if other != row}


@given(small_stores(), st.integers(-1, 6), st.integers(0, 6))
@settings(max_examples=100, deadline=None)
def test_popular_in_language_equals_its_twin(small, row, cap):
    row, stores = min(row, small.users - 1), small.stores()
    language = small.languages[row] if row >= 0 else ""
    counts = Counter(
        other
        for one, followed in small.past(small.follows).items()
        for other in followed
        if language and small.languages[one] == language
    )
    found = PopularInLanguage(stores, cap).fetch(small.viewer(stores, row))
    same(found, ranked(without(counts, row), cap))


@given(
    small_stores(),
    st.integers(-1, 6),
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 60)), max_size=40),
    st.integers(1, 3),
)
@settings(max_examples=100, deadline=None)
def test_repeated_visits_equal_their_twin(small, row, visits, least):
    row, stores = min(row, small.users - 1), small.stores()
    visits = [visit for visit in visits if max(visit[:2]) < small.users]
    counts = Counter(other for one, other, hour in visits if one == row and 0 < small.now_h - hour <= 24)
    expected = {other: count for other, count in counts.items() if count >= least}
    graph = Graph.build(
        [one for one, _, _ in visits],
        [other for _, other, _ in visits],
        [hour * HOUR_MS for _, _, hour in visits],
        shape=(small.users, small.users),
    )
    source = RepeatedVisits(stores, graph, least=least, window_days=1.0)
    same(source.fetch(small.viewer(stores, row)), ranked(without(expected, row), 100))


def books():
    entries = st.tuples(st.integers(0, 6), st.integers(0, 4))
    return st.dictionaries(entries, st.integers(0, 60), max_size=20)


@given(small_stores(), st.integers(-1, 6), books(), books(), st.booleans())
@settings(max_examples=100, deadline=None)
def test_contact_books_equal_their_twin(small, row, uploaded, owned, reverse):
    row, stores = min(row, small.users - 1), small.stores()
    uploaded, owned = (
        {pair: hour for pair, hour in book.items() if pair[0] < small.users} for book in (uploaded, owned)
    )
    mine, theirs = (owned, uploaded) if reverse else (uploaded, owned)
    contacts = set(small.past(mine).get(row, []))
    expected = {other: 1.0 for other, book in small.past(theirs).items() if contacts & set(book)}
    shape = (small.users, 5)
    source = ContactBook(stores, graph_of(uploaded, shape), graph_of(owned, shape), reverse)
    same(source.fetch(small.viewer(stores, row)), ranked(without(expected, row), 1000))


@given(
    small_stores(),
    st.integers(-1, 6),
    st.dictionaries(st.sampled_from(LANGUAGES), st.lists(st.integers(98, 107), max_size=6)),
)
@settings(max_examples=100, deadline=None)
def test_curated_lists_equal_their_twin(small, row, lists):
    row, stores = min(row, small.users - 1), small.stores()
    language = small.languages[row] if row >= 0 else ""
    expected = {}
    for place, user in enumerate(lists.get(language, lists.get("", []))):
        if 100 <= user < 100 + small.users:
            expected.setdefault(user - 100, 1 / (1 + place))
    found = CuratedAccounts(stores, lists).fetch(small.viewer(stores, row))
    same(found, ranked(without(expected, row), 100))


FULL = Small(1200, 50, {(0, 1): 1, (2, 1): 1}, [], {}, {}, ["en"] * 1200)


def full_sources():
    stores = FULL.stores()
    visits = Graph.build([0] * 5, [1, 1, 1, 2, 2], [HOUR_MS] * 5, shape=(1200, 1200))
    one = Graph.build([0], [0], shape=(1200, 1))
    everybody = Graph.build(range(1200), [0] * 1200, shape=(1200, 1))
    return stores, [
        (PopularInLanguage(stores), 1),
        (RepeatedVisits(stores, visits), 1),
        (ContactBook(stores, one, everybody), 1000),
        (ContactBook(stores, everybody, one, reverse=True), 500),
        (CuratedAccounts(stores, {"": [102], "en": [101, 103]}), 2),
    ]


@pytest.mark.parametrize("at", range(5))
def test_the_published_constants_and_the_laws(at):
    stores, sources = full_sources()
    source, expected = sources[at]
    viewer = FULL.viewer(stores, 0)
    assert len(source.fetch(viewer)) == expected
    check_laws(source, target=viewer, examples=2)


def test_names_tell_the_books_apart():
    assert [source.name for source, _ in full_sources()[1]][2:4] == [
        "forward_contact_book",
        "reverse_contact_book",
    ]


@pytest.mark.parametrize("at", [1, 2, 3])
def test_visits_and_contacts_are_not_used_for_whoever_wants_nothing_personal(at):
    stores, sources = full_sources()
    viewer = attrs.evolve(FULL.viewer(stores, 0), controls=Controls(personalised=False))
    assert len(sources[at][0].fetch(viewer)) == 0
