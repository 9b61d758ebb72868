"""Selectors: golden examples of every one, and the law that nothing is invented and nothing lost."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mixer as m
from mixer import selectors as s
from mixer.errors import ConfigurationError, ContractError
from mixer.params import Params, param


class Post(m.Candidate):
    score = m.column(np.float32, default=np.nan)
    pinned = m.column(np.bool_, default=False)


class Account(m.Candidate):
    score = m.column(np.float32, default=np.nan)


TARGET = m.Target(request=m.Request(seed=3))


def pool(text: str) -> tuple[s.Entry, ...]:
    """Entries from text: ``a1 b2=0.5 w[1 2] |``: flow a, id 1; flow b, id 2, score 0.5; a module of w; a cursor."""
    entries: list[s.Entry] = []
    for word in text.split():
        handle = 100 * len(entries)
        if word == "|":
            entries.append(s.CursorEntry(handle, "cursor", "next"))
        elif "[" in word:
            flow, ids = word.rstrip("]").split("[")
            items = tuple(
                item(handle + 1 + n, flow, one) for n, one in enumerate(ids.split(",") if ids else ())
            )
            entries.append(s.Module(handle, flow, items))
        else:
            entries.append(item(handle, word[0], word[1:]))
    return tuple(entries)


def item(handle: int, flow: str, text: str) -> s.Item:
    number, _, score = text.partition("=")
    columns = {Post.id: np.array([int(number)])} | ({Post.score: np.float32([score])} if score else {})
    return s.Item(handle, flow, m.Candidates(Post, columns), 0)


def text(entries: tuple[s.Entry, ...]) -> str:
    def one(entry: s.Entry) -> str:
        if isinstance(entry, s.CursorEntry):
            return "|"
        if isinstance(entry, s.Module):
            return f"{entry.flow}[{','.join(str(part.id) for part in entry.entries)}]"
        return f"{entry.flow}{entry.id}"

    return " ".join(one(entry) for entry in entries)


def flow_of(entry: s.Entry) -> str:
    return entry.flow


def odd(entry: s.Entry) -> bool:
    return isinstance(entry, s.Item) and entry.id % 2 == 1


GOLDEN = [
    # selector, remaining, result -> remaining, result
    (s.InsertAppend("a"), "a1 b1 a2", "c9", "b1", "c9 a1 a2"),
    (s.InsertAppend(), "a1 b1 |", "", "", "a1 b1 |"),
    (s.InsertAppend(s.all_except("a")), "a1 b1 c1", "", "a1", "b1 c1"),
    (s.InsertAppendWeave(("a", "b"), flow_of), "a1 a2 a3 b1 c1", "", "c1", "a1 b1 a2 a3"),
    (s.InsertAppendPattern(("a", "b", "c"), flow_of, ("a", "a", "b")), "a1 a2 a3 b1 b2 c1", "", "", "a1 a2 b1 a3 b2 c1"),
    (s.InsertAppendRatio("a", flow_of, {"a": 1.0}), "a1 a2 b1", "", "b1", "a1 a2"),
    (s.InsertAppendRatio(("a", "b"), flow_of, {"a": 1.0, "b": 0.0}), "b1 a1 a2", "", "", "a1 a2 b1"),
    (s.InsertAppendWithoutFeature("a", Post.score), "a1=1 a2 b3", "", "a1=1 b3", "a2"),
    (s.InsertFixedPosition("w", 1), "w1 w2 a1", "x1 x2", "a1", "x1 w1 w2 x2"),
    (s.InsertFixedPosition("w", 9), "w1", "x1", "", "x1 w1"),
    (s.InsertFixedPosition("w", 0), "a1", "x1", "a1", "x1"),
    (s.InsertDynamicPosition("w", lambda t, remaining, result: len(result) // 2), "w1", "x1 x2", "", "x1 w1 x2"),
    (s.InsertDynamicPosition("w", lambda *_: None), "w1", "x1", "w1", "x1"),
    (
        s.InsertPerCandidateDynamicPosition("w", lambda t, entry, result: getattr(entry, "id", 2) - 1),
        "w1 w3 w3 w0 w99", "x1 x2 x3", "", "w0 w1 x1 x2 w3 w3 x3 w99",
    ),
    (s.InsertRelativePosition("w", "x", 1), "w1", "x1 y1 x2 y2 y3", "", "x1 y1 x2 y2 w1 y3"),
    (s.InsertRelativePosition("w", "x", 1), "w1", "y1 y2", "", "y1 w1 y2"),
    (s.InsertAppendIntoModule("a", "w"), "a1 w[7] w[8] a2", "", "w[7,1,2] w[8]", ""),
    (s.InsertAppendIntoModule("a", "w"), "a1 b1", "", "a1 b1", ""),
    (s.InsertFixedPositionIntoModule("a", "w", 1), "a1 w[7,8]", "", "w[7,1,8]", ""),
    (s.DropAll("a"), "a1 b1", "c1", "b1", "c1"),
    (s.DropDuplicateCandidates(), "a1 b1 a1 b2 w[1] |", "a1", "a1 b2 w[1] |", "a1"),
    (s.DropDuplicateCandidates("a"), "a1 b1 a1", "", "a1 b1", ""),
    (s.DropDuplicateModuleItems(), "w[1,2,1] w[1]", "", "w[1,2] w[1]", ""),
    (s.DropDuplicateResults(), "a1", "a1 b1 c2", "a1", "a1 c2"),
    (s.DropNonDuplicate(), "a1 b1 a2 |", "", "a1 b1 |", ""),
    (s.DropFiltered("a", odd), "a1 a2 b2", "", "a1 b2", ""),
    (s.DropFilteredModuleItems("w", odd), "w[1,2,3] a2", "", "w[1,3] a2", ""),
    (s.DropMax(("a", "w", "cursor"), 2), "a1 | w[1,2] a3 b1", "", "a1 | w[1,2] b1", ""),
    (s.DropMaxModuleItems("w", 1), "w[1,2] a1", "", "w[1] a1", ""),
    (s.DropMaxResults(2), "a1", "x1 | x2 x3", "a1", "x1 | x2"),
    (s.DropRequestedMaxResults(2, 5), "", "x1 x2 x3", "", "x1 x2"),
    (s.DropRequestedMaxModuleItems("w", 1), "w[1,2]", "w[1,2]", "w[1,2]", "w[1]"),
    (s.DropModuleTooFew("w", 2), "w[1]", "w[1] w[1,2] v[3]", "w[1]", "w[1,2] v[3]"),
    (s.DropTooFewResults(3), "a1", "x1 w[1,2] |", "a1", "x1 w[1,2] |"),
    (s.DropTooFewResults(4), "a1", "x1 w[1,2] |", "a1", ""),
    (s.DropOrthogonal(("a", "b")), "b1 a1 c1", "", "a1 c1", ""),
    (s.DropOrthogonal(("a", "b")), "b1 c1", "", "b1 c1", ""),
    (s.DropMaxConversationModuleItems("w"), "w[1,2,3,4,5] w[1,2]", "", "w[1,4,5] w[1,2]", ""),
    (s.DropMaxConversationModuleItems("w", include_root=False), "w[1,2,3,4]", "", "w[3,4]", ""),
    (s.UpdateSort("a", s.SortByColumn(Post.score)), "b9 a1=0.1 b8 a2=0.9 a3", "", "b9 a2 a1 a3 b8", ""),
    (s.UpdateSort("a", s.SortByColumn(Post.score, descending=False)), "a1=0.5 a2 a3=0.1", "", "a3 a1 a2", ""),
    (s.UpdateSortModuleItems("w", s.SortByKey(lambda entry: getattr(entry, "id", 0))), "w[1,3,2] a1", "", "w[3,2,1] a1", ""),
    (s.UpdateSortResults(s.Reversed()), "a1", "x1 x2", "a1", "x2 x1"),
    (s.SelectConditionally(s.DropAll(), lambda *_: False), "a1", "", "a1", ""),
    (s.SelectConditionally(s.DropAll(), lambda *_: True), "a1", "x1", "", "x1"),
    (s.SelectFromSubpool(s.DropMax("a", 1), s.EVERYTHING, odd), "a1 a2 a3 b1", "", "a2 a1 b1", ""),
    (s.SelectFromSubpool(s.DropMax("a", 1), s.EVERYTHING, odd, prepend=True), "a2 a1 a3", "", "a1 a2", ""),
    (s.Debunch("a", odd, 2), "a1 a3 a5 a2 a7 b9", "", "b9 a1 a3 a2 a5 a7", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("selector", "remaining", "result", "left", "slate"),
    GOLDEN,
    ids=[f"{number}-{type(row[0]).__name__}" for number, row in enumerate(GOLDEN)],
)
def test_golden(selector, remaining, result, left, slate):
    before = (pool(remaining), tuple(shifted(pool(result), 10_000)))
    after = selector.select(TARGET, *before)
    assert (text(after[0]), text(after[1])) == (text(pool(left)), text(pool(slate)))


def shifted(entries, by):
    for entry in entries:
        if isinstance(entry, s.Module):
            yield s.Module(entry.handle + by, entry.flow, tuple(shifted(entry.entries, by)))
        elif isinstance(entry, s.Item):
            yield s.Item(entry.handle + by, entry.flow, entry.candidates, entry.row)
        else:
            yield s.CursorEntry(entry.handle + by, entry.flow, entry.text)


words = st.one_of(
    st.tuples(st.sampled_from("abw"), st.integers(0, 9)).map(lambda pair: f"{pair[0]}{pair[1]}"),
    st.lists(st.integers(0, 9), max_size=5).map(lambda ids: f"w[{','.join(map(str, ids))}]"),
    st.just("|"),
)
pools = st.lists(words, max_size=12).map(lambda found: pool(" ".join(found)))
PROGRAM = [row[0] for row in GOLDEN] + [
    s.InsertRandomPosition("a"),
    s.InsertRandomPosition("b", 1, 3, stable=False),
]


@given(pools, st.lists(st.sampled_from(PROGRAM), min_size=1, max_size=6))
def test_nothing_is_invented_and_nothing_lost(entries, program):
    selection = s.select_all(program, TARGET, entries)
    handles = Counter(one.handle for entry in entries for one in entry.family())
    found = [one.handle for entry in (*selection.slate, *selection.remaining) for one in entry.family()]
    gone = [one.handle for dropped in selection.dropped for one in dropped.entry.family()]
    assert Counter(found) <= handles
    assert set(handles) <= set(found) | set(gone)
    assert all(dropped.reason for dropped in selection.dropped)


@given(pools, st.sampled_from(PROGRAM))
def test_the_same_request_selects_the_same(entries, selector):
    one, two = (selector.select(TARGET, entries, ()) for _ in range(2))
    assert [text(part) for part in one] == [text(part) for part in two]


@given(pools, st.integers(0, 5), st.integers(0, 20))
def test_random_positions_stay_in_their_range(entries, start, extra):
    selector = s.InsertRandomPosition("a", start, start + extra)
    result = tuple(shifted(pool("x1 x2 x3 x4 x5 x6 x7 x8"), 10_000))
    _, slate = selector.select(TARGET, entries, result)
    inserted = [index for index, entry in enumerate(slate) if entry.flow == "a"]
    assert [entry.id for entry in slate if entry.flow == "x"] == list(range(1, 9))
    if len(inserted) <= extra + 1 and inserted and start + len(inserted) <= 8:
        assert all(start <= index <= start + extra for index in inserted)


def test_ratios_are_met_on_average():
    selector = s.InsertAppendRatio(("a", "b"), flow_of, {"a": 3.0, "b": 1.0})
    entries = pool(" ".join(f"{flow}{number}" for flow in "ab" for number in range(200)))
    counts = Counter(
        entry.flow
        for seed in range(20)
        for entry in selector.select(m.Target(request=m.Request(seed=seed)), entries, ())[1][:80]
    )
    assert 0.70 < counts["a"] / (counts["a"] + counts["b"]) < 0.80


def test_combined_duplicates_know_both_flows_and_the_newcomer_wins():
    selector = s.DropDuplicateCandidates(merge=s.combine_columns)
    (merged,), _ = selector.select(TARGET, pool("a1=0.5 b1=0.7"), ())
    assert merged.flows == ("b", "a")
    assert merged.value(Post.score) == pytest.approx(0.7)
    assert merged.handle == 0


def test_a_pinned_duplicate_is_preferred():
    pinned = s.Item(500, "b", m.Candidates(Post, {Post.id: [1], Post.pinned: [True]}), 0)
    (kept,), _ = s.DropDuplicateCandidates(merge=s.PickPinned(Post.pinned)).select(
        TARGET, (*pool("a1"), pinned), ()
    )
    assert kept.flow == "b"


def test_ids_of_different_types_are_no_duplicates_unless_wanted():
    account = s.Item(500, "w", m.Candidates(Account, {Account.id: [1]}), 0)
    entries = (*pool("a1"), account)
    assert len(s.DropDuplicateCandidates().select(TARGET, entries, ())[0]) == 2
    assert len(s.DropDuplicateCandidates(key=s.id_only).select(TARGET, entries, ())[0]) == 1


def test_amounts_can_be_params_and_functions():
    size = param("slate.size", default=2, minimum=1, doc="Entries.")
    on = param("slate.on", default=True, doc="Whether to cut.")
    target = m.Target(request=m.Request(params=Params.of({size: 1})))
    entries = pool("a1 a2 a3")
    assert text(s.DropMaxResults(size).select(TARGET, (), entries)[1]) == "a1 a2"
    assert text(s.DropMaxResults(size).select(target, (), entries)[1]) == "a1"
    assert text(s.DropMaxResults(lambda _: 3).select(target, (), entries)[1]) == "a1 a2 a3"
    (gated,) = s.param_gated(on, s.DropMaxResults(1))
    (ungated,) = s.param_not_gated(on, s.DropMaxResults(1))
    assert text(gated.select(TARGET, (), entries)[1]) == "a1"
    assert text(ungated.select(TARGET, (), entries)[1]) == "a1 a2 a3"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: s.DropMaxResults(0), "maximum: expected at least 1, got 0"),
        (lambda: s.DropMax("a", "3"), "expected an int"),
        (lambda: s.DropMax("a", param("x.y", default=3, doc="d")), "needs minimum=1"),
        (lambda: s.InsertFixedPosition("a", -1), "position: expected at least 0"),
        (lambda: s.InsertRandomPosition("a", 3, 2), "end: expected at least start"),
        (lambda: s.InsertAppendPattern("a", flow_of, ()), "pattern: expected at least one"),
        (lambda: s.InsertAppendRatio("a", flow_of, {"a": -1.0}), "expected at least 0"),
        (s.only, "at least one flow"),
    ],
)
def test_impossible_numbers_are_refused_when_built(build, message):
    with pytest.raises(ConfigurationError, match=message):
        build()


class TestPolicing:
    def run(self, function, drops=None):
        return s.select_all([s.selector(drops=drops)(function)], TARGET, pool("a1 a2"))

    def test_inventing_is_refused(self):
        with pytest.raises(ContractError, match="1 invented ones"):
            self.run(lambda target, remaining, result: (remaining, (item(77, "x", "5"),)))

    def test_doubling_is_refused(self):
        with pytest.raises(ContractError, match="2 entries twice"):
            self.run(lambda target, remaining, result: (remaining, remaining))

    def test_losing_without_saying_so_is_refused(self):
        with pytest.raises(ContractError, match="2 fewer"):
            self.run(lambda target, remaining, result: ((), ()))

    def test_declared_drops_are_kept_with_who_and_why(self):
        selection = self.run(lambda target, remaining, result: ((), ()), drops="tired")
        assert [(one.entry.id, one.reason, one.step) for one in selection.dropped] == [
            (1, "tired", 0),
            (2, "tired", 0),
        ]

    def test_errors_name_the_selector(self):
        with pytest.raises(ZeroDivisionError) as caught:
            self.run(lambda target, remaining, result: 1 / 0)
        assert "number 1 of 1" in caught.value.__notes__[0]
