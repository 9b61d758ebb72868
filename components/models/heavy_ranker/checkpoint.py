"""Checkpoints: folders that appear whole or not at all.

A checkpoint holds ``model.pt`` (weights, optimiser, random state, position), ``config.yaml`` and, once fitted,
``calibration.json``. A run keeps ``step-NNNNNNNN`` folders and ``best``.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import torch

from components.files import atomic_folder
from components.models.heavy_ranker.load import dump, load_config
from components.tensors import read_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from components.models.heavy_ranker.config import RankerConfig

    # What torch.save can hold and torch.load(weights_only=True) gives back.
    Saved: TypeAlias = dict[str, object]

BEST, WEIGHTS, CONFIG, CALIBRATION = "best", "model.pt", "config.yaml", "calibration.json"


def save_checkpoint(folder: Path, saved: Mapping[str, object], config: RankerConfig) -> None:
    """Writes one checkpoint folder, replacing what was there."""
    with atomic_folder(folder) as temporary:
        torch.save(dict(saved), temporary / WEIGHTS)
        (temporary / CONFIG).write_text(dump(config), encoding="utf-8")


def load_checkpoint(folder: Path) -> tuple[Saved, RankerConfig]:
    """Reads one checkpoint folder; only tensors and plain values are unpickled.

    Raises:
        ValueError: the file of the weights is damaged.
    """
    return read_tensors(folder / WEIGHTS), load_config(folder / CONFIG)


def latest(run: Path) -> Path | None:
    """The checkpoint of the highest step, or None."""
    steps = sorted(folder for folder in run.glob("step-*") if (folder / WEIGHTS).is_file())
    return steps[-1] if steps else None


def locate(path: str | Path) -> Path:
    """A checkpoint folder itself, or the best (else the last) one of a run folder.

    Raises:
        FileNotFoundError: there is none.
    """
    folder = Path(path)
    for candidate in (folder, folder / BEST, latest(folder)):
        if candidate is not None and (candidate / WEIGHTS).is_file():
            return candidate
    raise FileNotFoundError(f"{path}: expected a checkpoint, or a run folder that holds one")


def step_folder(run: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return run / f"step-{step:08d}"


def prune(run: Path, keep: int) -> None:
    """Deletes all but the newest checkpoints; the best one has its own folder."""
    for folder in sorted(run.glob("step-*"))[:-keep]:
        shutil.rmtree(folder)


def warm_start(model: nn.Module, path: str | Path) -> tuple[list[str], list[str]]:
    """Copies every tensor whose name and shape agree; returns the names copied, and those left as initialised."""
    saved, _ = load_checkpoint(locate(path))
    old: dict[str, Tensor] = saved["model"]  # type: ignore[assignment]  # what save_checkpoint was given
    new = model.state_dict()
    fitting = {name: old[name] for name in new if name in old and old[name].shape == new[name].shape}
    model.load_state_dict(fitting, strict=False)
    return sorted(fitting), sorted(set(new) - set(fitting))
