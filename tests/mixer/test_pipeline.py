"""Pipelines blend flows; products serve them; inventories tell what they are made of."""

from __future__ import annotations

import json
import math
from typing import ClassVar

import anyio
import attrs
import numpy as np
import pytest

import mixer as m
from mixer import selectors as s
from mixer.candidate_predicates import KeepAll
from mixer.errors import ConfigurationError, TargetTypeError, UnknownProductError
from mixer.inventory import collisions, inventory
from mixer.pipeline import Branch, MixerPipeline
from mixer.predicates import Never
from mixer.product import Product, ProductRegistry
from mixer.testing import failing, hanging, recording, slow


class Post(m.Candidate):
    score = m.column(np.float32, default=np.nan)


class Account(m.Candidate):
    followers = m.column(np.int64, default=0)


def of(kind, *ids):
    return m.Candidates(kind, {kind.id: np.array(ids, dtype=np.int64)})


class Flow(m.RecommendationFlow[m.Target, Post]):
    def __init__(self, *sources: m.CandidateSource) -> None:
        self.sources = m.SourceRegistry(list(sources))

    def candidate_sources(self, target):
        return self.sources.all()

    def results_config(self, target):
        return m.ResultsConfig(20)


class Posts(Flow):
    """Posts that somebody wrote."""

    def __init__(self, *ids: int, wrap=lambda source: source) -> None:
        super().__init__(wrap(m.candidate_source(lambda target: of(Post, *ids)).named("written")))


class WhoToFollow(m.RecommendationFlow[m.Target, Account]):
    """Accounts to follow."""

    def candidate_sources(self, target):
        return [m.candidate_source(lambda target: of(Account, 901, 902, 903)).named("popular")]

    def results_config(self, target):
        return m.ResultsConfig(3)


class Home(MixerPipeline[m.Target]):
    """Posts, with accounts to follow in third place."""

    def __init__(self, *branches: Branch, selectors=None, effects=()) -> None:
        self.given = branches or (Branch(Posts(1, 2, 3, 4)), Branch(WhoToFollow(), as_module=True))
        self.chosen = selectors
        self.given_effects = effects

    def branches(self):
        return self.given

    def selectors(self):
        if self.chosen is not None:
            return self.chosen
        return (
            s.InsertAppend("posts"),
            s.InsertFixedPosition("who_to_follow", 2),
            s.DropModuleTooFew("who_to_follow", 3),
            s.DropMaxResults(4),
        )

    def side_effects(self):
        return self.given_effects


def shown(result) -> list:
    return [
        [part.id for part in entry.entries] if isinstance(entry, s.Module) else entry.id
        for entry in result.slate
    ]


TRACED = m.Target(request=m.Request(debug=m.DebugOptions(trace=True)))


async def test_flows_are_blended_at_fixed_positions():
    result = await Home().process(m.Target())
    assert shown(result) == [1, 2, [901, 902, 903], 3]
    assert result.outcome is m.Outcome.OK
    assert [(one.entry.id, one.selector, one.reason) for one in result.selection.dropped] == [
        (4, "drop_max_results", "over_maximum")
    ]
    assert set(result.results) == {"posts", "who_to_follow"}
    assert result.response is result.slate


async def test_results_enter_the_pool_in_declared_order_however_long_flows_take():
    late = Posts(1, wrap=slow)
    home = Home(Branch(late), Branch(WhoToFollow()), selectors=[s.InsertAppend()])
    assert shown(await home.process(m.Target())) == [1, 901, 902, 903]


async def test_a_failing_flow_is_left_out_and_reported():
    home = Home(Branch(Posts(1, wrap=failing)), Branch(WhoToFollow()), selectors=[s.InsertAppend()])
    result = await home.process(m.Target())
    assert shown(result) == [901, 902, 903]
    assert result.outcome is m.Outcome.DEGRADED
    assert str(result.degradations[0]) == "posts: error (RuntimeError), nothing from this flow"
    assert home.stats.snapshot()["home/degraded/posts/error"] == 1


async def test_a_flow_that_must_not_fail_open_fails_the_request():
    home = Home(Branch(Posts(1, wrap=failing), fail_open=False), selectors=[s.InsertAppend()])
    with pytest.raises(RuntimeError):
        await home.process(m.Target())
    assert home.stats.snapshot()["home/overall/failures/RuntimeError"] == 1


async def test_a_hanging_flow_is_cut_at_its_budget_or_the_deadline():
    hangs = Posts(1, wrap=hanging)
    home = Home(Branch(hangs, within_s=0.001), Branch(WhoToFollow()), selectors=[s.InsertAppend()])
    assert shown(await home.process(m.Target())) == [901, 902, 903]
    home = Home(Branch(hangs), Branch(WhoToFollow()), selectors=[s.InsertAppend()])
    overdue = m.Target(request=m.Request(deadline=-math.inf))
    with anyio.fail_after(5):
        result = await home.process(overdue)
    assert shown(result) == [901, 902, 903]
    assert result.outcome is m.Outcome.DEGRADED


async def test_degradations_inside_a_flow_surface():
    home = Home(
        Branch(Posts(1, wrap=lambda source: failing(source).fail_open())),
        Branch(WhoToFollow()),
        selectors=[s.InsertAppend()],
    )
    result = await home.process(m.Target())
    assert result.degradations[0].component == "posts/written"


async def test_a_closed_gate_leaves_a_flow_out_without_degrading():
    home = Home(Branch(Posts(1), gate=Never("off")), Branch(WhoToFollow()), selectors=[s.InsertAppend()])
    result = await home.process(m.Target())
    assert (shown(result), result.outcome) == ([901, 902, 903], m.Outcome.OK)
    assert home.stats.snapshot()["home/flows/posts/skipped"] == 1


async def test_dependent_flows_see_what_the_primary_ones_answered():
    asked = []

    def after(target, results):
        asked.append({name: result.candidates.ids.tolist() for name, result in results.items()})
        return target if len(results["posts"].candidates) < 3 else None

    def home(*ids):
        return Home(Branch(Posts(*ids)), Branch(WhoToFollow(), after=after), selectors=[s.InsertAppend()])

    assert shown(await home(1, 2).process(m.Target())) == [1, 2, 901, 902, 903]
    assert shown(await home(1, 2, 3).process(m.Target())) == [1, 2, 3]
    assert asked == [{"posts": [1, 2]}, {"posts": [1, 2, 3]}]


async def test_the_story_of_an_entry_crosses_flows_and_selectors():
    result = await Home().process(TRACED)
    assert "slate: position 1" in result.explain(1)
    assert "written: found" in result.explain(1)
    assert "drop_max_results: dropped for over_maximum" in result.explain(4)
    assert "slate: position 3" in result.explain(902)
    assert result.explain(5) == "5: no flow found it"
    assert [step[0] for step in result.selection.steps][1] == "insert_append_posts"


async def test_side_effects_get_the_whole_answer():
    effect, calls = recording(m.side_effect(lambda target, result: None))
    home = Home(effects=[effect])
    async with home:
        result = await home.process(m.Target())
    assert calls[0][1] is result


async def test_something_that_is_no_target_is_refused():
    with pytest.raises(TargetTypeError, match="home: expected a Target, got str"):
        await Home().process("me")


def test_all_wiring_problems_are_listed_at_once():
    with pytest.raises(ConfigurationError) as caught:
        Home(Branch(Posts(1)), Branch(Posts(2)), selectors=[s.InsertAppend("postz")])
    text = "\n".join(caught.value.problems)
    assert "two flows are named 'posts'" in text
    assert "no flow is named 'postz'" in text
    with pytest.raises(ConfigurationError, match="the slate would always be empty"):
        Home(selectors=[])


class TestProducts:
    async def test_the_first_runner_answers(self):
        answer = await Product("feed", (Home(),)).process(m.Target())
        assert (answer.runner, answer.outcome) == ("home", m.Outcome.OK)
        assert shown(answer.answer) == [1, 2, [901, 902, 903], 3]

    async def test_a_closed_gate_is_an_answer(self):
        answer = await Product("feed", (Home(),), gate=Never("param_off")).process(m.Target())
        assert (answer.outcome, answer.reasons, answer.answer) == (m.Outcome.INELIGIBLE, ("param_off",), None)

    async def test_a_product_chooses_by_target(self):
        @attrs.frozen
        class Viewer(m.Target):
            wants: str = "posts"

        product = Product("feed", (Home(), Posts(7)), choose=lambda viewer: viewer.wants)
        assert (await product.process(Viewer())).runner == "posts"
        with pytest.raises(ConfigurationError, match="no runner is named 'ads'; there are: home, posts"):
            await product.process(Viewer("ads"))

    async def test_the_fallback_steps_in_and_says_so(self):
        broken = Posts(1, wrap=failing)
        product = Product("feed", (broken,), fallback=WhoToFollow())
        answer = await product.process(m.Target())
        assert (answer.runner, answer.outcome) == ("who_to_follow", m.Outcome.DEGRADED)
        assert str(answer.degradations[0]) == "posts: error (RuntimeError), who_to_follow instead"
        with pytest.raises(RuntimeError):
            await Product("feed", (broken,)).process(m.Target())

    def test_wiring_problems_are_listed_at_once(self):
        with pytest.raises(ConfigurationError) as caught:
            Product("F", (Posts(1), Posts(2)))
        assert len(caught.value.problems) == 2
        with pytest.raises(ConfigurationError, match="at least one flow or pipeline"):
            Product("feed", ())

    def test_a_registry_knows_its_products(self):
        registry = ProductRegistry([Product("feed", (Home(),)), Product("follow", (WhoToFollow(),))])
        assert list(registry) == ["feed", "follow"]
        assert registry["feed"].name == "feed"
        with pytest.raises(UnknownProductError, match="no product is named 'ads'; there are: feed, follow"):
            registry["ads"]
        with pytest.raises(ConfigurationError, match="two products are named 'feed'"):
            ProductRegistry([Product("feed", (Home(),)), Product("feed", (Home(),))])


class TestInventory:
    def flow(self):
        class Full(Posts):
            """A flow with everything."""

            stage_budgets_s: ClassVar = {"ranker": 0.4}

            def __init__(self):
                super().__init__(1)
                self.ranker = m.SortBy(Post.id).then(m.SortBy(Post.score))

            def hydrate_candidates(self):
                def score(target, posts):
                    """Scores by id."""
                    return {Post.score: posts.ids.astype(np.float32)}

                return [m.hydrator(writes=(Post.score,))(score)]

            def transform_results(self):
                return m.Truncate(5)

        return Full()

    def test_a_tree_lists_stages_in_order_with_settings_and_documentation(self):
        tree = inventory(self.flow())
        assert [child.stage for child in tree.children] == [
            "candidate_generation", "hydration", "ranker", "transform_results",
        ]  # fmt: skip
        assert tree.fields == {"budget of ranker": "0.4 s"}
        text = tree.to_text()
        assert "hydration: score (_Lifted) [reads=nothing, writes=score] - Scores by id." in text
        assert "transform_results: truncate (Truncate) [traits=DROPS, count=5]" in text
        assert "sort_by (SortBy)" in text

    def test_a_tree_serialises_to_json(self):
        document = json.loads(json.dumps(inventory(Home()).to_json()))
        assert [child["stage"] for child in document["children"][:3]] == ["flow", "flow", "selector"]
        product = Product("feed", (Home(),), fallback=WhoToFollow()).inventory()
        assert [child.stage for child in product.children][-1] == "fallback"

    def test_one_name_for_two_classes_is_a_collision(self):
        class Clashing(Flow):
            def pre_ranker_filter(self):
                return m.all_of(Picky(), Picky2())

        class Picky(KeepAll):
            label = "picky"

        class Picky2(KeepAll):
            label = "picky"

        flow = Clashing(m.candidate_source(lambda target: of(Post)).named("some"))
        assert collisions(inventory(flow)) == ["all_of: Picky and Picky2 are both named 'picky'"]
        with pytest.raises(ConfigurationError, match="both named 'picky'"):
            Product("feed", (flow,))
