"""A whole run: train, calibrate on the slice after it, test."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
import numpy as np

from components.files import atomic_file
from components.models.calibration import Calibration
from components.models.heavy_ranker.checkpoint import BEST, CALIBRATION, latest, load_checkpoint, warm_start
from components.models.heavy_ranker.datasets import ParquetDataset
from components.models.heavy_ranker.listeners import JsonLinesLog, ProgressBar, TensorBoardLog, without_nan
from components.models.heavy_ranker.metrics import HeadMetrics, mean_over_heads
from components.models.heavy_ranker.predictor import Predictor
from components.models.heavy_ranker.trainer import Data, Progress, Trainer, calibrate, evaluate
from components.models.heavy_ranker.workers import Workers

if TYPE_CHECKING:
    from pathlib import Path

    from components.models.heavy_ranker.config import RankerConfig


@attrs.frozen
class RunOptions:
    """What a run does besides its configuration."""

    warm_start: Path | None = None
    tensorboard: bool = False
    quiet: bool = False


@attrs.frozen
class RunReport:
    """Where a run ended, and its metrics on the test split before and after calibration."""

    progress: Progress
    raw: HeadMetrics
    calibrated: HeadMetrics


def train_folder(
    config: RankerConfig, data: Path, run: Path, options: RunOptions | None = None
) -> RunReport | None:
    """Trains on ``data/train``, watches ``data/valid``, calibrates on ``data/calibrate``, reports on ``data/test``.

    Goes on where an interrupted run in the same folder stopped. Splits other than ``train`` may be absent; without
    a test split the report is of ``valid``, and None when that is absent too, and in followers of torchrun.
    """
    options, workers = options or RunOptions(), Workers.from_environment()
    try:
        progress = _train(config, data, run, options, workers)
    finally:
        workers.leave()
    return _report(data, run, progress) if workers.leads else None


def _train(config: RankerConfig, data: Path, run: Path, options: RunOptions, workers: Workers) -> Progress:
    newest = latest(run)
    done = 0 if newest is None else Progress(**load_checkpoint(newest)[0]["progress"]).step  # type: ignore[arg-type]
    splits = Data(ParquetDataset.open(data / "train"), _split(data, "valid"))
    if not workers.leads:
        return _started(Trainer(config, splits, run, (), workers), options).run()
    listeners = (JsonLinesLog.resumed_at(run / "log.jsonl", done),)
    if options.tensorboard:
        listeners += (TensorBoardLog(run / "tensorboard"),)
    if options.quiet:
        return _started(Trainer(config, splits, run, listeners, workers), options).run()
    with ProgressBar(config.training.steps, done) as bar:
        return _started(Trainer(config, splits, run, (*listeners, bar), workers), options).run()


def _started(trainer: Trainer, options: RunOptions) -> Trainer:
    if options.warm_start is not None:
        warm_start(trainer.model, options.warm_start)
    return trainer


def _split(data: Path, name: str) -> ParquetDataset | None:
    return ParquetDataset.open(data / name) if (data / name).is_dir() else None


def _report(data: Path, run: Path, progress: Progress) -> RunReport | None:
    later, test = _split(data, "calibrate"), _split(data, "test") or _split(data, "valid")
    predictor = Predictor.load(run / BEST)
    calibration = Calibration.identity(predictor.heads) if later is None else calibrate(predictor, later)
    calibration.save(run / BEST / CALIBRATION)
    if test is None:
        return None
    raw = attrs.evolve(predictor, calibration=Calibration.identity(predictor.heads))
    report = RunReport(
        progress, evaluate(raw, test), evaluate(attrs.evolve(predictor, calibration=calibration), test)
    )
    plain = {
        "best_step": progress.best_step,
        "raw": without_nan(report.raw),
        "calibrated": without_nan(report.calibrated),
    }
    with atomic_file(run / "report.json") as temporary:
        temporary.write_text(json.dumps(plain, indent=1), encoding="utf-8")
    return report


def over_seeds(reports: list[RunReport]) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation, over runs, of each metric's mean over heads after calibration."""
    summary = {}
    for name in ("auc", "pr_auc", "rce", "log_loss"):
        values = np.array([mean_over_heads(report.calibrated, name) for report in reports])
        summary[name] = (float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0)
    return summary
