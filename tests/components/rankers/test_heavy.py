from __future__ import annotations

import anyio
import attrs
import numpy as np
import pytest

from components.features.declared import Asked
from components.models.heavy_ranker.rows import Rows
from components.models.light_trees import LightTrees
from components.models.logistic import LogisticRegression
from components.models.runner import BatchLimits, serving
from components.models.weighted_score import APRIL_2023, AUGUST_2026, WeightSet, good_click
from components.rankers.heavy import AUGUST_NAMES, HeavyRanker, Threaded, UnderLoad, on_recap_heads
from components.rankers.light import LightRanker, PreRank
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
    scored = ranking.combine(viewer(), Model().probabilities(Features().rows(Asked.one(0, 1, np.arange(9)))))
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
    scored = HeavyRanker(Features(), Threaded(Model()), heads).combine(viewer(), probabilities)
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
    with pytest.raises(ValueError, match="archive of trees"):
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
