"""Golden boundaries of what keeps an account from being recommended."""

from __future__ import annotations

import anyio
import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.datasets import generate
from components.predicates.accounts import (
    LABELS,
    ActedLately,
    HeldBackAccounts,
    HeldBackSources,
    InGoodStanding,
    NotAmong,
    NotExcluded,
    NotRecommended,
)
from components.stores.from_dataset import stores_of
from components.stores.graph import Graph
from components.stores.impressions import ImpressionStore
from components.stores.labels import AccountLabel, SafetyLabels, bit_of
from components.stores.requests import PeopleRequest, RequestBuilder, people_lookups
from components.stores.stores import BLOCK, DISMISSED, MUTE
from components.stores.types import Account, Viewer
from components.units import DAY_MS
from mixer import Candidates, OnError, Provenance, Request
from mixer.params import Params, param

STORES = stores_of(generate("tiny", seed=2).dataset)
USERS, NOW_MS = len(STORES.users), STORES.now_ms
ME = int(STORES.users.ids[3])


def graph(edges):
    """Edges ``(row, row, time)``."""
    return Graph.build(*np.array(edges, dtype=np.int64).reshape(-1, 3).T, shape=(USERS, USERS))


def asked(stores=STORES, user=ME, now_ms=NOW_MS, **fields):
    viewer = PeopleRequest(
        user, request=Request(now_ms=now_ms, params=fields.pop("params", Params.of({}))), **fields
    )
    return anyio.run(RequestBuilder(stores, people_lookups(stores, ImpressionStore())).build, viewer)


def accounts(rows):
    rows = np.array(rows, dtype=np.int64)
    return Candidates(Account, {Account.id: STORES.users.ids[rows], Account.row: rows})


def kept(predicate, request, rows):
    verdicts = predicate.check(request, accounts(rows))
    return np.asarray(rows)[verdicts.keep].tolist(), set(verdicts.reasons)


def test_oneself_and_excluded_ids_go_and_impossible_ids_do_not_matter():
    excluded = frozenset({int(STORES.users.ids[5]), 10**30, -1})
    rows, reasons = kept(NotExcluded(), asked(excluded=excluded), [3, 4, 5, 6])
    assert (rows, reasons) == ([4, 6], {"excluded_id_from_request"})
    assert kept(NotExcluded(), asked(), [3, 4, 5])[0] == [4, 5]


def test_what_the_request_names_as_recommended_goes():
    request = asked(recommended=frozenset({int(STORES.users.ids[8])}))
    assert kept(NotRecommended(), request, [7, 8]) == ([7], {"already_recommended"})
    assert kept(NotRecommended(), asked(), [7, 8])[0] == [7, 8]


@given(st.sets(st.integers(0, USERS - 1)), st.lists(st.integers(0, USERS - 1)))
def test_rows_that_were_looked_up_go(some, rows):
    predicate = NotAmong(lambda one: one.followed, "already_followed")
    request = attrs.evolve(asked(), followed=np.array(sorted(some), dtype=np.int32))
    assert kept(predicate, request, rows)[0] == [row for row in rows if row not in some]


@pytest.mark.parametrize(("unknown", "left"), [(OnError.KEEP, [1, 2]), (OnError.DROP, [])])
def test_what_could_not_be_looked_up_is_nobody_or_anybody(unknown, left):
    predicate = NotAmong(lambda one: one.avoided, "invalid_relationship", unknown)
    rows, reasons = kept(predicate, attrs.evolve(asked(), avoided=None), [1, 2])
    assert rows == left
    assert reasons == (set() if left else {"invalid_relationship_unknown"})


@pytest.mark.parametrize(
    ("since_ms", "counts"),
    [
        (NOW_MS - 180 * DAY_MS, True),
        (NOW_MS - 180 * DAY_MS - 1, False),
        (NOW_MS - 1, True),
        (NOW_MS, False),
        (0, True),
    ],
    ids=["180 days ago", "longer ago", "just now", "from now on", "undated"],
)
def test_a_dismissal_counts_for_180_days(since_ms, counts):
    stores = attrs.evolve(STORES, graphs={**STORES.graphs, DISMISSED: graph([(3, 9, since_ms)])})
    assert asked(stores).dismissed.tolist() == ([9] if counts else [])


def test_blocks_and_mutes_count_on_both_sides():
    relations = {
        BLOCK: graph([(3, 10, 5), (11, 3, 5), (3, 14, NOW_MS)]),
        MUTE: graph([(3, 12, 5), (13, 3, 5)]),
    }
    request = asked(attrs.evolve(STORES, graphs={**STORES.graphs, **relations}))
    assert sorted(request.avoided.tolist()) == [10, 12]
    assert sorted(request.avoiding.tolist()) == [11, 13]


def test_a_viewer_who_wants_nothing_personal_is_still_not_shown_the_followed():
    request = asked()
    anonymous = asked(controls=attrs.evolve(request.controls, personalised=False))
    assert len(anonymous.history.follows) == 0
    assert anonymous.followed.tolist() == request.followed.tolist() == STORES.follows.of(3, NOW_MS).tolist()


@pytest.mark.parametrize(
    ("ago_ms", "active"), [(1, True), (60 * DAY_MS, True), (60 * DAY_MS + 1, False), (0, False)]
)
def test_accounts_without_a_post_of_60_days_are_inactive(ago_ms, active):
    days = param("test.days", 60.0, doc="")
    predicate = ActedLately((graph([(7, 0, NOW_MS - ago_ms)]),), days, "inactive")
    rows, reasons = kept(predicate, asked(), [6, 7])
    assert (rows, reasons) == ([7] if active else [], {"inactive"})


def test_any_kind_of_act_counts():
    acts = (graph([(7, 0, NOW_MS - 5)]), graph([(8, 0, NOW_MS - 5)]))
    assert kept(ActedLately(acts, 30.0, "near_zero"), asked(), [6, 7, 8])[0] == [7, 8]


@pytest.mark.parametrize("label", list(AccountLabel))
def test_labels_that_speak_against_an_account_name_themselves(label):
    bits = np.zeros(USERS, dtype=np.uint64)
    bits[7] = bit_of(label)
    stores = attrs.evolve(STORES, labels=SafetyLabels(STORES.labels.posts, bits))
    verdicts = InGoodStanding(stores).check(asked(), accounts([6, 7]))
    why = {name for name, bad in LABELS.items() if bad is label}
    assert verdicts.keep.tolist() == [True, not why]
    assert set(verdicts.reasons_of(1)) == why
    unlabelled = InGoodStanding(attrs.evolve(STORES, labels=None)).check(asked(), accounts([6, 7]))
    assert unlabelled.keep.all()


def from_sources():
    """Three accounts: found by a social source, by another, by both."""
    batch = accounts([1, 2, 2, 4])
    batch = Candidates(Account, {key: np.array([1, 3, 2, 3]) for key in (Account.id, Account.row)})
    return batch.stamped(Provenance.of(("social", "other"), [2, 2], batch)).deduplicate()


def test_held_back_viewers_miss_what_only_those_sources_found():
    every, nobody = (HeldBackSources(frozenset({"social"}), percent) for percent in (100.0, 0.0))
    assert from_sources().where(every.check(asked(), from_sources()).keep).ids.tolist() == [3, 2]
    assert nobody.check(asked(), from_sources()).keep.all()


def test_a_tenth_of_viewers_is_held_back_and_stays_so():
    tenth, fifth = (HeldBackSources(frozenset({"social"}), percent) for percent in (10.0, 20.0))

    def held(predicate):
        return {user for user in range(5_000) if not predicate.check(Viewer(user), from_sources()).keep.all()}

    assert len(held(tenth)) / 5_000 == pytest.approx(0.1, abs=0.02)
    assert held(tenth) < held(fifth)


def test_held_back_accounts_are_the_same_for_everybody():
    predicate = HeldBackAccounts(10.0)
    batch = Candidates(Account, {Account.id: np.arange(5_000), Account.row: np.zeros(5_000, dtype=np.int64)})
    kept = [predicate.check(Viewer(user), batch).keep for user in (1, 2)]
    assert (kept[0] == kept[1]).all()
    assert 1 - kept[0].mean() == pytest.approx(0.1, abs=0.02)
    assert HeldBackAccounts().check(Viewer(1), batch).keep.all()
