"""The training loop: resumable bit for bit, with one learning-rate schedule for the backbone and one a tower."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import attrs
import numpy as np
import torch
from torch import nn

from components.models.calibration import Calibration, Method
from components.models.heavy_ranker import checkpoint
from components.models.heavy_ranker.batch import Inputs, Labels, check_labels
from components.models.heavy_ranker.datasets import BatchOrder, Dataset, in_order
from components.models.heavy_ranker.loss import head_losses, total_loss
from components.models.heavy_ranker.metrics import (
    HIGHER_IS_BETTER,
    HeadMetrics,
    head_metrics,
    mean_over_heads,
)
from components.models.heavy_ranker.model import HeavyRanker
from components.models.heavy_ranker.predictor import Predictor
from components.models.heavy_ranker.rows import Rows, check_features
from components.models.heavy_ranker.sampling import cell_weights, check_single_correction
from components.models.heavy_ranker.schedules import learning_rate
from components.models.heavy_ranker.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from components.models.heavy_ranker.config import RankerConfig, ScheduleConfig

EVALUATION_BATCH = 4096


class Listener(Protocol):
    """Hears of every step and evaluation."""

    def on_step(self, step: int, losses: dict[str, float]) -> None: ...

    def on_evaluation(self, step: int, metrics: HeadMetrics) -> None: ...


@attrs.define
class Progress:
    """Where a run stands; part of every checkpoint."""

    step: int = 0
    best: float = math.nan
    best_step: int = 0
    without_gain: int = 0
    rate_factor: float = 1.0
    stopped: bool = False


@attrs.frozen(eq=False)
class Data:
    """What a run reads; without ``valid`` there is no early stopping and the last checkpoint is the best."""

    train: Dataset
    valid: Dataset | None = None


class Trainer:
    """Trains one ranker; ``run`` starts anew or goes on from the newest checkpoint in ``folder``.

    Raises:
        ConfigurationError: labels and heads differ, or two corrections for sampling meet.
    """

    def __init__(
        self,
        config: RankerConfig,
        data: Data,
        folder: Path | None = None,
        listeners: tuple[Listener, ...] = (),
        workers: Workers | None = None,
    ) -> None:
        self.config, self._data, self._folder, self._listeners = config, data, folder, listeners
        self._workers = workers or Workers()
        for dataset in (data.train, data.valid):
            if dataset is not None:
                check_labels(dataset.label_names, config, dataset.name)
        check_single_correction(config, weighted=data.train.weighted)
        torch.manual_seed(config.training.seed)
        self.model = HeavyRanker(config)
        self.progress = Progress()
        self._optimizer, self._schedules = _optimizer(self.model, config)
        self._order = BatchOrder(
            data.train,
            config.training.batch_size,
            config.training.seed,
            self._workers.rank,
            self._workers.count,
        )
        evaluation = config.training.evaluation.every or self._order.steps_per_epoch
        self._evaluate_every = evaluation
        self._save_every = config.training.checkpoints.every or evaluation

    def run(self) -> Progress:
        """Trains to the last step, or until early stopping; returns where it ended."""
        self._resume()
        network = self._workers.wrap(self.model)
        while self.progress.step < self.config.training.steps and not self.progress.stopped:
            step = self.progress.step
            losses = self._train_step(network, step)
            self.progress.step = step + 1
            self._tell_step(losses)
            last = self.progress.step == self.config.training.steps
            if last or self.progress.step % self._evaluate_every == 0:
                self._evaluate()
            if last or self.progress.stopped or self.progress.step % self._save_every == 0:
                self._save(checkpoint.step_folder)
        return self.progress

    def _train_step(self, network: nn.Module, step: int) -> torch.Tensor:
        rows, numbers = self._order.batch(step)
        check_features(rows, self.config.features)
        rows, weights = self._sampled(rows, numbers)
        network.train()
        for group, schedule in zip(self._optimizer.param_groups, self._schedules, strict=True):
            group["lr"] = learning_rate(schedule, step) * self.progress.rate_factor
        bf16 = self.config.training.precision == "bf16"
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = network(Inputs.of(rows)).float()
        losses = head_losses(logits, self.model.heads, Labels.bind(rows, self.config), weights)
        loss = total_loss(losses, [head.loss_weight for head in self.config.heads.values()])
        loss = loss + self._embedding_penalty()
        if not torch.isfinite(loss):
            raise FloatingPointError(f"step {step}: expected a finite loss, got {loss.item()}")
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.config.optimizer.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optimizer.clip_norm)
        self._optimizer.step()
        return losses.detach()

    def _sampled(self, rows: Rows, numbers: NDArray[np.int64]) -> tuple[Rows, torch.Tensor | None]:
        """Leaves out rows that no head keeps; weights of the cells that are left."""
        labels = Labels.bind(rows, self.config).values.numpy()
        weights = cell_weights(labels, numbers, self.config)
        if weights is not None:
            kept = np.flatnonzero(weights.any(axis=1))
            # Batch norm needs two rows; rows of weight 0 then only fill up the batch.
            if len(kept) >= 2:
                rows, weights = rows.take(kept), weights[kept]
        if rows.weights is not None:
            weights = np.repeat(rows.weights[:, None], labels.shape[1], axis=1)
        return rows, None if weights is None else torch.from_numpy(weights)

    def _embedding_penalty(self) -> torch.Tensor | float:
        strength = self.config.optimizer.embedding_l2
        if not strength:
            return 0.0
        inputs = self.model.inputs
        tables = [*inputs.ids.parameters(), *(inputs.numbers.parameters() if inputs.numbers else ())]
        return 0.5 * strength * sum(table.square().sum() for table in tables)

    def _tell_step(self, losses: torch.Tensor) -> None:
        if self._workers.leads and self._listeners:
            named = dict(zip(self.model.heads, losses.tolist(), strict=True))
            for listener in self._listeners:
                listener.on_step(self.progress.step, named)

    def _evaluate(self) -> None:
        if self._workers.leads:
            self._evaluate_here()
        self.progress = self._workers.agree(self.progress)

    def _evaluate_here(self) -> None:
        if self._data.valid is None:
            self._note_best(self.progress.step)
            return
        metrics = evaluate(Predictor.of(self.model, self.config), self._data.valid)
        for listener in self._listeners:
            listener.on_evaluation(self.progress.step, metrics)
        rules, progress = self.config.training.evaluation, self.progress
        value = mean_over_heads(metrics, rules.metric)
        gain = value - progress.best if HIGHER_IS_BETTER[rules.metric] else progress.best - value
        if math.isnan(progress.best) or gain > rules.min_delta:
            progress.best, progress.without_gain = value, 0
            self._note_best(progress.step)
            return
        progress.without_gain += 1
        progress.rate_factor *= self.config.optimizer.plateau_factor
        progress.stopped = 0 < rules.patience <= progress.without_gain

    def _note_best(self, step: int) -> None:
        self.progress.best_step = step
        self._save(lambda run, _: run / checkpoint.BEST)

    def _save(self, place: Callable[[Path, int], Path]) -> None:
        if self._folder is None or not self._workers.leads:
            return
        saved = {
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "random_state": torch.get_rng_state(),
            "progress": attrs.asdict(self.progress),
        }
        checkpoint.save_checkpoint(place(self._folder, self.progress.step), saved, self.config)
        checkpoint.prune(self._folder, self.config.training.checkpoints.keep)

    def _resume(self) -> None:
        newest = checkpoint.latest(self._folder) if self._folder is not None else None
        if newest is None:
            return
        saved, config = checkpoint.load_checkpoint(newest)
        _check_same_training(config, self.config, newest)
        self.model.load_state_dict(saved["model"])  # type: ignore[arg-type]  # what _save wrote
        self._optimizer.load_state_dict(saved["optimizer"])  # type: ignore[arg-type]
        torch.set_rng_state(saved["random_state"])  # type: ignore[arg-type]
        self.progress = Progress(**saved["progress"])  # type: ignore[arg-type]


def evaluate(predictor: Predictor, dataset: Dataset) -> HeadMetrics:
    """Metrics of calibrated probabilities on all rows of a data set."""
    logits, labels, weights = score(predictor, dataset)
    return head_metrics(predictor.heads, labels, predictor.calibration.probabilities(logits), weights)


def calibrate(predictor: Predictor, dataset: Dataset, method: Method = "auto") -> Calibration:
    """Fits every head on a data set from after the training period."""
    logits, labels, weights = score(predictor, dataset)
    return Calibration.fit(predictor.heads, logits, labels, weights, method)


def score(
    predictor: Predictor, dataset: Dataset
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32] | None]:
    """Logits (rows, heads), labels (rows, heads) bound by name, and weights (rows,) of a data set in its order."""
    check_labels(dataset.label_names, predictor.config, dataset.name)
    logits, labels, weights = [], [], []
    for rows in in_order(dataset, EVALUATION_BATCH):
        logits.append(predictor.logits(rows))
        labels.append(Labels.bind(rows, predictor.config).values.numpy())
        weights.append(rows.weights)
    joined = None if weights[0] is None else np.concatenate(weights)
    return np.concatenate(logits), np.concatenate(labels), joined


def _optimizer(model: HeavyRanker, config: RankerConfig) -> tuple[torch.optim.Adam, list[ScheduleConfig]]:
    settings = config.optimizer
    shared = [parameter for name, parameter in model.named_parameters() if not name.startswith("towers.")]
    groups, schedules = [{"params": shared}], [settings.schedule]
    for tower, head in zip(model.towers.values(), config.heads.values(), strict=True):
        groups.append({"params": list(tower.parameters())})
        schedules.append(head.schedule or settings.schedule)
    return torch.optim.Adam(groups, betas=settings.betas, eps=settings.epsilon), schedules


def _check_same_training(old: RankerConfig, new: RankerConfig, where: Path) -> None:
    """More steps may be asked of a run; anything else would not be the same run."""
    more = attrs.evolve(old, training=attrs.evolve(old.training, steps=new.training.steps))
    if more != new:
        raise ValueError(
            f"{where}: the run has another configuration; choose another folder, or the same settings"
        )
