"""The test kit itself: laws hold for honest stages and catch dishonest ones, naming the law."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import subprocess
import sys
from ast import literal_eval

import anyio
import anyio.lowlevel
import numpy as np
import pytest
import trio
from hypothesis import Phase, find, given, settings

import mixer as m
from mixer.candidate_predicates import DropAll, KeepAll
from mixer.predicates import Always, Never
from mixer.rankers import KeepOrder
from mixer.run import Step
from mixer.testing import (
    FakeClock,
    LawError,
    batches,
    check_conservation,
    check_laws,
    failing,
    hanging,
    laws_of,
    recording,
    requests,
    row_predicates,
)
from mixer.transforms import Identity


class Post(m.Candidate):
    author_id = m.column(np.int64)
    score = m.column(np.float32, default=np.nan)


TARGET = m.Target(request=m.Request(now_ms=1_000_000, seed=3))
POSTS = batches(Post)


@m.hydrator(writes=(Post.score,))
def score(target, posts):
    return {Post.score: (posts.ids % 7).astype(np.float32)}


HONEST = [
    KeepAll(),
    DropAll("x"),
    m.candidate_predicate(reason="odd")(lambda target, posts: posts.ids % 2 == 0),
    m.candidate_predicate(reason="odd")(lambda t, posts: posts.ids % 2 == 0).and_then(
        DropAll().gate(Never())
    ),
    m.all_of(KeepAll(), DropAll("a"), DropAll("b")),
    m.EveryTarget(Never("closed")),
    score,
    m.SortBy(Post.author_id),
    m.SortBy(Post.score).reverse(),
    m.chain(m.Truncate(3), m.SortBy(Post.id)),
    KeepOrder(),
    Identity(),
    m.Deduplicate(),
    m.Truncate(2),
    m.ranker(lambda target, posts: posts.take(target.request.rng("shuffle").permutation(len(posts)))),
]


@pytest.mark.parametrize("stage", HONEST, ids=lambda stage: stage.name)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_shipped_stages_keep_their_laws(stage, backend):
    check_laws(stage, target=TARGET, batches=POSTS, examples=25, backend=backend)


def test_sources_and_target_predicates_need_no_batches():
    check_laws(
        m.candidate_source(lambda t: m.Candidates(Post, {Post.id: [1], Post.author_id: [2]})), target=TARGET
    )
    check_laws(Always(), target=requests().map(lambda request: m.Target(request=request)))
    with pytest.raises(TypeError, match="needs batches"):
        check_laws(KeepAll(), target=TARGET)
    with pytest.raises(TypeError, match="stage that has laws"):
        laws_of(m.side_effect(lambda target, result: None))


class Sneaky(m.Transform):
    """Says it only annotates."""

    def __init__(self, change):
        self.change = change

    def transform(self, target, candidates):
        return self.change(candidates)


def rewriting(change, traits):
    return m.transform(traits=traits)(lambda target, posts: change(posts))


def build_anew(posts):
    return m.Candidates(Post, {key: np.asarray(posts[key]) for key in posts.present})


counter = itertools.count()
UNSEEDED = np.random.default_rng()
DISHONEST = [
    (m.candidate_predicate(reason="x")(lambda t, posts: np.arange(len(posts)) < 1), "batching never changes an answer"),
    (m.candidate_predicate(reason="x")(lambda t, posts: posts.ids * len(posts) < posts.ids.sum()), "batching never changes an answer"),
    (m.candidate_predicate(reason="x")(lambda t, posts: np.ones(len(posts) + 1, bool)), "one verdict a row"),
    (m.candidate_predicate(reason="x")(lambda t, posts: np.full(len(posts), next(counter) % 2 == 0)), "answer"),
    (m.hydrator(writes=(Post.score,))(lambda t, posts: {}), "exactly the declared columns"),
    (m.hydrator(writes=(Post.score,))(lambda t, posts: {Post.score: UNSEEDED.random(len(posts))}), "same request"),
    (m.ranker(lambda t, posts: posts.head(1)), "without the DROPS trait"),
    (m.ranker(lambda t, posts: m.Candidates.concat([posts, posts])), "added or repeated"),
    (m.ranker(lambda t, posts: build_anew(posts)), "built anew"),
    (m.ranker(lambda t, posts: posts.take(UNSEEDED.permutation(len(posts)))), "same request"),
    (Sneaky(lambda posts: posts.sort(Post.id)), "without the REORDERS trait"),
    (Sneaky(lambda posts: posts.head(1)), "without the DROPS trait"),
    (rewriting(lambda posts: posts.with_columns({Post.score: posts.ids}), m.Trait.DROPS), "without the ANNOTATES trait"),
    (m.candidate_source(lambda t: [1]), "answers with candidates"),
    (m.predicate()(lambda t: m.PredicateResult(valid=True, reasons=frozenset({"x"}))), "valid, yet for"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("stage", "law"), DISHONEST, ids=[f"{n}-{law}" for n, (_, law) in enumerate(DISHONEST)]
)
def test_dishonest_stages_are_caught(stage, law):
    target = TARGET
    with pytest.raises(Exception, match=law) as caught:
        check_laws(stage, target=target, batches=batches(Post, overrides={Post.id: (0, 9)}), examples=100)
    assert "ruff" not in str(caught.value)


def test_a_stage_that_writes_into_its_input_is_caught():
    class Writes(m.Ranker):
        def rank(self, target, candidates):
            raw = candidates._fresh or candidates._layers[0][0]  # past the read-only views
            raw[Post.author_id][:] = raw[Post.author_id][:] + 1
            return candidates

    with pytest.raises(LawError, match="the input is not changed"):
        check_laws(Writes(), target=TARGET, batches=batches(Post, min_size=1), examples=50)


ONE_POST = m.Candidates(Post, {Post.id: [1], Post.author_id: [2]})
LEFT_BEHIND = []
CANCELLED = (asyncio.CancelledError, trio.Cancelled)


@m.candidate_source
async def shielded(target):
    with anyio.CancelScope(shield=True):
        await anyio.lowlevel.checkpoint()
    return ONE_POST


@m.ranker
async def stubborn(target, posts):
    for _ in range(1_000):
        with contextlib.suppress(Exception, *CANCELLED):
            await anyio.lowlevel.checkpoint()
    return posts


@m.candidate_source
async def patient(target):
    await anyio.lowlevel.checkpoint()
    return ONE_POST


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("stage", [shielded, stubborn], ids=lambda stage: stage.name)
def test_a_stage_that_answers_although_it_was_cancelled_is_caught(stage, backend):
    with pytest.raises(LawError, match="lets itself be cancelled"):
        check_laws(stage, target=TARGET, batches=POSTS, examples=5, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_waiting_alone_breaks_no_law(backend):
    check_laws(patient, target=TARGET, examples=5, backend=backend)


def test_a_stage_that_leaves_a_task_behind_is_caught():
    async def leaky(target, posts):
        LEFT_BEHIND.append(asyncio.get_running_loop().create_task(asyncio.sleep(1_000), name="left-behind"))
        return posts

    with pytest.raises(LawError, match="still running: left-behind"):
        check_laws(m.ranker(leaky), target=TARGET, batches=POSTS, examples=5)


def test_a_hydrator_that_looks_at_other_rows_or_places_is_caught():
    def places(target, posts):
        return {Post.score: np.arange(len(posts), dtype=np.float32)}

    def shares(target, posts):
        return {Post.score: (posts.ids / max(posts.ids.sum(), 1)).astype(np.float32)}

    for function in (places, shares):
        with pytest.raises(LawError, match="each row for itself"):
            check_laws(m.hydrator(writes=(Post.score,))(function), target=TARGET, batches=POSTS, examples=50)


def test_scores_that_are_not_numbers_are_caught_where_one_asks():
    half = m.ranker(lambda target, posts: posts.with_columns({Post.score: np.log(posts.ids - 1.0)}))
    with pytest.raises(LawError, match="scores are numbers"), np.errstate(all="ignore"):
        check_laws(half, target=TARGET, batches=POSTS, scores=[Post.score], examples=50)
    lost = m.candidate_source(lambda target: ONE_POST.with_columns({m.Candidate.source_score: [np.nan]}))
    with pytest.raises(LawError, match="a source_score is NaN"):
        check_laws(lost, target=TARGET)


def test_a_failure_of_several_kinds_is_one_error_and_can_be_seen_again():
    def wrong_in_two_ways(target, posts):
        return np.full(len(posts) if len(posts) < 4 else 1, len(posts) < 3)

    stage = m.candidate_predicate(reason="x")(wrong_in_two_ways)
    with pytest.raises(LawError) as caught:
        check_laws(stage, target=TARGET, batches=POSTS, examples=200)
    told = "".join(caught.value.__notes__)
    version, blob = re.search(r"@reproduce_failure\('([^']+)', (b'[^']+')\)", told).groups()
    with pytest.raises(LawError, match="wrong_in_two_ways"):
        check_laws(stage, target=TARGET, batches=POSTS, reproduce=(version, literal_eval(blob)))


def test_a_failure_shows_the_smallest_batch():
    over = m.candidate_predicate(reason="x")(lambda target, posts: np.full(len(posts), len(posts) < 3))
    with pytest.raises(LawError) as caught:
        check_laws(over, target=TARGET, batches=POSTS, examples=200)
    assert caught.value.law == "batching never changes an answer"
    assert "batch: 3 rows" in str(caught.value)


class TestStrategies:
    def test_batches_reach_every_shape_a_flow_can_see(self):
        quick = settings(max_examples=500, database=None, phases=[Phase.generate])  # any will do
        find(POSTS, lambda batch: len(batch) == 0, settings=quick)
        find(POSTS, lambda batch: len(batch) > 1 and not batch.has(Post.score), settings=quick)
        find(
            POSTS,
            lambda batch: batch.has(Post.score) and bool(np.isnan(batch[Post.score]).any()),
            settings=quick,
        )
        find(POSTS, lambda batch: len(set(batch.ids.tolist())) < len(batch), settings=quick)
        find(POSTS, lambda batch: bool(batch._layers), settings=quick)
        find(POSTS, lambda batch: len(batch) > 0 and len(batch.provenance.names) > 1, settings=quick)

    @given(batches(Post, min_size=1, overrides={Post.author_id: (5, 6)}, unique_ids=True, stamped=False))
    def test_overrides_bound_values(self, batch):
        assert len(batch) >= 1
        assert set(batch[Post.author_id].tolist()) <= {5, 6}
        assert len(set(batch.ids.tolist())) == len(batch)
        assert batch.provenance is None

    def test_row_predicates_keep_everything_nothing_and_some(self):
        rows = m.Candidates(Post, {Post.id: np.arange(10), Post.author_id: np.arange(10)})
        for wanted in (0, 10, 5):
            find(row_predicates(), lambda one, wanted=wanted: int(one.check(None, rows).keep.sum()) == wanted)


class TestDoubles:
    @pytest.mark.parametrize(
        "stage", [*HONEST[:1], HONEST[6], HONEST[7], HONEST[11], Always()], ids=lambda s: s.name
    )
    def test_a_double_keeps_kind_and_name(self, stage):
        for double in (failing(stage), hanging(stage), recording(stage)[0]):
            assert double.name == stage.name
            assert type(double).__mro__[2] in type(stage).__mro__

    def test_only_stages_have_doubles(self):
        with pytest.raises(TypeError, match="expected a stage, got int"):
            failing(3)

    def test_the_clock_moves_only_when_told(self):
        clock = FakeClock()
        assert (clock(), clock.now_ms) == (0.0, 1_700_000_000_000)
        clock.advance(1.5)
        assert clock.request(seed=4).now_ms == 1_700_000_001_500
        with pytest.raises(ValueError, match="at least 0"):
            clock.advance(-1)


async def test_conservation_notices_a_row_that_vanished():
    class Flow(m.RecommendationFlow[m.Target, Post]):
        def candidate_sources(self, target):
            return [
                m.candidate_source(lambda t: m.Candidates(Post, {Post.id: [1, 2], Post.author_id: [1, 2]}))
            ]

        def results_config(self, target):
            return m.ResultsConfig(5)

        def select_ranker(self, target):
            return m.SortBy(Post.id)

    result = await Flow().process(m.Target(request=m.Request(debug=m.DebugOptions(trace=True))))
    assert check_conservation(result) == {"shown": 2}
    stage, step = result.trace.run.steps[1]
    result.trace.run.steps[1] = (stage, Step(step.component, step.before.head(1), step.after.head(1)))
    with pytest.raises(AssertionError, match="rows vanished before it"):
        check_conservation(result)
    with pytest.raises(AssertionError, match="needs DebugOptions"):
        check_conservation(await Flow().process(m.Target()))


def test_importing_mixer_loads_nothing_heavy():
    code = "import sys, mixer; print(sorted({'torch', 'pyarrow', 'hypothesis', 'structlog', 'scipy'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
