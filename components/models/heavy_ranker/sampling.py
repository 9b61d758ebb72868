"""Down-sampling per head, and its two exact corrections, of which a configuration uses one.

With positives kept at rate s and negatives at rate n, training on the kept rows estimates
``logit(p) + ln(s / n)``. Adding ``ln(n / s)`` undoes it exactly; so does weighting kept rows by 1/s and 1/n.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixer.errors import ConfigurationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from components.models.heavy_ranker.config import RankerConfig


def logit_shift(config: RankerConfig) -> NDArray[np.float64]:
    """What is added to each head's trained logit, (heads,); zeros unless the correction is ``logit``.

    Source: recap's NumericCalibration, q = p·r / (1 − p + r·p) with r = n / s, in logit space.
    """
    negative, positive = _rates(config)
    active = config.sampling.correction == "logit"
    return np.log(negative / positive) if active else np.zeros(len(negative))


def cell_weights(
    labels: NDArray[np.float32], numbers: NDArray[np.int64], config: RankerConfig
) -> NDArray[np.float32] | None:
    """Weight of each (row, head) in the loss, or None when all count one; 0 marks a cell that was sampled away.

    Args:
        labels: ``(rows, heads)``.
        numbers: ``(rows,)``, each row's number in the data set; a row's fate depends on it and the seed alone.
    """
    negative, positive = _rates(config)
    if (negative == 1.0).all() and (positive == 1.0).all():
        return None
    rate = np.where(labels > 0.5, positive, negative)
    weights = np.ones(labels.shape, np.float32)
    if config.sampling.where == "trainer":
        weights = (_uniform(numbers, labels.shape[1], config.training.seed) < rate).astype(np.float32)
    elif config.sampling.correction != "weights":
        return None
    return (weights / rate).astype(np.float32) if config.sampling.correction == "weights" else weights


def check_single_correction(config: RankerConfig, *, weighted: bool) -> None:
    """Refuses row weights in the data together with sampling rates: one of the two would correct twice."""
    negative, positive = _rates(config)
    if weighted and ((negative != 1.0).any() or (positive != 1.0).any()):
        problem = "the data carries row weights and heads have sampling rates; drop one of the two"
        raise ConfigurationError("sampling", [problem])


def _rates(config: RankerConfig) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    heads = config.heads.values()
    return np.array([head.rates.negative for head in heads]), np.array(
        [head.rates.positive for head in heads]
    )


def _uniform(numbers: NDArray[np.int64], heads: int, seed: int) -> NDArray[np.float64]:
    """Numbers in [0, 1) that hash (seed, row, head), (rows, heads): splitmix64's finaliser."""
    state = numbers.astype(np.uint64)[:, None] * np.uint64(0x9E3779B97F4A7C15)
    state = state ^ (np.arange(1, heads + 1, dtype=np.uint64) * np.uint64(0xD1B54A32D192ED03))
    state = state + np.uint64(seed) * np.uint64(0x2545F4914F6CDD1D)
    for shift, multiplier in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(multiplier)
    state = state ^ (state >> np.uint64(31))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53
