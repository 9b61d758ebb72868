"""How often items come, estimated while they stream by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class StreamingFrequency:
    """Estimates the chance that an item is in a batch from the mean gap between the batches it is in.

    Source: "Sampling-Bias-Corrected Neural Modeling" (RecSys 2019), algorithm 2: per item the last step that saw
    it, and a moving average of the gaps.

    Args:
        items: how many there are.
        rate: weight of the newest gap.
    """

    def __init__(self, items: int, rate: float = 0.05) -> None:
        self.last = np.full(items, -1, dtype=np.int64)
        self.gap = np.zeros(items)
        self.step, self._rate = 0, rate

    def observe(self, batch: NDArray[np.int64]) -> None:
        """One more batch has come; within it an item counts once."""
        seen = np.unique(batch)
        first = self.last[seen] < 0
        # A first sight tells that the gap was at least as long as the stream so far.
        gaps = (self.step - self.last[seen]).astype(np.float64)
        moved = (1.0 - self._rate) * self.gap[seen] + self._rate * gaps
        self.gap[seen] = np.where(first, self.step + 1.0, moved)
        self.last[seen] = self.step
        self.step += 1

    def log_q(self, batch: NDArray[np.int64]) -> NDArray[np.float32]:
        """``(n,)`` log of the chance of each item to be in a batch; items never seen count as seen just now."""
        gap = np.where(self.last[batch] < 0, self.step + 1.0, self.gap[batch])
        return -np.log(np.maximum(gap, 1.0)).astype(np.float32)
