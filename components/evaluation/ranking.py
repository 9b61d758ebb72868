"""Ranking metrics: one value a user, averaged over the users for whom the metric is defined.

A user without a relevant item has no right answer to find, so every metric is NaN for them and the mean skips
them. A user with relevant items and an empty list gets 0. Lists shorter than k are not padded with hits:
precision divides by k.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from components.evaluation import _checks
from components.evaluation.errors import InvalidInputError
from components.evaluation.judged import Judged, Ragged, judge_lists

__all__ = [
    "average_precision_at",
    "hit_rate",
    "mean_over_users",
    "ndcg",
    "precision",
    "ranking_metrics",
    "recall",
    "reciprocal_rank",
    "user_metrics",
]

PerUser = NDArray[np.float64]


def precision(judged: Judged, k: int) -> PerUser:
    """Relevant items among the first k, divided by k; shape (U,)."""
    return _hits(judged, k) / _answerable(judged, k)


def recall(judged: Judged, k: int) -> PerUser:
    """Share of a user's relevant items found among the first k; shape (U,)."""
    return _hits(judged, k) / _answerable(judged, judged.relevant_count)


def hit_rate(judged: Judged, k: int) -> PerUser:
    """1 for users with a relevant item among the first k, else 0; shape (U,)."""
    return (_hits(judged, k) > 0) / _answerable(judged, 1)


def reciprocal_rank(judged: Judged, k: int) -> PerUser:
    """1 / position (from 1) of the first relevant item among the first k, else 0; shape (U,). Averages to MRR."""
    best = np.zeros(len(judged.users))
    hit = _top(judged.ranked, k) & (judged.ranked.value > 0.0)
    np.maximum.at(best, judged.ranked.owner[hit], 1.0 / (judged.ranked.position[hit] + 1))
    return best / _answerable(judged, 1)


def average_precision_at(
    judged: Judged, k: int, *, best: Literal["relevant", "reachable"] = "relevant"
) -> PerUser:
    """Mean of the precisions at each hit among the first k; shape (U,). Its mean is MAP@k.

    Args:
        judged: lists joined with the truth.
        k: how deep to look.
        best: the divisor. "relevant" divides by the number of relevant items (trec_eval), so a user with
            more than k of them cannot reach 1; "reachable" divides by min(k, relevant items).
    """
    ranked = judged.ranked
    hit = (_top(ranked, k) & (ranked.value > 0.0)).astype(np.float64)
    before = np.concatenate([[0.0], np.cumsum(hit)])
    list_start = np.arange(len(hit)) - ranked.position
    found = before[1:] - before[list_start]
    total = np.bincount(ranked.owner, hit * found / (ranked.position + 1), len(judged.users))
    if best not in ("relevant", "reachable"):
        raise InvalidInputError(f"best: expected 'relevant' or 'reachable', got {best!r}")
    most = judged.relevant_count if best == "relevant" else np.minimum(judged.relevant_count, k)
    return total / _answerable(judged, most)


def ndcg(judged: Judged, k: int, *, gain: Literal["linear", "exponential"] = "linear") -> PerUser:
    """Discounted gain of the first k over that of the best possible list; shape (U,).

    Discount: 1 / log2(1 + 1-based position). Gain: the grade itself (Järvelin and Kekäläinen 2002), or
    2^grade - 1 (Burges et al. 2005). Grades of 0 and 1 give the same answer either way.
    """
    best = _discounted(judged.ideal, k, gain, len(judged.users))
    return _discounted(judged.ranked, k, gain, len(judged.users)) / _answerable(judged, best)


def ranking_metrics(judged: Judged, ks: Iterable[int] = (10,)) -> dict[str, PerUser]:
    """All metrics at every k, as `{"ndcg@10": (U,), ...}`; precision, recall, hit, mrr, map, ndcg."""
    metrics = {
        "ndcg": ndcg,
        "precision": precision,
        "recall": recall,
        "mrr": reciprocal_rank,
        "hit": hit_rate,
        "map": average_precision_at,
    }
    return {f"{name}@{k}": metric(judged, k) for k in ks for name, metric in metrics.items()}


def user_metrics(
    items: Iterable[int], relevant: Iterable[int] | Mapping[int, float], k: int = 10
) -> dict[str, float]:
    """All metrics at k for one user's list.

    >>> user_metrics([5, 8], {8, 9}, k=2)["recall@2"]
    0.5
    """
    judged = judge_lists({0: list(items)}, {0: relevant})
    return {name: float(values[0]) for name, values in ranking_metrics(judged, (k,)).items()}


def mean_over_users(values: PerUser) -> float:
    """Mean over the users for whom the metric is defined; NaN when there is none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def _top(lists: Ragged, k: int) -> NDArray[np.bool_]:
    return lists.position < _checks.at_least(k, 1, "k")


def _hits(judged: Judged, k: int) -> PerUser:
    hit = _top(judged.ranked, k) & (judged.ranked.value > 0.0)
    return np.bincount(judged.ranked.owner[hit], minlength=len(judged.users)).astype(np.float64)


def _answerable(judged: Judged, divisor: NDArray[np.generic] | float) -> PerUser:
    return np.where(judged.relevant_count > 0, divisor, np.nan)


def _discounted(lists: Ragged, k: int, gain: str, users: int) -> PerUser:
    if gain not in ("linear", "exponential"):
        raise InvalidInputError(f"gain: expected 'linear' or 'exponential', got {gain!r}")
    top = _top(lists, k)
    grade = lists.value[top]
    worth = grade if gain == "linear" else np.exp2(grade) - 1.0
    discount = np.log2(lists.position[top] + 2.0)
    # Without rows bincount answers in integers.
    return np.bincount(lists.owner[top], worth / discount, users).astype(np.float64)
