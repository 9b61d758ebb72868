"""Fit one click model on public files and report it before and after calibration."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import attrs
from attrs.validators import ge, gt

from components.models.heavy_ranker.checkpoint import BEST, CALIBRATION
from components.models.heavy_ranker.click_logs import CLICK, ClickDataConfig, Encoder, read_click_log
from components.models.heavy_ranker.config import (
    BlockConfig,
    CheckpointConfig,
    EvaluationConfig,
    HeadConfig,
    ModelConfig,
    OptimizerConfig,
    RankerConfig,
    TowerConfig,
    TrainingConfig,
)
from components.models.heavy_ranker.datasets import MemoryDataset
from components.models.heavy_ranker.listeners import ProgressBar
from components.models.heavy_ranker.predictor import Predictor
from components.models.heavy_ranker.trainer import Data, Listener, Trainer, calibrate, evaluate

if TYPE_CHECKING:
    from components.models.heavy_ranker.rows import Rows


@attrs.frozen
class FitConfig:
    """The loop: evaluates after every epoch, and keeps the best."""

    epochs: int = attrs.field(default=50, validator=gt(0))
    batch_size: int = attrs.field(default=4096, validator=ge(2))
    patience: int = attrs.field(default=2, validator=ge(0))
    metric: Literal["auc", "log_loss"] = "auc"
    seed: int = attrs.field(default=0, validator=ge(0))


def _paper_model() -> ModelConfig:
    block = BlockConfig(width=50, reduction=2.0, form="paper", dropout=0.1)
    return ModelConfig("parallel_masknet", 3, block, (400, 400, 400), TowerConfig((), batch_norm=False))


def _adam() -> OptimizerConfig:
    return OptimizerConfig(betas=(0.9, 0.999), epsilon=1e-8, clip_norm=10.0, plateau_factor=0.1)


@attrs.frozen
class ClickConfig:
    """A click model; the defaults are the parallel MaskNet of the public benchmark on Frappe, without its L2."""

    data: ClickDataConfig = attrs.field(factory=ClickDataConfig)
    embedding_dim: int = attrs.field(default=10, validator=gt(0))
    model: ModelConfig = attrs.field(factory=_paper_model)
    optimizer: OptimizerConfig = attrs.field(factory=_adam)
    fit: FitConfig = attrs.field(factory=FitConfig)


@attrs.frozen
class Files:
    """The three splits; rows of ``valid`` and ``test`` should be later than those of ``train``."""

    train: Path
    valid: Path
    test: Path


@attrs.frozen
class FitReport:
    """AUC and log loss (nats) on the test file, raw and after Platt scaling fitted on the validation file."""

    seed: int
    epochs: float
    auc: float
    log_loss: float
    auc_calibrated: float
    log_loss_calibrated: float


def fit_click_log(
    config: ClickConfig, files: Files, out: Path | None = None, *, quiet: bool = False
) -> FitReport:
    """Trains, restores the best epoch, calibrates on ``valid``, reports on ``test``.

    With ``out``, the checkpoint, its calibration and the vocabulary stay there; an interrupted fit in it goes on.
    """
    logs = [read_click_log(path, config.data) for path in (files.train, files.valid, files.test)]
    encoder = Encoder.fit(logs[0], config.data.min_count)
    train, valid, test = (encoder.rows(log) for log in logs)
    ranker = _ranker(config, encoder, len(train))
    with tempfile.TemporaryDirectory() as scratch:
        run = out or Path(scratch)
        data = Data(MemoryDataset(train, str(files.train)), MemoryDataset(valid, str(files.valid)))
        steps = _train(ranker, data, run, quiet=quiet)
        encoder.save(run / "vocabulary.json")
        return _report(run, valid, test, config.fit.seed, steps * config.fit.batch_size / len(train))


def _ranker(config: ClickConfig, encoder: Encoder, rows: int) -> RankerConfig:
    fit = config.fit
    batch = min(fit.batch_size, rows)
    training = TrainingConfig(
        batch,
        fit.epochs * (rows // batch),
        EvaluationConfig(0, fit.metric, fit.patience),
        CheckpointConfig(keep=1),
        seed=fit.seed,
    )
    features = encoder.features(config.embedding_dim)
    return RankerConfig(features, {CLICK: HeadConfig()}, config.model, config.optimizer, training)


def _train(ranker: RankerConfig, data: Data, run: Path, *, quiet: bool) -> int:
    def train(*listeners: Listener) -> int:
        return Trainer(ranker, data, run, listeners).run().step

    if quiet:
        return train()
    with ProgressBar(ranker.training.steps, 0) as bar:
        return train(bar)


def _report(run: Path, valid: Rows, test: Rows, seed: int, epochs: float) -> FitReport:
    raw = Predictor.load(run / BEST)
    calibration = calibrate(raw, MemoryDataset(valid), "platt")
    calibration.save(run / BEST / CALIBRATION)
    before = evaluate(raw, MemoryDataset(test))[CLICK]
    after = evaluate(attrs.evolve(raw, calibration=calibration), MemoryDataset(test))[CLICK]
    return FitReport(
        seed,
        math.floor(epochs * 100) / 100,
        before["auc"],
        before["log_loss"],
        after["auc"],
        after["log_loss"],
    )
