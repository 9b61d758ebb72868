"""Ranking, retrieval, model, calibration, health and counterfactual metrics; intervals; offline runs."""

from __future__ import annotations

from components.evaluation.bootstrap import Bootstrap, Interval
from components.evaluation.calibration import (
    Recalibration,
    Reliability,
    expected_calibration_error,
    mean_ratio,
    recalibration,
    reliability,
)
from components.evaluation.classification import (
    auc,
    average_precision,
    grouped_auc,
    log_loss,
    nrce,
    precision_at_recall,
    rce,
)
from components.evaluation.counterfactual import Estimate, LoggedChoices, doubly_robust, ips, snips
from components.evaluation.errors import EvaluationError, InvalidInputError, JournalError, MissingPackageError
from components.evaluation.health import (
    Staleness,
    catalogue_coverage,
    empty_slate_share,
    entropy,
    exposure_gini,
    in_network_share,
    novelty,
    slate_entropy,
    staleness,
)
from components.evaluation.judged import Judged, Truth, judge, judge_lists, ranks_from_scores
from components.evaluation.offline import OfflineResult, OfflineRun, user_seed
from components.evaluation.plots import plot_reliability, plot_segments
from components.evaluation.ranking import (
    average_precision_at,
    hit_rate,
    mean_over_users,
    ndcg,
    precision,
    ranking_metrics,
    recall,
    reciprocal_rank,
    user_metrics,
)
from components.evaluation.report import Report, Row
from components.evaluation.retrieval import SourceRecall, source_recall
from components.evaluation.segments import (
    Segments,
    by_source,
    cold_posts,
    mean_by_segment,
    new_users,
    statistic_by_segment,
)
from components.evaluation.summaries import model_report, ranking_report

__all__ = [
    "Bootstrap",
    "Estimate",
    "EvaluationError",
    "Interval",
    "InvalidInputError",
    "JournalError",
    "Judged",
    "LoggedChoices",
    "MissingPackageError",
    "OfflineResult",
    "OfflineRun",
    "Recalibration",
    "Reliability",
    "Report",
    "Row",
    "Segments",
    "SourceRecall",
    "Staleness",
    "Truth",
    "auc",
    "average_precision",
    "average_precision_at",
    "by_source",
    "catalogue_coverage",
    "cold_posts",
    "doubly_robust",
    "empty_slate_share",
    "entropy",
    "expected_calibration_error",
    "exposure_gini",
    "grouped_auc",
    "hit_rate",
    "in_network_share",
    "ips",
    "judge",
    "judge_lists",
    "log_loss",
    "mean_by_segment",
    "mean_over_users",
    "mean_ratio",
    "model_report",
    "ndcg",
    "new_users",
    "novelty",
    "nrce",
    "plot_reliability",
    "plot_segments",
    "precision",
    "precision_at_recall",
    "ranking_metrics",
    "ranking_report",
    "ranks_from_scores",
    "rce",
    "recalibration",
    "recall",
    "reciprocal_rank",
    "reliability",
    "slate_entropy",
    "snips",
    "source_recall",
    "staleness",
    "statistic_by_segment",
    "user_metrics",
    "user_seed",
]
