from __future__ import annotations

import anyio
import attrs
import numpy as np
import pytest

from components.models.real_graph.scores import RealGraphScores
from components.rankers.light import LogisticRanker
from components.rankers.two_heads import TwoHeads
from components.stores.graph import Graph
from components.stores.impressions import ImpressionStore
from components.stores.stores import FOLLOW
from components.stores.types import Account, Viewer
from components.transforms.tracking import TokenCodec
from mixer import DebugOptions, Outcome, Request
from mixer.errors import ConfigurationError
from mixer.param_registry import ParamRegistry
from mixer.params import Params
from mixer.quality_factor import LinearLatencyQualityFactor, QualityFactorBounds
from mixer.rankers import KeepOrder
from products.follow_recs import params
from products.follow_recs.budgets import PUBLISHED, Budget, Budgets
from products.follow_recs.embeddings import Learned
from products.follow_recs.flow import FollowRecs
from products.follow_recs.sources import FAMILIES, LEARNED, SOCIAL
from products.follow_recs.training import INPUTS, Training, past_of, train, train_engagement

USERS = range(1, 201, 7)
GOLDEN = [175, 117, 49, 87, 121, 90, 84, 38, 113, 119]


def viewer_of(stores, user, **fields):
    settings = Params.of(fields.pop("params", {}))
    return Viewer(user, request=Request(id="test", now_ms=stores.now_ms, params=settings, **fields))


async def test_recommended_accounts_break_no_promise(stores, follow_recs):
    for user in USERS:
        row = stores.users.row_of(user)
        result = await follow_recs.process(
            viewer_of(stores, user, debug=DebugOptions(skip_side_effects=True))
        )
        rows = result.candidates[Account.row].tolist()
        assert result.outcome is Outcome.OK
        assert len(rows) == len(set(rows)) == params.RESULTS.default
        assert row not in rows
        assert not set(rows) & set(stores.follows.of(row).tolist())
        for kind in ("dismissed", "mute", "block"):
            assert not set(rows) & set(stores.graphs[kind].of(row).tolist())
        assert not set(rows) & set(stores.graphs["block"].reverse.of(row).tolist())
        for account in result.candidates:
            followed = set(stores.users.ids[stores.follows.of(row)].tolist())
            assert set(account.social_proof) <= followed
            assert (account.connectors > 0) == bool(account.social_proof)


async def test_every_source_contributes(stores, follow_recs):
    found = set()
    for user in USERS:
        result = await follow_recs.process(viewer_of(stores, user, params={params.RESULTS: 200}))
        for handle in result.candidates.handles.tolist():
            found |= set(result.candidates.provenance.names_of(handle))
    assert found == set(params.WEIGHTS) - LEARNED


@attrs.frozen
class AnySpace:
    name: str

    def nearness(self, user_id):
        return np.arange(200) % 7 - 1.0


async def test_what_was_learned_makes_more_sources(stores, follow_model):
    rng = np.random.default_rng(0)
    pairs = rng.choice(stores.users.ids, (3_000, 2))
    chances = rng.random(len(pairs))
    ties = RealGraphScores.build(stores.users, *pairs.T, chances, stores.now_ms - 1)
    ranker = LogisticRanker(follow_model, INPUTS, Account.score)
    learned = Learned((AnySpace("twhin_accounts"), AnySpace("simclusters_accounts")), ties)
    result = await FollowRecs(stores, ranker, learned=learned).process(
        viewer_of(stores, 1, params={params.RESULTS: 200})
    )
    assert set(result.candidates.provenance.names) == set(params.WEIGHTS)
    handles = result.candidates.handles.tolist()
    found = {name for handle in handles for name in result.candidates.provenance.names_of(handle)}
    assert found >= LEARNED


async def test_accounts_that_were_shown_move_down(stores, follow_recs):
    dark = DebugOptions(skip_side_effects=True)
    before = (await follow_recs.process(viewer_of(stores, 1, debug=dark))).candidates.ids.tolist()
    await follow_recs.process(attrs.evolve(viewer_of(stores, 1), limit=2))
    after = (await follow_recs.process(viewer_of(stores, 1, debug=dark))).candidates.ids.tolist()
    assert after[:8] == [*before[2:5], before[0], before[5], before[1], *before[6:8]]  # five places each


async def test_the_recommendations_of_the_embedded_world_are_pinned(stores, follow_recs):
    result = await follow_recs.process(viewer_of(stores, 1))
    assert result.candidates.ids.tolist() == GOLDEN


DARK = DebugOptions(skip_side_effects=True)


async def test_a_source_of_weight_0_is_not_asked(stores, follow_recs):
    off = {params.WEIGHTS["popular"]: 0.0, params.WEIGHTS["trending"]: 0.0}
    result = await follow_recs.process(viewer_of(stores, 1, params=off, debug=DARK))
    names = set(result.candidates.provenance.names)
    assert names == set(params.WEIGHTS) - LEARNED - {"popular", "trending"}
    silent = dict.fromkeys(params.WEIGHTS.values(), 0.0)
    result = await follow_recs.process(viewer_of(stores, 1, params=silent, debug=DARK))
    assert (result.outcome, len(result.candidates)) == (Outcome.EMPTY, 0)


def test_weights_and_sources_are_checked_when_the_flow_is_built(stores, monkeypatch):
    weights = {**params.WEIGHTS, "two_hop_random_walk": params.WEIGHTS["popular"]}
    del weights["trending"]
    monkeypatch.setattr(params, "WEIGHTS", weights)
    with pytest.raises(ConfigurationError) as caught:
        FollowRecs(stores, KeepOrder())
    assert set(caught.value.problems) == {
        "weight of 'two_hop_random_walk', which is no source",
        "source 'trending' without a weight",
    }


@pytest.mark.parametrize(("quality", "ordered_by"), [(0.31, "logistic_ranker"), (0.3, "in_arrival_order")])
async def test_the_model_is_switched_off_by_load_and_stats_tell(stores, follow_model, quality, ordered_by):
    class Loaded(FollowRecs):
        def quality_factor(self):
            return LinearLatencyQualityFactor(
                target_latency_s=9.0, bounds=QualityFactorBounds(quality, quality, quality)
            )

    loaded = Loaded(stores, LogisticRanker(follow_model, INPUTS, Account.score))
    viewer = viewer_of(stores, 1, params={params.RANK_CAP: 50}, debug=attrs.evolve(DARK, trace=True))
    result = await loaded.process(viewer)
    steps = {step.component for _, step in result.trace.steps}
    assert ordered_by in steps
    stats = loaded.stats.snapshot()
    off = stats.get("follow_recs/ranker/ml_ranker_disabled_by_quality_factor/requests", 0)
    assert off == stats.get("follow_recs/degraded/logistic_ranker/timeout", 0) == (quality <= 0.3)
    assert stats["follow_recs/ranker/scaled_down_by_quality_factor/requests"] == 1
    assert stats["follow_recs/ranker/weighted_sources/requests"] == 1


def test_every_weight_and_switch_can_be_set():
    registry = ParamRegistry.collect(params)
    assert {*params.WEIGHTS.values(), *params.FILTERS.values()} <= set(registry)
    off = registry.resolver(environ={"MIXER_PARAM_FOLLOW_RECS_POPULAR_WEIGHT": "0"}).resolve()
    assert off[params.WEIGHTS["popular"]] == 0.0


@pytest.mark.parametrize("name", ["followed", "dismissed", "relationship"])
async def test_a_filter_that_is_switched_off_drops_nobody_and_stats_tell(stores, follow_recs, name):
    wide = {params.RESULTS: 200, params.RANK_CAP: 600}
    dropped, counted = [], []
    for on in (True, False):
        before = follow_recs.stats.snapshot().get(f"follow_recs/pre_ranker/{name}/requests", 0)
        for user in USERS:
            settings = {**wide, params.FILTERS[name]: on}
            result = await follow_recs.process(viewer_of(stores, user, params=settings, debug=DARK))
            row = stores.users.row_of(user)
            kinds = {"followed": ("follow",), "dismissed": ("dismissed",), "relationship": ("block", "mute")}[
                name
            ]
            out = {one for kind in kinds for one in stores.graphs[kind].of(row).tolist()}
            dropped.append((on, len(out & set(result.candidates[Account.row].tolist()))))
        counted.append(follow_recs.stats.snapshot()[f"follow_recs/pre_ranker/{name}/requests"] - before)
    assert sum(count for on, count in dropped if on) == 0
    assert sum(count for on, count in dropped if not on) > 0
    assert counted == [len(USERS), 0]


def test_published_budgets_fit():
    PUBLISHED.check("follow_recs")
    assert sum(PUBLISHED.by_stage().values()) + 0.2 <= PUBLISHED.request_s
    assert FollowRecs.stage_budgets_s["candidate_generation"] == 0.09


def test_budgets_that_do_not_fit_are_refused_when_the_flow_is_built(stores):
    wrong = {
        "candidate_generation": Budget(0.09, {"online_stp": 0.3}),
        "ranker": Budget(0.5, {"model": 0.4, "fatigue": 0.2}, in_turn=True),
        "blending": Budget(0.1, {"nothing": 0.0}),
    }

    class Wrong(FollowRecs):
        budgets = Budgets(1.0, {**PUBLISHED.stages, **wrong})

    with pytest.raises(ConfigurationError) as caught:
        Wrong(stores, KeepOrder())
    assert caught.value.problems == (
        "'blending' is no stage",
        "candidate_generation: its parts need 0.3 s, more than its 0.09 s",
        "ranker: its parts need 0.6 s, more than its 0.5 s",
        "blending/nothing: expected seconds above 0, got 0.0",
        "the stages need 1.8 s, more than the request's 1 s",
    )


async def test_a_drawn_order_comes_with_its_likelihood_and_keeps_fatigue(stores, follow_recs):
    plain = await follow_recs.process(viewer_of(stores, 1, debug=DARK))
    assert np.isnan(plain.candidates[Account.propensity]).all()
    drawn = {params.SAMPLING: True, params.SAMPLING_FACTOR: 3.0}
    firsts = set()
    for seed in range(20):
        result = await follow_recs.process(viewer_of(stores, 1, params=drawn, seed=seed, debug=DARK))
        likely = result.candidates[Account.propensity]
        assert ((likely > 0) & (likely <= 1)).all()
        firsts.add(int(result.candidates.ids[0]))
    assert len(firsts) > 5
    await follow_recs.process(
        attrs.evolve(viewer_of(stores, 1), limit=1)
    )  # now the best one is five places down
    sharp = {params.SAMPLING: True, params.SAMPLING_FACTOR: 1_000.0}
    tired = await follow_recs.process(viewer_of(stores, 1, params=sharp, debug=DARK))
    assert int(tired.candidates.ids[0]) != int(plain.candidates.ids[0])
    assert follow_recs.stats.snapshot()["follow_recs/sampling/requests"] == 21


async def test_results_are_signed_where_there_is_a_key(stores, follow_model):
    codec = TokenCodec(b"sixteen or more!", "follow_recs")
    signing = FollowRecs(stores, LogisticRanker(follow_model, INPUTS, Account.score), tokens=codec)
    viewer = viewer_of(stores, 1, debug=DARK)
    shown = (await signing.process(viewer)).candidates
    for place, account in enumerate(shown):
        facts = codec.read(account.tracking_token)
        assert (facts["id"], facts["place"], facts["viewer"], facts["request"]) == (
            account.id,
            place,
            1,
            "test",
        )
        assert facts["source"] in params.WEIGHTS
    off = await signing.process(viewer_of(stores, 1, params={params.TRACKING: False}, debug=DARK))
    assert off.candidates[Account.tracking_token].tolist() == [None] * len(off.candidates)


async def test_another_flow_is_read_in_the_dark(stores, follow_model):
    ranker = LogisticRanker(follow_model, INPUTS, Account.score)
    impressions = ImpressionStore()
    twin = FollowRecs(stores, ranker, impressions)
    watching = FollowRecs(stores, ranker, impressions, compared=twin)
    for user in (1, 8, 15):
        await watching.process(viewer_of(stores, user, params={params.DARK_READS: 100.0}))
        await watching.process(viewer_of(stores, user))  # off
    counts = watching.stats.snapshot()
    assert counts["follow_recs/dark_read/requests"] == counts["follow_recs/dark_read/first_5/same_order"] == 3
    assert counts["follow_recs/dark_read/score_differs"] == 0
    assert len(impressions.shown(1, stores.now_ms)) == 2 * params.RESULTS.default


async def test_hold_backs_come_last_and_are_off(stores, follow_recs):
    plain = await follow_recs.process(viewer_of(stores, 1, debug=DARK))
    fewer = dict.fromkeys((params.WEIGHTS["popular"], params.WEIGHTS["popular_in_language"]), 0.0)
    half = {params.HOLD_BACK_ACCOUNTS: 50.0, params.HOLD_BACK_SOCIAL: 100.0, params.RESULTS: 200, **fewer}
    held = await follow_recs.process(viewer_of(stores, 1, params=half, debug=DARK))
    assert 0 < len(held.candidates) < 100
    for handle in held.candidates.handles.tolist():
        assert set(held.candidates.provenance.names_of(handle)) - SOCIAL
    reasons = follow_recs.stats.snapshot()
    assert reasons["follow_recs/filter_and_take/reasons/producer_side_holdback"] > 0
    assert reasons["follow_recs/filter_and_take/reasons/candidate_side_holdback"] > 0
    assert len(plain.candidates) == params.RESULTS.default


@pytest.mark.parametrize(("family", "sources"), list(FAMILIES.items()))
async def test_a_family_of_sources_can_be_held_back(stores, follow_recs, family, sources):
    result = await follow_recs.process(viewer_of(stores, 1, params={params.FAMILY: family}, debug=DARK))
    assert set(result.candidates.provenance.names) == set(params.WEIGHTS) - LEARNED - sources


async def test_as_published_differs_from_ours_in_what_the_preset_says(stores, follow_recs):
    published = params.PRESETS["published"]
    viewer = viewer_of(stores, 1, params=published, debug=attrs.evolve(DARK, trace=True))
    result = await follow_recs.process(viewer)
    assert len(result.candidates) == 3
    assert result.trace.stages[5].name == "ranker"
    assert result.trace.stages[5].count_out == 100
    assert "logistic_ranker" not in {step.component for _, step in result.trace.steps}
    other = await follow_recs.process(attrs.evolve(viewer, request=attrs.evolve(viewer.request, seed=5)))
    assert other.candidates.ids.tolist() != result.candidates.ids.tolist()


def with_follows(stores, since):
    """The same stores, with other dates of the follows."""
    follows = Graph.build(
        stores.follows.sources,
        stores.follows.ends,
        since(len(stores.follows.ends)),
        shape=(len(stores.users), len(stores.users)),
    )
    return attrs.evolve(stores, graphs={**stores.graphs, FOLLOW: follows})


def test_dated_follows_are_learned_from_what_came_before_them(stores):
    times = stores.engagements.time_ms
    dated = with_follows(stores, lambda edges: np.linspace(times.min(), times.max(), edges).astype(np.int64))
    past = past_of(dated, 0.7, 0.9, np.random.default_rng(0))
    assert past.stores is dated
    assert past.next.time_ms.min() >= past.now_ms
    assert past.next.edges
    assert past.next.time_ms.max() < np.quantile(stores.engagements.time_ms, 0.9)


def test_undated_follows_are_hidden_and_found_again(stores):
    past = past_of(
        with_follows(stores, lambda edges: np.zeros(edges, np.int64)), 0.7, 0.9, np.random.default_rng(0)
    )
    pairs = [
        set(zip(graph.sources.tolist(), graph.ends.tolist(), strict=True))
        for graph in (past.stores.follows, past.next)
    ]
    every = set(zip(stores.follows.sources.tolist(), stores.follows.ends.tolist(), strict=True))
    assert pairs[0] | pairs[1] == every
    assert not pairs[0] & pairs[1]
    assert len(pairs[1]) == pytest.approx(0.3 * len(every), rel=0.1)
    assert not {(other, one) for one, other in pairs[1]} & pairs[0]  # both directions are hidden together


def test_training_is_a_function_of_the_seed(stores):
    models = [anyio.run(train, stores, Params.of({}), Training(requests=40, seed=seed)) for seed in (1, 1, 2)]
    assert np.array_equal(models[0].coefficients, models[1].coefficients)
    assert not np.array_equal(models[0].coefficients, models[2].coefficients)
    assert models[0].feature_names == tuple(key.name for key in INPUTS)


def test_the_second_head_learns_what_comes_of_a_follow(stores):
    undated = with_follows(stores, lambda edges: np.zeros(edges, np.int64))
    engagement = anyio.run(train_engagement, undated, Params.of({}), Training(requests=60))
    assert engagement.feature_names == tuple(key.name for key in INPUTS)
    again = anyio.run(train_engagement, undated, Params.of({}), Training(requests=60))
    assert np.array_equal(engagement.coefficients, again.coefficients)
    silent = attrs.evolve(stores, graphs={FOLLOW: stores.follows})
    assert anyio.run(train_engagement, silent, Params.of({}), Training(requests=60)) is None


async def test_what_engagement_is_worth_changes_the_order(stores, follow_model):
    undated = with_follows(stores, lambda edges: np.zeros(edges, np.int64))
    engagement = await train_engagement(undated, Params.of({}), Training(requests=60))
    ranker = TwoHeads(LogisticRanker(follow_model, INPUTS, Account.score), engagement, params.ENGAGEMENT)
    both = FollowRecs(stores, ranker)
    answers = [
        (await both.process(viewer_of(stores, 1, params={params.ENGAGEMENT: weight}, debug=DARK))).candidates
        for weight in (0.0, 100.0)
    ]
    assert answers[0].ids.tolist() == GOLDEN
    assert answers[1].ids.tolist() != GOLDEN
    worth = [one[Account.follow_probability] * one[Account.engagement_probability] for one in answers]
    assert worth[1].sum() > worth[0].sum()


def test_without_follows_there_is_nothing_to_learn(stores):
    with pytest.raises(ValueError, match="follows, or interactions"):
        anyio.run(train, attrs.evolve(stores, graphs={}), Params.of({}))
