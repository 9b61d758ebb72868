"""The loop: exact resume, early stopping, warm start, what a checkpoint holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
import numpy as np
import pytest
import torch

from components.models.calibration import Calibration
from components.models.heavy_ranker import checkpoint
from components.models.heavy_ranker.checkpoint import CALIBRATION, load_checkpoint, locate, warm_start
from components.models.heavy_ranker.datasets import MemoryDataset
from components.models.heavy_ranker.listeners import JsonLinesLog
from components.models.heavy_ranker.load import load_config
from components.models.heavy_ranker.model import HeavyRanker
from components.models.heavy_ranker.predictor import Predictor
from components.models.heavy_ranker.trainer import Data, Trainer, calibrate, evaluate

if TYPE_CHECKING:
    from pathlib import Path

    from components.models.heavy_ranker.metrics import HeadMetrics


class KilledError(Exception):
    """Stands for a lost machine."""


@attrs.define
class Recorder:
    """Keeps every loss; dies when told to."""

    dies_after: int | None = None
    losses: dict[int, dict[str, float]] = attrs.field(factory=dict)
    evaluations: dict[int, HeadMetrics] = attrs.field(factory=dict)

    def on_step(self, step: int, losses: dict[str, float]) -> None:
        self.losses[step] = losses
        if step == self.dies_after:
            raise KilledError

    def on_evaluation(self, step: int, metrics: HeadMetrics) -> None:
        self.evaluations[step] = metrics


@pytest.fixture
def data(tiny, rows_for) -> Data:
    return Data(MemoryDataset(rows_for(tiny, 1000, 0)), MemoryDataset(rows_for(tiny, 400, 1)))


@pytest.mark.parametrize("dies_after", [21, 33])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_killed_run_goes_on_with_the_same_loss_curve(
    tmp_path: Path, data, dies_after: int, precision: str
) -> None:
    config = load_config(
        "tiny", ["training.steps=45", "training.checkpoints.every=10", f"training.precision={precision}"]
    )
    whole = Recorder()
    uninterrupted = Trainer(config, data, tmp_path / "whole", (whole,))
    uninterrupted.run()
    with pytest.raises(KilledError):
        Trainer(config, data, tmp_path / "run", (Recorder(dies_after),)).run()
    torch.rand(17)  # a new process has another random state
    rest = Recorder()
    resumed = Trainer(config, data, tmp_path / "run", (rest,))
    resumed.run()
    assert min(rest.losses) == dies_after // 10 * 10 + 1
    assert rest.losses == {step: whole.losses[step] for step in rest.losses}
    assert repr(rest.evaluations[45]) == repr(whole.evaluations[45])
    for name, tensor in uninterrupted.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], tensor, rtol=0, atol=0)


def test_a_finished_run_does_nothing_more(tmp_path: Path, tiny, data) -> None:
    Trainer(tiny, data, tmp_path).run()
    again = Recorder()
    Trainer(tiny, data, tmp_path, (again,)).run()
    assert not again.losses


def test_more_steps_may_be_asked_of_a_run_but_nothing_else_changed(tmp_path: Path, data) -> None:
    Trainer(load_config("tiny", ["training.steps=5"]), data, tmp_path).run()
    longer = Recorder()
    Trainer(load_config("tiny", ["training.steps=8"]), data, tmp_path, (longer,)).run()
    assert sorted(longer.losses) == [6, 7, 8]
    with pytest.raises(ValueError, match="another configuration"):
        Trainer(load_config("tiny", ["training.steps=8", "model.blocks=1"]), data, tmp_path).run()


def test_equal_seeds_train_equal_models_and_others_do_not(tiny, data) -> None:
    def weights(seed: int) -> torch.Tensor:
        config = attrs.evolve(tiny, training=attrs.evolve(tiny.training, steps=5, seed=seed))
        trainer = Trainer(config, data)
        trainer.run()
        return torch.cat([parameter.flatten() for parameter in trainer.model.parameters()])

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


def test_training_stops_after_patience_evaluations_without_gain(tmp_path: Path, data) -> None:
    sets = ["training.evaluation={every: 2, patience: 3, min_delta: 1.0}", "optimizer.plateau_factor=0.1"]
    config = load_config("tiny", sets)
    trainer = Trainer(config, data, tmp_path)
    progress = trainer.run()
    # Nothing gains a whole AUC point: the first evaluation is best, three more are without gain.
    assert (progress.step, progress.best_step, progress.stopped) == (8, 2, True)
    assert progress.rate_factor == pytest.approx(1e-3)
    assert load_checkpoint(tmp_path / "best")[0]["progress"]["step"] == 2
    assert Trainer(config, data, tmp_path).run().step == 8


def test_each_tower_follows_its_own_schedule(data) -> None:
    frozen = "{kind: piecewise_constant, boundaries: [], values: [0.0]}"
    config = load_config("tiny", [f"heads.is_replied.schedule={frozen}", "training.steps=3"])
    trainer = Trainer(config, data)
    before = {name: tensor.clone() for name, tensor in trainer.model.named_parameters()}
    trainer.run()
    moved = {
        name for name, tensor in trainer.model.named_parameters() if not torch.equal(tensor, before[name])
    }
    assert not any(name.startswith("towers.is_replied.") for name in moved)
    assert any(name.startswith("towers.is_retweeted.") for name in moved)
    assert any(name.startswith("backbone.") for name in moved)


def test_clipping_bounds_the_gradient(data) -> None:
    trainer = Trainer(load_config("tiny", ["optimizer.clip_norm=0.001", "training.steps=1"]), data)
    trainer.run()
    norm = torch.stack([p.grad.norm() for p in trainer.model.parameters() if p.grad is not None]).norm()
    assert norm <= 0.001 * 1.001


def test_embedding_penalty_shrinks_tables_that_no_row_uses(data) -> None:
    config = load_config(
        "tiny", ["optimizer.embedding_l2=1.0", "training.steps=30", "optimizer.schedule.learning_rate=0.05"]
    )
    trainer = Trainer(config, data)
    table = trainer.model.inputs.ids["author_id"].table.weight
    before = table.norm().item()
    trainer.run()
    assert table.norm().item() < 0.7 * before


def test_only_the_newest_checkpoints_are_kept_besides_the_best(tmp_path: Path, data) -> None:
    config = load_config("tiny", ["training.steps=12", "training.checkpoints={every: 2, keep: 2}"])
    Trainer(config, data, tmp_path).run()
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["best", "step-00000010", "step-00000012"]


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path: Path, tiny, data, monkeypatch) -> None:
    config = load_config(
        "tiny", ["training.steps=4", "training.checkpoints.every=2", "training.evaluation.every=100"]
    )
    saves = iter([torch.save, None])

    def failing(*arguments: object) -> None:
        save = next(saves)
        if save is None:
            raise OSError("disk full")
        save(*arguments)

    monkeypatch.setattr(checkpoint.torch, "save", failing)
    with pytest.raises(OSError, match="disk full"):
        Trainer(config, data, tmp_path).run()
    assert [folder.name for folder in tmp_path.iterdir()] == ["step-00000002"]


def test_warm_start_copies_what_fits_and_says_what_does_not(tmp_path: Path, tiny, data) -> None:
    Trainer(attrs.evolve(tiny, training=attrs.evolve(tiny.training, steps=2)), data, tmp_path).run()
    old = Predictor.load(tmp_path).model.state_dict()
    bigger = HeavyRanker(load_config("tiny", ["model.blocks=3"]))
    copied, fresh = warm_start(bigger, tmp_path)
    assert torch.equal(
        bigger.state_dict()["backbone.blocks.0.hidden.weight"], old["backbone.blocks.0.hidden.weight"]
    )
    assert "backbone.blocks.0.hidden.weight" in copied
    assert "backbone.mlp.0.weight" in fresh
    assert all(name.startswith(("backbone.blocks.2.", "backbone.mlp.0.weight")) for name in fresh)


def test_a_loss_that_is_not_finite_stops_the_run(data) -> None:
    trainer = Trainer(load_config("tiny"), data)
    with torch.no_grad():
        trainer.model.towers["is_replied"][-1].bias.fill_(torch.nan)
    with pytest.raises(FloatingPointError, match="step 0"):
        trainer.run()


def test_calibration_is_stored_with_the_checkpoint_and_served(tmp_path: Path, tiny, data, rows_for) -> None:
    Trainer(tiny, data, tmp_path).run()
    later = MemoryDataset(rows_for(tiny, 3000, 2))
    raw = Predictor.load(tmp_path)
    fitted = calibrate(raw, later)
    fitted.save(locate(tmp_path) / CALIBRATION)
    served = Predictor.load(tmp_path)
    rows = rows_for(tiny, 20, 3)
    np.testing.assert_array_equal(served.probabilities(rows), fitted.probabilities(raw.logits(rows)))
    metrics = evaluate(served, later)
    supported = [head for head, calibrator in fitted.heads.items() if calibrator.kind == "platt"]
    assert len(supported) > 5
    for head in supported:  # what all heads say may move one by its own noise, not by more
        assert abs(metrics[head]["calibration"] - 1.0) < metrics[head]["positives"] ** -0.5, head


def test_a_folder_without_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected a checkpoint, or a run folder"):
        Predictor.load(tmp_path)


def test_the_log_forgets_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = JsonLinesLog.resumed_at(path, 0)
    for step in range(1, 6):
        log.on_step(step, {"like": 0.5})
    with path.open("a") as file:
        file.write('{"step": 6, "los')  # killed while writing
    JsonLinesLog.resumed_at(path, 3)
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2, 3]


def test_an_uncalibrated_predictor_gives_the_sigmoid(tiny, rows_for) -> None:
    predictor = Predictor.of(HeavyRanker(tiny), tiny)
    rows = rows_for(tiny, 6)
    np.testing.assert_allclose(
        predictor.probabilities(rows), 1 / (1 + np.exp(-predictor.logits(rows))), rtol=1e-5
    )
    assert predictor.calibration == Calibration.identity(tiny.head_names)


def test_without_a_compiler_the_compiled_runtime_serves_bf16(
    tmp_path: Path, tiny, data, rows_for, monkeypatch
) -> None:
    Trainer(attrs.evolve(tiny, training=attrs.evolve(tiny.training, steps=2)), data, tmp_path).run()
    monkeypatch.setenv("CXX", "no-such-compiler")
    rows = rows_for(tiny, 9)
    compiled, rounded = (Predictor.load(tmp_path, runtime) for runtime in ("compiled", "bf16"))  # type: ignore[arg-type]
    np.testing.assert_array_equal(compiled.probabilities(rows), rounded.probabilities(rows))
    np.testing.assert_allclose(
        rounded.probabilities(rows), Predictor.load(tmp_path).probabilities(rows), atol=0.02
    )
