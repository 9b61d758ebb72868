"""Fit one click model on public files and report it before and after calibration."""

from __future__ import annotations

import math
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import attrs
from attrs.validators import ge, gt

from components.models.heavy_ranker.checkpoint import BEST, CALIBRATION
from components.models.heavy_ranker.click_logs import ClickDataConfig, read_click_log
from components.models.heavy_ranker.config import (
    BackboneNormConfig,
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
from components.models.heavy_ranker.load import CLICK_PRESETS, load_over
from components.models.heavy_ranker.log_columns import CLICK
from components.models.heavy_ranker.predictor import Predictor
from components.models.heavy_ranker.trainer import Data, Listener, Trainer, calibrate, evaluate
from components.models.heavy_ranker.vocabulary import Encoder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from components.models.heavy_ranker.rows import Rows


@attrs.frozen
class FitConfig:
    """The loop: evaluates after every epoch, and keeps the best."""

    epochs: int = attrs.field(default=100, validator=gt(0))
    batch_size: int = attrs.field(default=4096, validator=ge(2))
    patience: int = attrs.field(default=2, validator=ge(0))
    metric: Literal["auc", "log_loss", "auc_less_log_loss"] = "auc"
    seed: int = attrs.field(default=0, validator=ge(0))


def _paper_model() -> ModelConfig:
    norms = BackboneNormConfig(inputs=False)
    block = BlockConfig(width=50, reduction=2.0, form="paper", dropout=0.1, norms=norms)
    return ModelConfig("parallel_masknet", 3, block, (400, 400, 400), TowerConfig((), batch_norm=False))


def _adam() -> OptimizerConfig:
    return OptimizerConfig(
        betas=(0.9, 0.999), epsilon=1e-8, clip_norm=10.0, embedding_l2=0.1, plateau_factor=0.1
    )


@attrs.frozen
class ClickConfig:
    """A click model; what a file leaves out is as in the public benchmark's parallel MaskNet on Frappe.

    Attributes:
        numeric_vectors: each number multiplies a learned vector of ``embedding_dim``, instead of double-norm-log.

    Source: BARS (SIGIR 2022), MaskNet_frappe_x1; FuxiCTR clips gradients at 10.
    """

    data: ClickDataConfig = attrs.field(factory=ClickDataConfig)
    embedding_dim: int = attrs.field(default=10, validator=gt(0))
    numeric_vectors: bool = False
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
    epochs: int
    auc: float
    log_loss: float
    auc_calibrated: float
    log_loss_calibrated: float


@attrs.frozen(eq=False)
class Splits:
    """The three files as rows, with the vocabulary of the first."""

    encoder: Encoder
    train: Rows
    valid: Rows
    test: Rows

    @classmethod
    def read(cls, layout: ClickDataConfig, files: Files) -> Self:
        """Reads the files one after another, so that no two are in memory as text.

        Raises:
            FileNotFoundError: one of them does not exist.
            ValueError: one of them is not as the layout says, or has other columns than ``train``.
        """
        log = read_click_log(files.train, layout)
        encoder = Encoder.fit(log, layout.min_count)
        train = encoder.rows(log)
        del log
        valid, test = (encoder.rows(read_click_log(path, layout)) for path in (files.valid, files.test))
        return cls(encoder, train, valid, test)


def load_click_config(source: str | Path | None = None, overrides: Iterable[str] = ()) -> ClickConfig:
    """Reads a preset or a YAML file, as ``load_config`` does; what it leaves out is as in ``ClickConfig()``."""
    return load_over(ClickConfig(), source, overrides, CLICK_PRESETS)


def fit_click_log(
    config: ClickConfig, splits: Splits, out: Path | None = None, *, quiet: bool = False
) -> FitReport:
    """Trains, restores the best epoch, calibrates on ``valid``, reports on ``test``.

    With ``out``, the checkpoint, its calibration and the vocabulary stay there; an interrupted fit in it goes on.
    """
    ranker = _ranker(config, splits)
    with tempfile.TemporaryDirectory() as scratch:
        run = out or Path(scratch)
        data = Data(MemoryDataset(splits.train, "train"), MemoryDataset(splits.valid, "valid"))
        steps = _train(ranker, data, run, quiet=quiet)
        splits.encoder.save(run / "vocabulary.json")
        epochs = steps * ranker.training.batch_size / len(splits.train)
        return _report(run, splits, config.fit.seed, epochs)


def _ranker(config: ClickConfig, splits: Splits) -> RankerConfig:
    fit, rows = config.fit, len(splits.train)
    # As many batches as it takes for all rows, but of one size: no short one at the end, and next to no row left out.
    steps = math.ceil(rows / fit.batch_size)
    training = TrainingConfig(
        rows // steps,
        fit.epochs * steps,
        EvaluationConfig(0, fit.metric, fit.patience, min_delta=1e-6),
        CheckpointConfig(keep=1),
        seed=fit.seed,
    )
    features = splits.encoder.features(config.embedding_dim, numeric_vectors=config.numeric_vectors)
    return RankerConfig(features, {CLICK: HeadConfig()}, config.model, config.optimizer, training)


def _train(ranker: RankerConfig, data: Data, run: Path, *, quiet: bool) -> int:
    def train(*listeners: Listener) -> int:
        return Trainer(ranker, data, run, listeners).run().step

    if quiet:
        return train()
    with ProgressBar(ranker.training.steps, 0) as bar:
        return train(bar)


def _report(run: Path, splits: Splits, seed: int, epochs: float) -> FitReport:
    raw, test = Predictor.load(run / BEST), MemoryDataset(splits.test)
    calibration = calibrate(raw, MemoryDataset(splits.valid), "platt")
    calibration.save(run / BEST / CALIBRATION)
    before = evaluate(raw, test)[CLICK]
    after = evaluate(attrs.evolve(raw, calibration=calibration), test)[CLICK]
    return FitReport(
        seed,
        round(epochs),
        before["auc"],
        before["log_loss"],
        after["auc"],
        after["log_loss"],
    )


def over_seeds(reports: Sequence[FitReport]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation (of the sample) of every number over several seeds."""
    values = {name: [getattr(report, name) for report in reports] for name in attrs.fields_dict(FitReport)}
    del values["seed"]
    return {
        "mean": {name: statistics.fmean(numbers) for name, numbers in values.items()},
        "deviation": {name: statistics.stdev(numbers) for name, numbers in values.items()},
    }
