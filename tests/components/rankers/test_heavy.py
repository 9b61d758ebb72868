from __future__ import annotations

import anyio
import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.features.declared import Asked
from components.models.heavy_ranker.rows import Rows
from components.models.light_trees import LightTrees
from components.models.logistic import LogisticRegression
from components.models.runner import BatchLimits, serving
from components.models.weighted_score import APRIL_2023, AUGUST_2026, WeightSet, good_click
from components.rankers.heavy import AUGUST_NAMES, HeavyRanker, Threaded, UnderLoad, on_recap_heads
from components.rankers.light import LightRanker, PreRank
from components.stores.graph import Graph
from components.stores.ids import IdIndex
from components.stores.posts import PostStore
from components.stores.stores import FOLLOW, Stores
from components.stores.types import Post, Viewer
from mixer import Candidates, Request, Target
from mixer.rankers import KeepOrder, ranker

HEADS = ("is_favorited", "is_replied", "is_report_tweet_clicked")
INPUTS = (Post.age_h, Post.author_followers)


@attrs.frozen
class Known:
    """As much of a history as the ranker reads."""

    row: int = 0
    now_ms: int = 10


@attrs.frozen
class Features:
    """One column: the post's row."""

    def rows(self, asked: Asked) -> Rows:
        return Rows(asked.post[:, None].astype(np.float32), np.empty((len(asked), 0), np.float32))


@attrs.frozen
class Model:
    """Likes grow with the row, replies shrink; row 3 is reported."""

    shift: float = 0.0

    def probabilities(self, rows):
        x = rows.continuous[:, 0]
        return np.stack([x / 100 + self.shift, 0.5 - x / 500, (x == 3) * 0.9], axis=1).astype(np.float32)


class BrokenModel:
    def probabilities(self, rows):
        raise RuntimeError("no such weights")


def viewer(**request):
    return Viewer(1, known=Known(), request=Request(now_ms=10, **request))


def posts(rows):
    return Candidates(Post, {Post.id: np.array(rows), Post.row: np.array(rows)})


def heavy(model=None, weights=APRIL_2023):
    return HeavyRanker(Features(), Threaded(model or Model()), HEADS, weights)


def run(stage, target, batch):
    async def ranked():
        return await stage.rank(target, batch)

    return anyio.run(ranked)


@ranker
def light(target, candidates):
    return candidates.pick(np.argsort(candidates.ids))


def test_the_score_is_the_weighted_sum_with_the_published_offset():
    ranked = run(heavy(), viewer(), posts([3, 10, 20]))
    scores = dict(zip(ranked.ids.tolist(), ranked[Post.score].tolist(), strict=True))
    assert scores[10] == pytest.approx(0.5 * 0.10 + 13.5 * 0.48 + 0.001)
    net = 0.5 * 0.03 + 13.5 * 0.494 - 369.0 * 0.9
    assert scores[3] == pytest.approx((net + 443.0) / 566.005 * 0.001)
    assert ranked.ids.tolist() == [10, 20, 3]


def test_a_score_does_not_depend_on_the_other_candidates():
    rows = [5, 3, 40, 7, 90]
    together = run(heavy(), viewer(), posts(rows))
    scores = dict(zip(together.ids.tolist(), together[Post.score].tolist(), strict=True))
    for row in rows:
        assert run(heavy(), viewer(), posts([row]))[Post.score].tolist() == [scores[row]]


def test_no_candidates_need_no_model():
    assert len(run(heavy(BrokenModel()), viewer(), posts([]))) == 0


def test_the_terms_and_the_offset_add_up_to_the_score():
    ranking = heavy()
    probabilities = Model().probabilities(Features().rows(Asked.one(0, 1, np.arange(9))))
    scored = ranking.combine(viewer(), posts(range(9)), probabilities)
    total = sum(scored.terms.values())
    np.testing.assert_allclose(total, scored.net)
    assert set(scored.terms) == set(HEADS)


def test_weights_may_depend_on_the_request():
    def chosen(target):
        return WeightSet("likes", {"is_favorited": 1.0 if target.user_id == 1 else -1.0})

    ranked = run(heavy(weights=chosen), viewer(), posts([3, 10, 20]))
    assert ranked.ids.tolist() == [20, 10, 3]


def test_the_value_of_a_conversation_click_is_the_larger_of_its_heads():
    heads = ("is_good_clicked_convo_desc_favorited_or_replied", "is_good_clicked_convo_desc_v2")
    probabilities = np.array([[0.1, 0.3], [0.4, 0.2]], np.float32)
    scored = HeavyRanker(Features(), Threaded(Model()), heads).combine(viewer(), posts([0, 1]), probabilities)
    expected = 11.0 * good_click(*probabilities.T) + 10.0 * probabilities[:, 1]
    np.testing.assert_allclose(scored.net, expected)


def test_the_weights_of_2026_apply_where_a_head_has_a_counterpart():
    weights = on_recap_heads(AUGUST_2026)
    assert weights.weights["is_favorited"] == 0.5
    assert weights.weights["is_replied"] == 5.0
    assert weights.weights["is_report_tweet_clicked"] == -234.0
    assert set(AUGUST_NAMES) < set(APRIL_2023.weights)
    assert on_recap_heads(APRIL_2023) is APRIL_2023


def test_the_light_ranker_answers_under_load_and_the_result_could_say_so():
    guarded = UnderLoad(heavy(), light)
    assert run(guarded, viewer(quality_factor=0.31), posts([20, 10])).ids.tolist() == [10, 20]
    # the heavy order of these two differs from the light one's
    swapped = run(guarded, viewer(quality_factor=1.0), posts([3, 10]))
    assert swapped.ids.tolist() == [10, 3]
    assert run(guarded, viewer(quality_factor=0.3), posts([10, 3])).ids.tolist() == [3, 10]


def test_the_light_ranker_answers_when_no_time_is_left():
    past = viewer(deadline=0.0)
    assert run(UnderLoad(heavy(), light), past, posts([10, 3])).ids.tolist() == [3, 10]


def test_the_light_ranker_answers_for_a_model_that_fails():
    ranked = run(UnderLoad(heavy(BrokenModel()), light), viewer(), posts([10, 3]))
    assert ranked.ids.tolist() == [3, 10]


def test_a_new_checkpoint_is_served_without_a_pause():
    async def both():
        async with serving(Model(), BatchLimits(max_wait_s=0.0)) as runner:
            ranking = HeavyRanker(Features(), runner, HEADS)
            before = await ranking.rank(viewer(), posts([10]))
            await runner.swap(Model(shift=0.5))
            after = await ranking.rank(viewer(), posts([10]))
            return before[Post.score][0], after[Post.score][0]

    before, after = anyio.run(both)
    assert after - before == pytest.approx(0.25)


def test_concurrent_requests_get_the_answers_they_would_get_alone():
    answers = {}

    async def ask(ranking, row):
        answers[row] = (await ranking.rank(viewer(), posts([row, 3]))).ids.tolist()

    async def together():
        async with serving(Model()) as runner, anyio.create_task_group() as group:
            for row in range(10, 20):
                group.start_soon(ask, HeavyRanker(Features(), runner, HEADS), row)

    anyio.run(together)
    assert answers == {row: [row, 3] for row in range(10, 20)}


# --- the light ranker


def observed(rows=600):
    rng = np.random.default_rng(0)
    features = rng.gamma(1.0, 1.0, (rows, 2))
    labels = rng.random(rows) < 1 / (1 + np.exp(4 * (features[:, 0] - 1.0) * (features[:, 1] - 1.0)))
    return features, labels


NAMES = [key.name for key in INPUTS]


def test_trees_learn_what_a_line_cannot():
    features, labels = observed(3000)
    trees = LightTrees.fit(features[:2000], labels[:2000], feature_names=NAMES)
    line = LogisticRegression().fit(features[:2000], labels[:2000])
    later, truth = features[2000:], labels[2000:].astype(bool)

    def gap(model):
        p = model.predict_proba(later)
        return p[truth].mean() - p[~truth].mean()

    assert gap(trees) > 2 * gap(line)


def test_contributions_of_trees_add_up_and_equal_the_library():
    from sklearn.ensemble import GradientBoostingClassifier

    features, labels = observed()
    trees = LightTrees.fit(features, labels, trees=5, depth=3, seed=3)
    theirs = GradientBoostingClassifier(
        n_estimators=5, max_depth=3, learning_rate=0.15, subsample=0.5, min_samples_leaf=30, random_state=3
    ).fit(features, labels)
    np.testing.assert_allclose(trees.logits(features), theirs.decision_function(features), rtol=1e-6)
    total = trees.contributions(features).sum(axis=1) + trees.intercept
    np.testing.assert_allclose(total, trees.logits(features))


def test_trees_survive_a_file_and_other_files_are_refused(tmp_path):
    features, labels = observed()
    trees = LightTrees.fit(features, labels, trees=3, feature_names=NAMES)
    trees.save(tmp_path / "trees.npz")
    again = LightTrees.load(tmp_path / "trees.npz")
    np.testing.assert_array_equal(again.predict_proba(features), trees.predict_proba(features))
    assert again.feature_names == trees.feature_names
    (tmp_path / "other").write_bytes(b"no archive")
    with pytest.raises(ValueError, match="archive of format mixer-light-trees"):
        LightTrees.load(tmp_path / "other")


def hydrated(ages):
    count = len(ages)
    columns = {
        Post.id: np.arange(count),
        Post.age_h: np.array(ages, np.float32),
        Post.author_followers: np.full(count, np.nan, np.float32),
    }
    return Candidates(Post, columns)


def test_the_light_ranker_sorts_by_either_model_and_keeps_what_the_load_allows():
    features, labels = observed()
    for model in (
        LightTrees.fit(features, labels, feature_names=NAMES),
        LogisticRegression().fit(features, labels, feature_names=NAMES),
    ):
        ranking = LightRanker(model, INPUTS, Post.score)
        ranked = ranking.rank(None, hydrated(np.linspace(0, 5, 20)))
        assert (np.diff(ranked[Post.score]) <= 0).all()
        for quality, kept in ((1.0, 10), (0.5, 5), (0.1, 3)):
            target = Target(request=Request(quality_factor=quality))

            async def cut(target=target, ranking=ranking):
                return await PreRank(ranking, 10).transform(target, hydrated(np.linspace(0, 5, 20)))

            assert anyio.run(cut).ids.tolist() == ranked.ids[:kept].tolist()


def test_a_model_of_other_features_is_refused():
    features, labels = observed()
    with pytest.raises(ValueError, match="light ranker"):
        LightRanker(LightTrees.fit(features, labels, trees=1), INPUTS, Post.score)


def test_the_order_may_be_kept_instead():
    batch = hydrated([1, 2])

    async def cut():
        return await PreRank(KeepOrder(), 1, 1.0).transform(Target(), batch)

    assert anyio.run(cut).ids.tolist() == [0]


# -- what weights of 2026 depend on


@st.composite
def worlds(draw):
    """Up to 8 posts with videos, replies and reposts; the viewer's followers; whom is followed back."""
    count = draw(st.integers(1, 8))
    return {
        "video_ms": draw(
            st.lists(st.sampled_from([0, 9_999, 10_000, 10_001]), min_size=count, max_size=count)
        ),
        "reply_to": [draw(st.sampled_from([-1, -1, *range(at)])) for at in range(count)],
        "repost_of": [draw(st.sampled_from([-1, -1, *range(at)])) for at in range(count)],
        "mutual": draw(st.lists(st.booleans(), min_size=count, max_size=count)),
        "followers": draw(st.sampled_from([0, 9_999, 10_000])),
    }


def asked(world):
    """A viewer of a small store in which nobody but the viewer is followed, and all its posts."""
    count, followers = len(world["video_ms"]), world["followers"]
    users = IdIndex(np.arange(followers + 1))
    traits = {name: np.array(world[name]) for name in ("video_ms", "reply_to", "repost_of")}
    store = PostStore.build(users, np.arange(count), np.zeros(count, int), np.zeros(count, int), **traits)
    fans = np.arange(1, followers + 1)
    follows = Graph.build(fans, np.zeros(followers, int), shape=(followers + 1, followers + 1))
    stores = Stores(users, np.full(len(users), "", object), store, {FOLLOW: follows}, 10)
    target = Viewer(0, known=stores.history(0, 10), request=Request(now_ms=10))
    return target, posts(range(count)).with_columns({Post.mutual_follow: np.array(world["mutual"])})


@given(worlds())
def test_video_views_and_replies_count_as_a_naive_reading_of_the_rules_says(world):
    heads = ("is_replied", "is_video_playback_50")
    target, batch = asked(world)
    probabilities = np.full((len(batch), 2), 0.1, np.float32)
    ranking = HeavyRanker(Features(), Threaded(Model()), heads, on_recap_heads(AUGUST_2026))
    terms = ranking.combine(target, batch, probabilities).terms
    for at in range(len(batch)):
        reposted = world["repost_of"][at]
        long_video = world["video_ms"][reposted if reposted >= 0 else at] > 10_000
        counts = long_video and world["followers"] < 10_000
        original = reposted < 0 and world["reply_to"][at] < 0
        boosted = world["mutual"][at] and original
        assert terms["is_video_playback_50"][at] == pytest.approx(0.05 * 0.1 if counts else 0.0)
        assert terms["is_replied"][at] == pytest.approx(0.1 * (20.0 if boosted else 5.0))


def test_the_golden_reply_of_a_mutual_follow_is_worth_two():
    world = {"video_ms": [0], "reply_to": [-1], "repost_of": [-1], "mutual": [True], "followers": 3}
    weights = on_recap_heads(AUGUST_2026)
    for mutual, expected in ((True, 2.0), (False, 0.5)):
        target, batch = asked({**world, "mutual": [mutual]})
        ranking = HeavyRanker(Features(), Threaded(Model()), ("is_replied",), weights)
        scored = ranking.combine(target, batch, np.array([[0.1]], np.float32))
        assert scored.net[0] == pytest.approx(expected)
        assert scored.score[0] == pytest.approx(expected + 0.001)


def test_weights_of_2023_know_neither_gate_nor_boost():
    assert (APRIL_2023.mutual_boosts, APRIL_2023.video_gated) == ({}, frozenset())
    weights = on_recap_heads(AUGUST_2026)
    assert weights.mutual_boosts == {"is_replied": 15.0}
    assert weights.video_gated == {"is_video_playback_50"}
