"""Every operator of every stage kind, with the semantics of the original and its corrected traps."""

from __future__ import annotations

import anyio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mixer as m
from mixer.candidate_predicates import DropAll, KeepAll
from mixer.component import resolved
from mixer.errors import ConfigurationError, ContractError
from mixer.hydrators import hydrate_layers, layers_of
from mixer.params import Params, param
from mixer.predicates import Always, Never
from mixer.rankers import KeepOrder
from mixer.run import CURRENT, Run
from mixer.testing import batches, check_algebra, failing, hanging, recording, row_predicates, slow
from mixer.transforms import Identity
from mixer.verdicts import Verdicts


class Post(m.Candidate):
    author_id = m.column(np.int64, default=0)
    likes = m.column(np.int64, default=0)
    score = m.column(np.float32, default=np.nan)


TARGET = m.Target()


def of(*ids: int) -> m.Candidates[Post]:
    return m.Candidates(Post, {Post.id: np.array(ids, dtype=np.int64)})


@m.candidate_source
def numbers(target: m.Target) -> m.Candidates[Post]:
    return of(1, 2, 3, 4, 5)


@m.candidate_source
def nothing(target: m.Target) -> m.Candidates[Post]:
    return of()


def even(reason: str = "odd") -> m.CandidatePredicate:
    return m.candidate_predicate(reason=reason)(lambda target, posts: posts.ids % 2 == 0)


def small(reason: str = "large") -> m.CandidatePredicate:
    return m.candidate_predicate(reason=reason)(lambda target, posts: posts.ids < 4)


@pytest.fixture
def run():
    """A request that wrappers can report to."""
    record = Run(tracing=False, capturing=False)
    token = CURRENT.set(record)
    yield record
    CURRENT.reset(token)


class TestPredicatesOnTargets:
    async def test_and_then_stops_at_the_first_invalid_answer_with_its_reasons(self):
        second, calls = recording(Never("second"))
        result = await resolved(Never("first").and_then(second).check(TARGET))
        assert result == m.PredicateResult.invalid("first")
        assert not calls
        assert await resolved(Always().and_then(Never("second")).check(TARGET)) == m.PredicateResult.invalid(
            "second"
        )

    async def test_or_unites_reasons_only_if_both_are_invalid(self):
        assert (await resolved(Never("a").or_(Always()).check(TARGET))).valid
        assert (await resolved(Never("a").or_(Never("b")).check(TARGET))).reasons == {"a", "b"}
        second, calls = recording(Never("b"))
        await resolved(Always().or_(second).check(TARGET))
        assert not calls

    async def test_a_closed_gate_means_valid_and_its_reasons_vanish(self):
        inner, calls = recording(Never("inner"))
        assert await resolved(inner.gate(Never("gate")).check(TARGET)) == m.PredicateResult.VALID
        assert not calls
        assert not (await resolved(inner.gate(Always()).check(TARGET))).valid

    async def test_negation_names_its_reason(self):
        assert (await resolved(Always().negate("was_valid").check(TARGET))).reasons == {"was_valid"}
        assert (await resolved(Never().negate("x").check(TARGET))).valid

    async def test_all_of_asks_everybody_and_unites_all_reasons(self):
        parts = [recording(slow(Never(name))) for name in "ab"]
        result = await resolved(m.all_of(*(part for part, _ in parts)).check(TARGET))
        assert result.reasons == {"a", "b"}
        assert all(len(calls) == 1 for _, calls in parts)

    async def test_any_of_needs_one_valid_answer(self):
        assert (await resolved(m.any_of(Never("a"), Always()).check(TARGET))).valid
        assert (await resolved(m.any_of(Never("a"), Never("b")).check(TARGET))).reasons == {"a", "b"}

    async def test_map_target_asks_about_something_else(self):
        positive = m.predicate(reason="negative")(lambda number: number > 0)
        assert (await resolved(positive.map_target(len).check("text"))).valid
        assert not (await resolved(positive.map_target(len).check(""))).valid

    async def test_keep_and_drop_are_what_they_say(self, run):
        broken = failing(Always(), ValueError("x"))
        assert (await resolved(broken.on_error(m.OnError.KEEP).check(TARGET))).valid
        dropped = await resolved(broken.on_error(m.OnError.DROP).check(TARGET))
        assert dropped.reasons == {"error_dropped"}
        assert [str(one) for one in run.degradations] == [
            "always: error (ValueError), policy KEEP",
            "always: error (ValueError), policy DROP",
        ]

    async def test_a_policy_also_covers_time_outs(self, run):
        waits = hanging(Always()).on_error(m.OnError.DROP, within_s=0.001)
        assert not (await resolved(waits.check(TARGET))).valid
        assert run.degradations[0].cause is m.Cause.TIMEOUT

    async def test_without_a_policy_errors_propagate(self):
        with pytest.raises(RuntimeError, match="this double fails"):
            await resolved(failing(Always()).and_then(Always()).check(TARGET))

    async def test_a_param_decides_and_names_itself(self):
        switch = param("feed.on", default=False, doc="Serve the feed.")
        assert (await resolved(m.ParamIsOn(switch).check(TARGET))).reasons == {"param_feed.on"}
        on = m.Target(request=m.Request(params=Params.of({switch: True})))
        assert (await resolved(m.ParamIsOn(switch).check(on))).valid


class TestPredicatesOnCandidates:
    async def test_and_then_asks_only_about_survivors(self):
        second, calls = recording(small())
        verdicts = await resolved(even().and_then(second).check(TARGET, of(1, 2, 3, 4, 5)))
        assert calls[0][1].ids.tolist() == [2, 4]
        assert verdicts.keep.tolist() == [False, True, False, False, False]
        assert [verdicts.reasons_of(row) for row in range(5)] == [
            ("odd",),
            (),
            ("odd",),
            ("large",),
            ("odd",),
        ]

    async def test_or_asks_only_about_the_dropped(self):
        second, calls = recording(small())
        verdicts = await resolved(even().or_(second).check(TARGET, of(1, 2, 3, 4, 5)))
        assert calls[0][1].ids.tolist() == [1, 3, 5]
        assert verdicts.keep.tolist() == [True, True, True, True, False]
        assert verdicts.reasons_of(4) == ("odd", "large")

    async def test_all_of_unites_every_reason_of_a_row(self):
        verdicts = await resolved(m.all_of(even(), small()).check(TARGET, of(4, 5, 2)))
        assert [verdicts.reasons_of(row) for row in range(3)] == [("large",), ("odd", "large"), ()]
        assert verdicts.counts() == {"odd": 1, "large": 2}

    async def test_any_of_drops_only_what_all_drop(self):
        verdicts = await resolved(m.any_of(even(), small()).check(TARGET, of(4, 5, 3)))
        assert verdicts.keep.tolist() == [True, False, True]
        assert verdicts.reasons_of(1) == ("odd", "large")

    async def test_a_row_gate_keeps_rows_it_closes_on(self):
        verdicts = await resolved(even().gate(small()).check(TARGET, of(1, 2, 5)))
        assert verdicts.keep.tolist() == [False, True, True]
        assert verdicts.counts() == {"odd": 1}

    async def test_a_target_gate_skips_the_question(self):
        inner, calls = recording(DropAll())
        verdicts = await resolved(inner.gate(Never()).check(TARGET, of(1, 2)))
        assert verdicts.keep.all()
        assert not calls
        assert not (await resolved(inner.gate(Always()).check(TARGET, of(1)))).keep.any()

    async def test_a_target_predicate_can_judge_rows(self):
        verdicts = await resolved(m.EveryTarget(Never("closed")).check(TARGET, of(1, 2)))
        assert verdicts.counts() == {"closed": 2}
        assert (await resolved(m.EveryTarget(Always()).check(TARGET, of(1)))).keep.all()

    async def test_policies_judge_every_row(self, run):
        broken = failing(KeepAll(), KeyError("x"))
        assert (await resolved(broken.on_error(m.OnError.KEEP).check(TARGET, of(1, 2)))).keep.all()
        dropped = await resolved(broken.on_error(m.OnError.DROP).check(TARGET, of(1, 2)))
        assert dropped.counts() == {"error_dropped": 2}
        assert "for 2 candidates" in str(run.degradations[1])

    async def test_lifted_functions_must_answer_with_a_mask(self):
        wrong = m.candidate_predicate(reason="x")(slow_nonsense)
        with pytest.raises(
            ContractError, match="slow_nonsense: expected a boolean mask or Verdicts, got str"
        ):
            await resolved(wrong.check(TARGET, of(1)))

    async def test_async_functions_are_lifted_too(self):
        @m.candidate_predicate(reason="odd")
        async def is_even(target, posts):
            await anyio.lowlevel.checkpoint()
            return posts.ids % 2 == 0

        assert is_even.name == "is_even"
        assert (await resolved(is_even.check(TARGET, of(1, 2)))).keep.tolist() == [False, True]

    @given(row_predicates(), row_predicates(), row_predicates(), batches(Post))
    def test_the_algebra_holds(self, a, b, c, batch):
        anyio.run(check_algebra, a, b, c, TARGET, batch)


async def slow_nonsense(target, posts):
    return "yes"


class TestVerdicts:
    def test_first_match_keeps_every_rule_that_matched(self):
        verdicts = Verdicts.first_match(
            {"old": np.array([True, True, False]), "seen": np.array([True, False, False])}
        )
        assert [verdicts.reasons_of(row) for row in range(3)] == [("old", "seen"), ("old",), ()]

    def test_dropping_for_no_reason_is_legal(self):
        verdicts = Verdicts.drop_all(2)
        assert not verdicts.keep.any()
        assert verdicts.counts() == {}
        assert verdicts.reasons_of(0) == ()

    @given(st.lists(st.booleans(), max_size=9), st.lists(st.booleans(), max_size=9))
    def test_union_equals_union_row_by_row(self, one, two):
        size = min(len(one), len(two))
        a = Verdicts.keep_where(np.array(one[:size], dtype=bool), "a")
        b = Verdicts.keep_where(np.array(two[:size], dtype=bool), "b")
        both = Verdicts.united(a.keep & b.keep, (a, b))
        for row in range(size):
            assert set(both.reasons_of(row)) == set(a.reasons_of(row)) | set(b.reasons_of(row))

    def test_several_reasons_need_bits(self):
        with pytest.raises(ContractError, match="bits that tell several reasons apart"):
            Verdicts(np.array([True]), ("a", "b"))
        with pytest.raises(ContractError, match="boolean mask"):
            Verdicts(np.array([1]))


class TestSources:
    async def ids(self, source: m.CandidateSource, target=TARGET) -> list[int]:
        return (await resolved(source.fetch(target))).ids.tolist()

    async def test_limit_threshold_and_gate(self):
        assert await self.ids(numbers.limit(2)) == [1, 2]
        assert await self.ids(numbers.threshold(5)) == [1, 2, 3, 4, 5]
        assert await self.ids(numbers.threshold(6)) == []
        assert await self.ids(numbers.threshold(1, keep=False)) == []
        gated, calls = recording(numbers)
        assert await self.ids(gated.gate(Never())) == []
        assert not calls
        assert await self.ids(gated.gate(Always())) == [1, 2, 3, 4, 5]

    async def test_a_limit_can_give_way_under_load(self):
        loaded = m.Target(request=m.Request(quality_factor=0.5))
        overloaded = m.Target(request=m.Request(quality_factor=0.1))
        yielding = numbers.limit(4, least_share=0.3)
        assert [len(await self.ids(yielding, target)) for target in (TARGET, loaded, overloaded)] == [4, 2, 1]
        assert len(await self.ids(numbers.limit(4), overloaded)) == 4
        with pytest.raises(ValueError, match="least_share"):
            numbers.limit(4, least_share=1.5)

    def test_load_scales_counts_as_published(self):
        assert m.Request(quality_factor=0.2).scaled(100) == 30
        assert m.Request(quality_factor=0.7).scaled(100) == 70

    @given(st.integers(0, 5_000), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
    def test_load_leaves_at_least_one_where_some_are_wanted(self, count, factor, least):
        scaled = m.Request(quality_factor=factor).scaled(count, least)
        assert min(count, 1) <= scaled <= count
        assert scaled in {int(count * max(factor, least)), 1}
        assert m.Request(quality_factor=1.0).scaled(count, least) == count

    async def test_every_wrapper_keeps_the_name(self):
        for wrapped in (
            numbers.limit(1),
            numbers.fail_open(),
            numbers.within(1),
            numbers.gate(Always()),
            numbers.observe("x"),
        ):
            assert wrapped.name == "numbers"
        assert numbers.named("other").name == "other"
        assert numbers.map_target(lambda x: x).name == "numbers"

    async def test_fail_open_reports_what_it_swallows(self, run):
        assert await self.ids(failing(numbers, OSError("x")).fail_open()) == []
        assert await self.ids(hanging(numbers).fail_open(within_s=0.001)) == []
        assert [(one.component, one.cause) for one in run.degradations] == [
            ("numbers", m.Cause.ERROR),
            ("numbers", m.Cause.TIMEOUT),
        ]

    async def test_within_swallows_only_time_outs(self, run):
        assert await self.ids(hanging(numbers).within(0.001)) == []
        with pytest.raises(RuntimeError):
            await self.ids(failing(numbers).within(1))

    async def test_fallback_steps_in_for_errors_and_for_nothing(self, run):
        assert await self.ids(failing(numbers).fallback(numbers.limit(1).named("spare"))) == [1]
        assert run.degradations[0].effect == "spare instead"
        assert await self.ids(nothing.fallback(numbers)) == [1, 2, 3, 4, 5]
        assert len(run.degradations) == 1

    async def test_map_targets_concatenates_in_the_order_of_targets(self):
        @m.candidate_source
        async def one(number: int) -> m.Candidates[Post]:
            for _ in range(10 - number):
                await anyio.lowlevel.checkpoint()
            return of(number)

        assert await self.ids(one.map_targets(lambda _: [3, 1, 2])) == [3, 1, 2]
        assert await self.ids(one.map_targets(lambda _: [])) == []
        assert await self.ids(one.map_target(lambda _: 7)) == [7]

    async def test_map_candidates_computes_another_answer(self):
        assert await self.ids(numbers.map_candidates(lambda found: found.sort(Post.id))) == [5, 4, 3, 2, 1]

    async def test_a_cached_answer_lives_for_its_time_on_the_clock_of_requests(self):
        inner, calls = recording(numbers)
        cached = inner.cached(lambda target: "key", ttl_s=10)
        for now_ms, expected in ((0, 1), (9_999, 1), (10_000, 2)):
            await self.ids(cached, m.Target(request=m.Request(now_ms=now_ms)))
            assert len(calls) == expected

    async def test_concurrent_misses_fetch_once(self):
        inner, calls = recording(slow(numbers))
        cached = inner.cached(lambda target: 0, ttl_s=10)
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(self.ids, cached)
        assert len(calls) == 1

    async def test_a_failed_fetch_is_not_cached_and_frees_those_who_wait(self):
        cached = failing(numbers).cached(lambda target: 0, ttl_s=10)
        for _ in range(2):
            with pytest.raises(RuntimeError):
                await self.ids(cached)

    async def test_the_cache_drops_the_least_recently_used(self):
        inner, calls = recording(numbers)
        cached = inner.cached(lambda target: target.request.id, ttl_s=10, max_size=2)
        for name in ("a", "b", "a", "c", "a", "b"):
            await self.ids(cached, m.Target(request=m.Request(id=name, now_ms=0)))
        assert [target.request.id for (target,) in calls] == ["a", "b", "c", "b"]

    def test_impossible_caches_are_refused(self):
        with pytest.raises(ConfigurationError, match="ttl_s and max_size above 0"):
            numbers.cached(lambda target: 0, ttl_s=0)


class TestRegistry:
    def test_duplicate_names_are_found_when_built(self):
        with pytest.raises(ConfigurationError, match="duplicate source name 'numbers'"):
            m.SourceRegistry([numbers, numbers.limit(1)])

    def test_selection_comes_in_declared_order(self):
        registry = m.SourceRegistry([numbers, nothing])
        assert [source.name for source in registry.select(["nothing", "numbers"])] == ["numbers", "nothing"]
        assert registry.names == ("numbers", "nothing")
        assert len(registry.all()) == 2

    def test_an_unknown_name_lists_those_there_are(self):
        with pytest.raises(ConfigurationError, match="unknown source 'x'; known: numbers, nothing"):
            m.SourceRegistry([numbers, nothing]).select(["x"])


@m.ranker
def by_id(target, posts):
    return posts.sort(Post.id)


class TestRankersAndTransforms:
    async def ranked(self, ranker: m.Ranker, *ids: int) -> list[int]:
        return (await resolved(ranker.rank(TARGET, of(*ids)))).ids.tolist()

    async def test_then_reverse_and_chain(self):
        assert await self.ranked(by_id.reverse(), 2, 3, 1) == [1, 2, 3]
        assert await self.ranked(by_id.then(by_id.reverse()), 2, 3, 1) == [1, 2, 3]
        assert await self.ranked(m.chain(m.Truncate(2), by_id), 2, 3, 9) == [3, 2]
        assert m.Trait.DROPS in m.chain(m.Truncate(2), by_id).traits

    async def test_within_gives_the_input_order(self, run):
        assert await self.ranked(hanging(by_id).within(0.001), 2, 3, 1) == [2, 3, 1]
        assert run.degradations[0].effect == "the order before it"
        with pytest.raises(RuntimeError):
            await self.ranked(failing(by_id).within(1), 1)

    async def test_fallback_ranks_the_same_input(self, run):
        assert await self.ranked(failing(by_id).fallback(by_id.reverse()), 2, 3, 1) == [1, 2, 3]
        assert run.degradations[0].effect == "by_id instead"

    async def test_gated_and_map_target(self):
        assert await self.ranked(by_id.gated(Never()), 1, 2) == [1, 2]
        assert await self.ranked(by_id.gated(Always()), 1, 2) == [2, 1]
        assert await self.ranked(by_id.map_target(lambda target: None), 1, 2) == [2, 1]

    async def test_sort_by_and_keep_order(self):
        assert await self.ranked(m.SortBy(Post.id, descending=False), 2, 1) == [1, 2]
        assert await self.ranked(KeepOrder(), 2, 1) == [2, 1]

    async def test_transforms_compose_and_unite_their_traits(self):
        both = m.Deduplicate().then(m.Truncate(1))
        assert (await resolved(both.transform(TARGET, of(3, 3, 1)))).ids.tolist() == [3]
        assert both.traits == m.Trait.DROPS | m.Trait.ANNOTATES
        assert (await resolved(both.gated(Never()).transform(TARGET, of(3, 3)))).ids.tolist() == [3, 3]
        assert (await resolved(both.map_target(lambda x: x).transform(1, of(3, 3)))).ids.tolist() == [3]
        assert (await resolved(Identity().transform(TARGET, of(1)))).ids.tolist() == [1]


class TestHydrators:
    def likes(self) -> m.Hydrator:
        return m.hydrator(writes=(Post.likes,))(lambda target, posts: {Post.likes: posts.ids * 10})

    async def test_layers_follow_what_is_read(self):
        score = m.hydrator(reads=(Post.likes,), writes=(Post.score,))(
            lambda target, posts: {Post.score: posts[Post.likes].astype(np.float32) / 2}
        )
        layers, problems = layers_of([score, self.likes()])
        assert not problems
        assert [len(layer) for layer in layers] == [1, 1]
        hydrated = await hydrate_layers(layers, TARGET, of(1, 2))
        assert hydrated[Post.score].tolist() == [5.0, 10.0]

    def test_cycles_and_double_writers_are_problems(self):
        def nothing_much(target, posts):
            return {}

        a = m.hydrator(reads=(Post.score,), writes=(Post.likes,))(nothing_much)
        b = m.hydrator(reads=(Post.likes,), writes=(Post.score,))(nothing_much)
        assert "cycle" in layers_of([a, b])[1][0]
        assert "written by hydrators" in layers_of([self.likes(), self.likes()])[1][0]
        assert "declares no column" in layers_of([m.hydrator(writes=())(nothing_much)])[1][0]

    async def test_undeclared_columns_are_refused(self):
        wrong = m.hydrator(writes=(Post.score,))(lambda target, posts: {Post.likes: posts.ids})
        with pytest.raises(ContractError, match="exactly the columns"):
            await hydrate_layers([[wrong]], TARGET, of(1))

    async def test_fail_open_leaves_columns_at_their_default(self, run):
        hydrated = await hydrate_layers([[failing(self.likes()).fail_open()]], TARGET, of(1, 2))
        assert hydrated[Post.likes].tolist() == [0, 0]
        assert run.degradations[0].effect == "without likes"

    async def test_gate_and_map_target(self):
        closed = await hydrate_layers([[self.likes().gate(Never())]], TARGET, of(1))
        assert not closed.has(Post.likes)
        mapped = await hydrate_layers([[self.likes().map_target(lambda t: t).observe("x")]], TARGET, of(1))
        assert mapped[Post.likes].tolist() == [10]


async def test_observe_times_every_kind_of_stage(run):
    await resolved(numbers.observe("sources/numbers").fetch(TARGET))
    await resolved(Always().observe("who").check(TARGET))
    await resolved(even().observe("even").check(TARGET, of(1, 2)))
    await resolved(by_id.observe("rank").rank(TARGET, of(1)))
    await resolved(Identity().observe("same").transform(TARGET, of(1)))
    assert [(name, rows, failure) for name, _, _, rows, failure in run.observed] == [
        ("sources/numbers", 5, ""),
        ("who", -1, ""),
        ("even", 1, ""),
        ("rank", 1, ""),
        ("same", 1, ""),
    ]
    with pytest.raises(RuntimeError):
        await resolved(failing(numbers).observe("broken").fetch(TARGET))
    assert run.observed[-1][4] == "RuntimeError"
