"""Serving in int8: a sample of rows fixes the ranges of activations, and says how far probabilities move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from components.models.heavy_ranker.batch import Inputs
from components.models.heavy_ranker.checkpoint import locate
from components.models.heavy_ranker.datasets import ParquetDataset, write_shard
from components.models.heavy_ranker.int8 import Int8Ranker
from components.models.heavy_ranker.model import HeavyRanker
from components.models.heavy_ranker.predictor import Predictor, has_compiler

if TYPE_CHECKING:
    from pathlib import Path

    from components.models.heavy_ranker.rows import Rows

SAMPLE = "sample"
MAX_MOVE = 0.05
"""Twice what a network of the published shape moved by after training."""


@attrs.frozen(eq=False)
class Quantized:
    """A predictor in int8, and by how much it moved probabilities on rows that its ranges have not seen."""

    predictor: Predictor
    largest: float
    mean: float


def quantize(exact: Predictor, sample: Rows, bound: float = MAX_MOVE) -> Quantized:
    """The same weights in int8. Every second row of the sample fixes the ranges, the others are predicted in both.

    Raises:
        ValueError: a probability moves further than the bound, the network is no parallel MaskNet of the recap form
            that shares all, or torch lacks the products.
    """
    if not isinstance(exact.model, HeavyRanker) or len(sample) < 2:
        raise ValueError("int8: expected a predictor in fp32, and two rows or more")
    seen, unseen = (sample.take(np.arange(first, len(sample), 2)) for first in (0, 1))
    model = Int8Ranker(exact.model, Inputs.of(seen), compiled=has_compiler())
    predictor = Predictor(model, exact.config, exact.calibration)
    # One row is compiled apart; now, rather than when a request has one.
    predictor.logits(seen.take(slice(1)))
    moved = np.abs(predictor.probabilities(unseen) - exact.probabilities(unseen))
    if not moved.max() <= bound:
        raise ValueError(
            f"int8: expected probabilities to move by at most {bound}, one moved by {moved.max():.4f}"
        )
    return Quantized(predictor, float(moved.max()), float(moved.mean()))


def load_int8(path: str | Path, bound: float = MAX_MOVE) -> Quantized:
    """A checkpoint, or the best one of a run, in int8 by the sample that lies beside it.

    Raises:
        FileNotFoundError: no sample was stored.
        ValueError: as ``quantize`` does.
    """
    folder = locate(path) / SAMPLE
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: expected a sample of rows; python -m components.models.heavy_ranker quantize stores one"
        )
    return quantize(Predictor.load(path), ParquetDataset.open(folder).load(0), bound)


def store_sample(path: str | Path, sample: Rows) -> None:
    """Puts the rows beside a checkpoint, in place of those that were there."""
    write_shard(sample, locate(path) / SAMPLE, 0)
