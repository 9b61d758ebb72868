"""Where training starts: every head at its own rate, so that rare heads need not unlearn one half first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from components.models.heavy_ranker.batch import check_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from components.models.heavy_ranker.config import RankerConfig
    from components.models.heavy_ranker.datasets import Dataset
    from components.models.heavy_ranker.model import HeavyRanker


def start_at_rates(model: HeavyRanker, config: RankerConfig, dataset: Dataset) -> NDArray[np.float64]:
    """Sets each tower's last bias to the log odds of its label, and its last weights to a tenth.

    Returns:
        ``(heads,)`` the rates, of rows as the data weigh them; half a positive and half a negative are added.
    """
    check_labels(dataset.label_names, config, dataset.name)
    positives, mass = np.zeros(len(config.label_names)), 0.0
    for shard in range(len(dataset.shard_rows)):
        rows = dataset.load(shard)
        weights = np.ones(len(rows)) if rows.weights is None else rows.weights.astype(np.float64)
        positives += [float(weights @ rows.labels[label]) for label in config.label_names]
        mass += float(weights.sum())
    rates = (positives + 0.5) / (mass + 1.0)
    with torch.no_grad():
        for tower, rate in zip(model.towers.values(), rates.tolist(), strict=True):
            last = [layer for layer in tower.modules() if isinstance(layer, nn.Linear)][-1]
            last.bias.fill_(float(np.log(rate / (1.0 - rate))))
            last.weight.mul_(0.1)
    return rates
