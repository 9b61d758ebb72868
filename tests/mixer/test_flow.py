"""Whole flows: the order of stages, their stats, outcomes and stories."""

from __future__ import annotations

import json
from typing import ClassVar

import anyio
import attrs
import numpy as np
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

import mixer as m
from mixer.errors import ConfigurationError, ContractError, MixerError, TargetTypeError
from mixer.predicates import Never
from mixer.quality_factor import LinearLatencyQualityFactor, QualityFactorBounds
from mixer.testing import PartsFlow, check_conservation, flow_parts, naive_answer, recording, requests, slow
from mixer.trace import STAGES


class Post(m.Candidate):
    author_id = m.column(np.int64, default=0)
    likes = m.column(np.int64, default=0)
    score = m.column(np.float32, default=np.nan)


@attrs.frozen
class Viewer(m.Target):
    user_id: int = 7

    def summary(self):
        return {"user_id": self.user_id}


TRACED = m.DebugOptions(trace=True)


def of(*ids: int) -> m.Candidates[Post]:
    return m.Candidates(Post, {Post.id: np.array(ids, dtype=np.int64)})


def source(name: str, *ids: int) -> m.CandidateSource:
    return m.candidate_source(lambda target: of(*ids)).named(name)


class Minimal(m.RecommendationFlow[Viewer, Post]):
    def __init__(self, *sources: m.CandidateSource, desired: int = 10, **hooks) -> None:
        self.sources = sources or (source("some", 1, 2, 3),)
        self.desired = desired
        self.hooks = hooks
        if "stats" in hooks:
            self.stats = hooks["stats"]

    def candidate_sources(self, target):
        return self.sources

    def results_config(self, target):
        return self.hooks.get("config", m.ResultsConfig(self.desired))

    def target_eligibility(self):
        return self.hooks.get("eligibility", super().target_eligibility())

    def hydrate_candidates(self):
        return self.hooks.get("hydrators", ())

    def pre_ranker_filter(self):
        return self.hooks.get("filter", super().pre_ranker_filter())

    def select_ranker(self, target):
        return self.hooks.get("ranker", m.SortBy(Post.id))

    def post_ranker_transform(self):
        return self.hooks.get("post", super().post_ranker_transform())

    def validate_candidates(self):
        return self.hooks.get("validate", super().validate_candidates())

    def transform_results(self):
        return self.hooks.get("results", super().transform_results())

    def side_effects(self):
        return self.hooks.get("effects", ())

    def quality_factor(self):
        return self.hooks.get("quality")


class TestAgainstTheNaiveModel:
    @given(flow_parts(), requests(trace=True))
    def test_a_flow_answers_what_ten_lines_of_python_answer(self, parts, request_):
        result = anyio.run(PartsFlow(parts).process, m.Target(request=request_))
        assert result.candidates.ids.tolist() == naive_answer(parts)
        fates = check_conservation(result)
        assert fates["shown"] == len(result.candidates)

    @given(flow_parts())
    def test_sources_that_take_their_time_change_nothing(self, parts):
        result = anyio.run(PartsFlow(parts, wrap=slow).process, m.Target(), backend="trio")
        assert result.candidates.ids.tolist() == naive_answer(parts)

    @given(flow_parts())
    def test_wrapping_every_source_changes_nothing(self, parts):
        def wrapped(one):
            return one.fail_open(within_s=60).gate(m.predicate()(lambda _: True)).limit(1000).observe("x")

        result = anyio.run(PartsFlow(parts, wrap=wrapped).process, m.Target())
        assert result.candidates.ids.tolist() == naive_answer(parts)
        assert not result.degradations


class TestOrder:
    async def test_stages_run_in_the_documented_order(self):
        order: list[str] = []

        def step(name, answer):
            async def run(*_):
                await anyio.lowlevel.checkpoint()
                order.append(name)
                return answer(*_)

            return run

        class Ordered(Minimal):
            async def update_target(self, target):
                order.append("update_target")
                return target

        flow = Ordered(
            m.candidate_source(step("source", lambda t: of(1, 2))),
            eligibility=m.predicate()(step("eligibility", lambda t: True)),
            hydrators=[m.hydrator(writes=(Post.likes,))(step("hydrate", lambda t, c: {Post.likes: c.ids}))],
            filter=m.candidate_predicate(reason="x")(step("filter", lambda t, c: c.ids > 0)),
            ranker=m.ranker(step("rank", lambda t, c: c.sort(Post.id))),
            post=m.transform(traits=m.Trait.ANNOTATES)(step("post", lambda t, c: c)),
            validate=m.candidate_predicate(reason="x")(step("validate", lambda t, c: c.ids > 0)),
            results=m.transform(traits=m.Trait.ANNOTATES)(step("results", lambda t, c: c)),
            effects=[m.side_effect(step("effect", lambda t, r: None))],
        )
        await flow.process(Viewer())
        assert order == [
            "update_target", "eligibility", "source", "hydrate", "filter", "rank", "post", "validate", "results", "effect",
        ]  # fmt: skip

    async def test_a_slow_first_source_still_comes_first(self):
        flow = Minimal(
            slow(source("late", 1, 2), 0.001), source("early", 3), ranker=m.chain(m.Truncate(9), _same())
        )
        assert (await flow.process(Viewer())).candidates.ids.tolist() == [1, 2, 3]

    async def test_sources_wait_together(self):
        entered, both = [], anyio.Event()

        async def meet(target):
            entered.append(1)
            if len(entered) == 2:
                both.set()
            await both.wait()
            return of(len(entered))

        flow = Minimal(m.candidate_source(meet).named("one"), m.candidate_source(meet).named("two"))
        with anyio.fail_after(5):
            assert len((await flow.process(Viewer())).candidates) == 2

    async def test_every_hook_sees_the_updated_target(self):
        class Updated(Minimal):
            def update_target(self, target):
                return attrs.evolve(target, user_id=99)

        inner, calls = recording(source("some", 1))
        await Updated(inner).process(Viewer())
        assert calls[0][0].user_id == 99

    async def test_additional_candidates_precede_fetched_and_duplicates_survive_until_the_transform(self):
        class More(Minimal):
            def additional_candidates(self, target):
                return of(3, 9)

        flow = More(source("some", 1, 3), ranker=_same())
        result = await flow.process(Viewer())
        assert result.candidates.ids.tolist() == [3, 9, 1, 3]
        assert flow.stats.snapshot()["more/additional_candidates/results"] == 2
        table = result.candidates.provenance
        assert table.names_of(int(result.candidates.handles[0])) == ("additional_candidates",)
        deduplicated = await More(source("some", 1, 3), ranker=_same(), post=m.Deduplicate()).process(
            Viewer()
        )
        first = deduplicated.candidates
        assert first.provenance.names_of(int(first.handles[0])) == ("additional_candidates", "some")

    async def test_candidate_sources_is_asked_once_a_request(self):
        asked = []

        class Counting(Minimal):
            def candidate_sources(self, target):
                asked.append(target)
                return self.sources

        await Counting().process(Viewer())
        assert len(asked) == 1


def _same() -> m.Ranker:
    return m.ranker(lambda target, posts: posts)


class TestOutcomes:
    async def test_an_ineligible_target_is_an_empty_success(self):
        inner, calls = recording(source("some", 1))
        effect, effects = recording(m.side_effect(lambda target, result: None))
        flow = Minimal(inner, eligibility=Never("param_off"), effects=[effect])
        result = await flow.process(Viewer())
        assert (result.outcome, result.reasons, len(result.candidates)) == (
            m.Outcome.INELIGIBLE,
            ("param_off",),
            0,
        )
        assert not calls
        assert not effects
        stats = flow.stats.snapshot()
        for name in ("requests", "success", "empty"):
            assert stats[f"minimal/overall/{name}"] == 1
        assert stats["minimal/target_eligibility/invalid"] == 1
        assert stats["minimal/target_eligibility/reasons/param_off"] == 1
        assert "minimal/candidate_generation/requests" not in stats

    async def test_ok_empty_and_degraded(self):
        assert (await Minimal().process(Viewer())).outcome is m.Outcome.OK
        assert (await Minimal(source("none")).process(Viewer())).outcome is m.Outcome.EMPTY
        from mixer.testing import failing

        result = await Minimal(failing(source("broken", 1)).fail_open(), source("some", 5)).process(Viewer())
        assert result.outcome is m.Outcome.DEGRADED
        assert result.candidates.ids.tolist() == [5]
        assert [str(one) for one in result.degradations] == [
            "broken: error (RuntimeError), no candidates from this source"
        ]

    async def test_no_sources_at_all_is_empty(self):
        class Sourceless(Minimal):
            def candidate_sources(self, target):
                return []

        result = await Sourceless().process(Viewer())
        assert result.outcome is m.Outcome.EMPTY
        assert result.candidates.kind is Post

    async def test_the_cursor_of_the_next_page_travels_with_the_result(self):
        class Paged(Minimal):
            def next_cursor(self, target, results):
                return f"after {results.ids[-1]}"

        assert (await Paged().process(Viewer())).cursor == "after 1"

    async def test_map_target_keeps_the_name_of_the_flow(self):
        @attrs.frozen
        class Session(m.Target):
            user: int = 3

        inner, calls = recording(source("some", 1))
        mapped = Minimal(inner).map_target(lambda session: Viewer(session.user, request=session.request))
        result = await mapped.process(Session())
        assert mapped.name == result.trace.flow == "minimal"
        assert calls[0][0].user_id == 3

    async def test_a_flow_can_be_a_source_of_another(self):
        from mixer.testing import failing

        inner = Minimal(source("deep", 1, 2), failing(source("broken", 3)).fail_open()).as_source()
        result = await Minimal(source("a", 2, 9), inner, post=m.Deduplicate()).process(Viewer())
        assert result.candidates.ids.tolist() == [9, 2, 1]
        table = result.candidates.provenance
        assert table.names_of(int(result.candidates.handles[1])) == ("a", "minimal")
        assert [str(one) for one in result.degradations] == [
            "minimal/broken: error (RuntimeError), no candidates from this source"
        ]

    async def test_something_that_is_no_target_is_refused(self):
        with pytest.raises(TargetTypeError, match="minimal: expected a Target, got int"):
            await Minimal().process(3)


class TestStats:
    async def test_the_scopes_have_their_original_names(self):
        flow = Minimal(filter=m.candidate_predicate(reason="odd")(lambda t, c: c.ids % 2 == 0))
        for _ in range(3):
            await flow.process(Viewer())
        stats = flow.stats.snapshot()
        scopes = {name.split("/")[1] for name in stats if name.count("/") >= 2}
        assert set(STAGES[1:]) | {"overall", "additional_candidates"} <= scopes
        for scope in (*STAGES[1:], "overall"):
            assert stats[f"minimal/{scope}/requests"] == stats[f"minimal/{scope}/success"] == 3
            assert stats[f"minimal/{scope}/latency_ms"].count == 3
        assert stats["minimal/candidate_generation/results"] == 9
        assert stats["minimal/candidate_generation/some/results"] == 9
        assert stats["minimal/pre_ranker_filter/reasons/odd"] == 6
        assert stats["minimal/pre_ranker_filter/valid"] == 3
        assert stats["minimal/overall/results_stat"].max == 1
        assert stats["minimal/num_batches"] == 0

    async def test_batches_are_counted_on_the_root_of_the_flow(self):
        flow = Minimal(
            source("some", *range(10)),
            config=m.ResultsConfig(2, batch_size=3),
            validate=m.candidate_predicate(reason="no")(lambda t, c: c.ids < 0),
        )
        await flow.process(Viewer())
        stats = flow.stats.snapshot()
        assert stats["minimal/num_batches"] == 4
        assert stats["minimal/num_batches_stats"].sum == 4
        assert stats["minimal/filter_and_take/reasons/no"] == 10

    async def test_failures_are_counted_by_stage_and_class(self):
        from mixer.testing import failing

        flow = Minimal(ranker=failing(m.SortBy(Post.id), LookupError("x")))
        with pytest.raises(LookupError):
            await flow.process(Viewer())
        stats = flow.stats.snapshot()
        assert stats["minimal/ranker/failures/LookupError"] == 1
        assert stats["minimal/overall/failures"] == 1
        assert stats["minimal/pre_ranker_filter/success"] == 1
        assert "minimal/post_ranker_transform/requests" not in stats

    async def test_requests_beyond_the_fold_are_not_lost(self, monkeypatch):
        monkeypatch.setattr("mixer.flow_stats.FOLD_AT", 2)
        flow = Minimal()
        for _ in range(5):
            await flow.process(Viewer())
        assert flow.stats.snapshot()["minimal/overall/requests"] == 5

    async def test_two_flows_can_share_a_receiver(self):
        stats = m.StatsReceiver()
        for _ in range(2):
            await Minimal(stats=stats).process(Viewer())
        assert stats.snapshot()["minimal/overall/requests"] == 2

    async def test_one_log_line_a_request(self):
        class Logged(Minimal):
            log_requests = True

        with structlog.testing.capture_logs() as lines:
            await Logged().process(Viewer())
        assert len(lines) == 1
        assert lines[0]["flow"] == "logged"
        assert lines[0]["user_id"] == 7
        assert lines[0]["outcome"] == "ok"


class TestQualityFactor:
    def factor(self, **changes):
        return LinearLatencyQualityFactor(
            bounds=QualityFactorBounds(0.1, 1.0, 0.5),
            initial_delay_s=0,
            target_latency_s=60.0,
            percentile=95,
            delta=0.01,
        )

    async def test_it_rises_with_fast_answers_and_travels_on_the_request(self):
        inner, calls = recording(source("some", 1))
        flow = Minimal(inner, quality=self.factor())
        await flow.process(Viewer())
        await flow.process(Viewer())
        assert [target.request.quality_factor for (target,) in calls] == pytest.approx([0.5, 0.51])
        stats = flow.stats.snapshot()
        assert stats["minimal/quality_factor"] == pytest.approx(0.52)
        assert stats["minimal/overall/quality_factor_counts"] == 2
        assert stats["minimal/overall/quality_factor_stat"].max == pytest.approx(5200, rel=0.02)

    async def test_who_ignores_the_load_is_answered_as_at_rest_and_does_not_count(self):
        inner, calls = recording(source("some", 1))
        flow = Minimal(inner, quality=self.factor())
        at_rest = m.Request(debug=m.DebugOptions(ignore_load=True))
        await flow.process(Viewer(request=at_rest))
        assert [target.request.quality_factor for (target,) in calls] == [1.0]
        assert flow.stats.snapshot()["minimal/quality_factor"] == 0.5

    async def test_failures_lower_it_and_ineligible_requests_do_not_count(self):
        from mixer.testing import failing

        broken = Minimal(failing(source("some", 1)), quality=self.factor())
        with pytest.raises(RuntimeError):
            await broken.process(Viewer())
        assert broken.stats.snapshot()["minimal/quality_factor"] == pytest.approx(0.5 - 0.01 * 19)
        closed = Minimal(eligibility=Never(), quality=self.factor())
        await closed.process(Viewer())
        assert closed.stats.snapshot()["minimal/quality_factor"] == 0.5


class TestTrace:
    def flow(self):
        double = m.ranker(
            lambda t, c: c.with_columns({Post.score: c.ids.astype(np.float32)}).sort(Post.score)
        )
        return Minimal(
            source("a", 1, 2, 3, 4, 5, 6),
            source("b", 6, 8),
            filter=m.candidate_predicate(reason="odd")(lambda t, c: c.ids % 2 == 0),
            ranker=double,
            post=m.Deduplicate(),
            validate=m.candidate_predicate(reason="four")(lambda t, c: c.ids != 4),
            config=m.ResultsConfig(2, batch_size=2),
        )

    async def test_counts_and_times_are_always_there(self):
        trace = (await self.flow().process(Viewer())).trace
        assert [stage.name for stage in trace.stages] == list(STAGES)
        assert [stage.count_out for stage in trace.stages] == [0, 0, 8, 8, 5, 5, 4, 2, 2]
        assert all(stage.ms >= 0 for stage in trace.stages)
        assert {component.name for component in trace.components} == {
            "candidate_generation/a",
            "candidate_generation/b",
        }

    async def test_stories_need_a_traced_request(self):
        result = await self.flow().process(Viewer())
        with pytest.raises(MixerError, match=r"DebugOptions\(trace=True\)"):
            result.explain(1)

    async def test_every_fate_is_told(self):
        result = await self.flow().process(Viewer(request=m.Request(debug=TRACED)))
        assert result.candidates.ids.tolist() == [8, 6]
        assert "dropped for odd" in result.explain(1)
        assert "shown at position 2" in result.explain(6)
        assert "merged" in result.explain(6)
        assert "score = 8" in result.explain(8)
        assert "not_examined" in result.explain(2)
        assert result.explain(77) == "77: no source found it"
        assert check_conservation(result) == {"shown": 2, "dropped": 3, "merged": 1, "not_examined": 2}

    async def test_validation_tells_what_failed_it(self):
        result = await Minimal(
            source("a", 4, 5),
            validate=m.candidate_predicate(reason="four")(lambda t, c: c.ids != 4),
        ).process(Viewer(request=m.Request(debug=TRACED)))
        assert "filter_and_take" in result.explain(4)
        assert "dropped for four" in result.explain(4)

    async def test_terms_of_a_score_are_kept(self):
        @m.ranker
        def weighted(target, posts):
            terms = {"likes": posts.ids * 0.5}
            scored = posts.with_columns({Post.score: terms["likes"]})
            m.note("weighted", posts, scored, terms=terms)
            return scored.sort(Post.score)

        result = await Minimal(ranker=weighted).process(Viewer(request=m.Request(debug=TRACED)))
        assert "likes = 1.5" in result.explain(3)
        assert "moved, position 1" in result.explain(3)

    async def test_composed_rankers_are_told_one_by_one(self):
        ranker = m.SortBy(Post.id).then(m.chain(m.Truncate(2), m.SortBy(Post.id, descending=False)))
        result = await Minimal(ranker=ranker).process(Viewer(request=m.Request(debug=TRACED)))
        assert result.candidates.ids.tolist() == [2, 3]
        assert "ranker/truncate: dropped" in result.explain(1)
        assert check_conservation(result) == {"shown": 2, "dropped": 1}

    async def test_a_trace_serialises_to_json(self):
        result = await self.flow().process(Viewer(request=m.Request(debug=TRACED)))
        document = json.loads(json.dumps(result.trace.to_json(stories=True)))
        assert [stage["name"] for stage in document["stages"]] == list(STAGES)
        assert len(document["stories"]) == 7
        assert document["stories"][0]["events"][0]["action"] == "found"

    async def test_tracing_is_off_unless_asked(self):
        seen = []
        flow = Minimal(ranker=m.ranker(lambda t, c: seen.append(m.tracing()) or c))
        await flow.process(Viewer())
        await flow.process(Viewer(request=m.Request(debug=TRACED)))
        assert seen == [False, True]
        assert not m.tracing()


class TestContracts:
    @pytest.mark.parametrize(
        ("hooks", "message"),
        [
            ({"ranker": m.ranker(lambda t, c: c.head(1))}, "exactly the 3 candidates"),
            ({"ranker": m.ranker(lambda t, c: of(1, 2, 3))}, "rows built anew"),
            ({"ranker": m.ranker(lambda t, c: "x")}, "expected"),
            ({"filter": m.candidate_predicate(reason="x")(lambda t, c: np.array([True]))}, "3 verdicts"),
            ({"post": m.transform(traits=m.Trait.DROPS)(lambda t, c: c.take([0, 0, 0, 0]))}, "at most the 3"),
        ],
    )
    async def test_breaches_are_named(self, hooks, message):
        with pytest.raises((ContractError, TypeError), match=message):
            await Minimal(**hooks).process(Viewer())

    async def test_a_source_must_answer_with_candidates(self):
        async def wrong(target):
            return [1, 2]

        with pytest.raises(ContractError, match="wrong: expected Candidates, got list"):
            await Minimal(m.candidate_source(wrong)).process(Viewer())

    async def test_two_sources_of_one_name_are_refused(self):
        with pytest.raises(ConfigurationError, match="distinct names"):
            await Minimal(source("a", 1), source("a", 2)).process(Viewer())

    async def test_exceptions_say_where_they_came_from(self):
        from mixer.testing import failing

        with pytest.raises(RuntimeError) as caught:
            await Minimal(failing(source("broken", 1))).process(Viewer(request=m.Request(id="r1")))
        assert caught.value.__notes__ == [
            "in source 'broken' of flow 'minimal'",
            "in stage 'candidate_generation' of flow 'minimal', request 'r1'",
        ]


class TestBuilding:
    def test_all_problems_are_listed_at_once(self):
        def nothing(target, posts):
            return {}

        class Wrong(Minimal):
            label = "Not snake case"
            stage_budgets_s: ClassVar = {"rank": 1.0, "ranker": -1.0}

        with pytest.raises(ConfigurationError) as caught:
            Wrong(
                filter="no predicate",
                hydrators=[m.hydrator(writes=())(nothing)],
                effects=["no effect"],
            )
        text = "\n".join(caught.value.problems)
        for part in ("snake case", "names 'rank'", "above 0, got -1.0", "expected a CandidatePredicate, got str",
                     "declares no column", "expected a SideEffect, got str"):  # fmt: skip
            assert part in text

    def test_a_forgotten_return_and_a_missing_sequence_are_told_apart_from_nothing_to_do(self):
        class Forgetful(Minimal):
            def pre_ranker_filter(self):
                pass

            def transform_results(self):
                pass

            def hydrate_candidates(self):
                return m.hydrator(writes=(Post.id,))(lambda target, posts: {})

        with pytest.raises(ConfigurationError) as caught:
            Forgetful()
        assert caught.value.problems == (
            "pre_ranker_filter: expected a CandidatePredicate, got NoneType",
            "transform_results: expected a Transform, got NoneType",
            "hydrate_candidates: expected a sequence of Hydrator, got _Lifted",
        )

    def test_a_stage_without_its_method_is_found_before_it_is_asked(self):
        class Unfinished(m.CandidatePredicate):
            def chek(self, target, candidates):
                return None

        with pytest.raises(ConfigurationError, match="class Unfinished has no method 'check'"):
            Minimal(filter=Unfinished().negate("finished"))

    def test_a_misspelt_hook_is_found(self):
        class Misspelt(m.RecommendationFlow[Viewer, Post]):
            def candidate_sources(self, target):
                return []

            def results_config(self, target):
                return m.ResultsConfig(1)

            def post_ranker_transforms(self):
                return m.transform(traits=m.Trait.DROPS)(lambda target, posts: posts)

            def ranked_by(self):
                """A method of its own, like no hook."""

        with pytest.raises(ConfigurationError) as caught:
            Misspelt()
        assert caught.value.problems == (
            "post_ranker_transforms: there is no such hook; did you mean 'post_ranker_transform'?",
        )

    @pytest.mark.parametrize("budget", ["fast", float("nan"), 0])
    def test_a_budget_is_a_number_of_seconds(self, budget):
        class Hasty(Minimal):
            stage_budgets_s: ClassVar = {"ranker": budget}

        with pytest.raises(ConfigurationError, match="expected seconds above 0, got"):
            Hasty()

    @pytest.mark.parametrize(
        ("hook", "answer", "message"),
        [
            (
                "candidate_sources",
                None,
                "candidate_sources: expected a sequence of CandidateSource, got NoneType",
            ),
            ("candidate_sources", len, "candidate_sources: expected a sequence of CandidateSource, got"),
            ("candidate_sources", [len], "candidate_sources: expected a CandidateSource, got builtin"),
            (
                "candidate_sources",
                [m.candidate_source(lambda target: [1]).named("list")],
                "list: expected Candidates",
            ),
            ("select_ranker", None, "select_ranker: expected a Ranker, got NoneType"),
            ("results_config", 3, "results_config: expected a ResultsConfig, got int"),
        ],
    )
    def test_what_a_hook_answers_for_a_request_is_checked(self, hook, answer, message):
        flow = type("Wrong", (Minimal,), {hook: lambda self, target: answer})()
        with pytest.raises(ContractError, match=message):
            anyio.run(flow.process, Viewer())

    def test_the_two_mandatory_hooks_are_mandatory(self):
        class Half(m.RecommendationFlow[Viewer, Post]):
            def results_config(self, target):
                return m.ResultsConfig(1)

        with pytest.raises(TypeError, match="candidate_sources"):
            Half()

    def test_attrs_classes_can_be_flows(self):
        @attrs.define
        class Declared(m.RecommendationFlow[Viewer, Post]):
            size: int

            def candidate_sources(self, target):
                return [source("some", *range(self.size))]

            def results_config(self, target):
                return m.ResultsConfig(self.size)

        assert len(anyio.run(Declared(4).process, Viewer()).candidates) == 4

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"desired": -1}, "desired: expected at least 0"),
            ({"desired": 1, "batch_size": 0}, "batch_size: expected"),
        ],
    )
    def test_impossible_results_configs_are_refused(self, fields, message):
        with pytest.raises(ConfigurationError, match=message):
            m.ResultsConfig(**fields)


class TestRequests:
    @given(st.integers(0, 2**63), st.text(max_size=9), st.text(max_size=9))
    def test_components_draw_their_own_numbers_and_always_the_same(self, seed, one, two):
        request_ = m.Request(seed=seed)
        assert request_.rng(one).random() == request_.rng(one).random()
        assert (request_.seed_for(one) == request_.seed_for(two)) == (one == two)

    def test_ids_differ(self):
        assert m.Request().id != m.Request().id

    def test_time_left_is_never_negative_and_unlimited_without_a_deadline(self):
        assert m.Request().time_left_s() == np.inf
        assert m.Request(deadline=10.0).time_left_s(lambda: 4.0) == 6.0
        assert m.Request(deadline=10.0).time_left_s(lambda: 40.0) == 0.0
