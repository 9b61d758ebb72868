from __future__ import annotations

import math

import ir_measures
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, Success, nDCG
from sklearn.metrics import ndcg_score

from components.evaluation import (
    InvalidInputError,
    Truth,
    average_precision_at,
    hit_rate,
    judge,
    judge_lists,
    mean_over_users,
    ndcg,
    precision,
    ranking_metrics,
    ranks_from_scores,
    recall,
    reciprocal_rank,
    user_metrics,
)

ITEMS = st.integers(0, 30)
LISTS = st.dictionaries(st.integers(0, 5), st.lists(ITEMS, unique=True, max_size=12), min_size=1, max_size=6)
GRADES = st.dictionaries(ITEMS, st.integers(0, 4), max_size=12)
TRUTHS = st.dictionaries(st.integers(0, 5), GRADES, min_size=1, max_size=6)
DEPTHS = st.integers(1, 15)
METRICS = (ndcg, precision, recall, reciprocal_rank, hit_rate, average_precision_at)


def trec_values(measure, lists, relevant, users):
    """Per-user values of an independent library; it leaves out users without a list, who get 0."""
    qrels = [
        ir_measures.Qrel(str(user), str(item), grade)
        for user in users
        for item, grade in relevant[user].items()
    ]
    run = [
        ir_measures.ScoredDoc(str(user), str(item), float(-position))
        for user in users
        for position, item in enumerate(lists.get(user, ()))
    ]
    found = (
        {metric.query_id: metric.value for metric in ir_measures.iter_calc([measure], qrels, run)}
        if run
        else {}
    )
    return np.array([found.get(str(user), 0.0) for user in users])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (ndcg, lambda k: nDCG @ k),
        (precision, lambda k: P @ k),
        (recall, lambda k: R @ k),
        (reciprocal_rank, lambda k: RR @ k),
        (hit_rate, lambda k: Success @ k),
        (average_precision_at, lambda k: AP @ k),
    ],
    ids=["ndcg", "precision", "recall", "mrr", "hit", "map"],
)
@given(lists=LISTS, relevant=TRUTHS, k=DEPTHS)
def test_ranking_metric_agrees_with_ir_measures(ours, theirs, lists, relevant, k):
    judged = judge_lists(lists, relevant)
    users = [user for user in judged.users.tolist() if any(relevant.get(user, {}).values())]
    assume(users)
    expected = trec_values(theirs(k), lists, relevant, users)
    np.testing.assert_allclose(ours(judged, k)[np.isin(judged.users, users)], expected, rtol=0, atol=1e-9)


@given(LISTS, TRUTHS, DEPTHS)
def test_exponential_gain_is_linear_gain_of_powers_of_two(lists, relevant, k):
    powers = {
        user: {item: 2**grade - 1 for item, grade in grades.items()} for user, grades in relevant.items()
    }
    exponential = ndcg(judge_lists(lists, relevant), k, gain="exponential")
    np.testing.assert_allclose(exponential, ndcg(judge_lists(lists, powers), k), rtol=0, atol=1e-12)


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-9, 9)), min_size=2, max_size=20), DEPTHS)
def test_ndcg_agrees_with_scikit_learn_on_untied_scores(rows, k):
    grades, scores = np.array(rows).T
    assume(len(set(scores)) == len(scores) and grades.any())
    order = np.argsort(-scores)
    judged = judge_lists({0: order.tolist()}, {0: dict(enumerate(grades))})
    assert ndcg(judged, k)[0] == pytest.approx(ndcg_score([grades], [scores], k=k), abs=1e-9)


@given(LISTS, TRUTHS, DEPTHS)
def test_users_without_relevant_items_are_undefined_in_every_metric(lists, relevant, k):
    judged = judge_lists(lists, relevant)
    nothing = [not any(relevant.get(user, {}).values()) for user in judged.users.tolist()]
    for metric in METRICS:
        np.testing.assert_array_equal(np.isnan(metric(judged, k)), nothing)


@given(LISTS, TRUTHS, DEPTHS)
def test_reachable_map_divides_by_what_k_positions_can_hold(lists, relevant, k):
    judged = judge_lists(lists, relevant)
    scale = judged.relevant_count / np.minimum(judged.relevant_count, k).clip(1)
    reachable = average_precision_at(judged, k, best="reachable")
    np.testing.assert_allclose(reachable, average_precision_at(judged, k) * scale, atol=1e-12)


@given(TRUTHS, DEPTHS)
def test_the_ideal_list_scores_one(relevant, k):
    best = {user: sorted(grades, key=lambda item: -grades[item]) for user, grades in relevant.items()}
    judged = judge_lists(best, relevant)
    defined = judged.relevant_count > 0
    for values in (
        ndcg(judged, k),
        reciprocal_rank(judged, k),
        average_precision_at(judged, k, best="reachable"),
    ):
        np.testing.assert_allclose(values[defined], 1.0, atol=1e-12)


@given(LISTS, TRUTHS, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_gaps_in_ranks_never_matter(lists, relevant, random):
    rows = [(user, item, rank) for user, items in lists.items() for rank, item in enumerate(items)]
    random.shuffle(rows)
    user, item, rank = (
        (np.array(column, np.int64) for column in zip(*rows, strict=True)) if rows else ((), (), ())
    )
    flat = judge(user, item, np.asarray(rank) * 7.5 - 3, Truth.of(relevant), served=[*lists, *relevant])
    for name, values in ranking_metrics(judge_lists(lists, relevant), (3, 10)).items():
        np.testing.assert_array_equal(ranking_metrics(flat, (3, 10))[name], values)


@given(
    st.dictionaries(st.integers(-(2**63), 2**63 - 1), st.sets(st.integers(-(2**63), 2**63 - 1)), max_size=4)
)
def test_ids_over_the_whole_int64_range_are_told_apart(relevant):
    judged = judge_lists({user: sorted(items) for user, items in relevant.items()}, relevant)
    assert judged.ranked.value.all()
    assert len(judged.ranked.value) == sum(map(len, relevant.values()))


def test_published_worked_example_of_ndcg():
    # Grades 3, 2, 3, 0, 1, 2 in ranked order: the textbook example of Järvelin and Kekäläinen's measure.
    grades = [3, 2, 3, 0, 1, 2]
    judged = judge_lists({1: range(6)}, {1: dict(enumerate(grades))})
    dcg = sum(grade / math.log2(position + 2) for position, grade in enumerate(grades))
    assert dcg == pytest.approx(6.861, abs=5e-4)
    assert ndcg(judged, 6)[0] == pytest.approx(0.961, abs=5e-4)


def test_an_empty_list_scores_zero_and_counts_in_the_mean():
    judged = judge_lists({1: [7], 2: []}, {1: {7}, 2: {7}})
    assert {name: mean_over_users(v) for name, v in ranking_metrics(judged, (1,)).items()} == dict.fromkeys(
        ("ndcg@1", "precision@1", "recall@1", "mrr@1", "hit@1", "map@1"), 0.5
    )


def test_a_user_who_only_has_relevant_items_counts_as_served_nothing():
    judged = judge([1], [7], [0], Truth([1, 2], [7, 7]))
    assert recall(judged, 5).tolist() == [1.0, 0.0]


def test_served_users_without_anything_stay_in_the_result():
    assert judge([], [], [], Truth([], []), served=[4, 2]).users.tolist() == [2, 4]


def test_one_user_without_relevant_items_gives_nan_everywhere():
    assert all(math.isnan(value) for value in user_metrics([1, 2], set()).values())


def test_no_user_gives_no_mean():
    assert math.isnan(mean_over_users(ndcg(judge_lists({}, {}), 5)))


def test_equal_scores_are_ranked_by_item_id():
    ranks = ranks_from_scores([1, 1, 1, 2], [0.5, 0.5, 0.9, 0.1], [30, 20, 40, 10])
    assert ranks.tolist() == [2, 1, 0, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: judge([1, 1], [5, 5], [0, 1], Truth([], [])), "user 1 has item 5 twice"),
        (lambda: judge([1, 1], [5, 6], [0, 0], Truth([], [])), r"user 1 has 0\.0 twice"),
        (lambda: judge([1], [5, 6], [0, 1], Truth([], [])), "user 1, item 2, rank 2"),
        (lambda: judge([1.5], [5], [0], Truth([], [])), "user: expected integer ids, got dtype float64"),
        (
            lambda: judge([1], [5], [math.nan], Truth([], [])),
            "rank: expected finite numbers, row 0 holds nan",
        ),
        (lambda: judge([[1]], [5], [0], Truth([], [])), r"user: expected one dimension, got shape \(1, 1\)"),
        (lambda: Truth([1, 1], [5, 5]), "truth: .* user 1 has item 5 twice"),
        (lambda: Truth([1], [5], [-1.0]), r"truth gain: expected values >= 0, row 0 holds -1\.0"),
        (lambda: ndcg(judge_lists({}, {}), 0), "k: expected an integer >= 1, got 0"),
        (lambda: ndcg(judge_lists({}, {}), 1, gain="cubic"), "gain: expected 'linear' or 'exponential'"),
        (lambda: average_precision_at(judge_lists({}, {}), 1, best="x"), "best: expected 'relevant' or"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call()


def test_every_pair_finds_its_own_gain_among_many():
    rng = np.random.default_rng(2)
    pairs = rng.permutation([(user, item) for user in range(40) for item in range(15)])
    wanted = pairs[:300]
    truth = Truth(wanted[:, 0], wanted[:, 1], np.arange(1.0, 301.0))
    gain = {tuple(pair): float(index) for index, pair in enumerate(wanted.tolist(), start=1)}
    judged = judge(pairs[:, 0], pairs[:, 1], pairs[:, 1], truth)
    expected = [gain.get((user, item), 0.0) for user, item in sorted(pairs.tolist())]
    assert judged.ranked.value.tolist() == expected


def test_unsigned_ids_are_taken_when_they_fit():
    truth = Truth(np.array([3], np.uint64), np.array([4], np.uint32))
    assert recall(judge([3], [4], [0], truth), 1).tolist() == [1.0]
    with pytest.raises(InvalidInputError, match="truth user: ids must fit int64, got 18446744073709551615"):
        Truth(np.array([2**64 - 1], np.uint64), [4])
