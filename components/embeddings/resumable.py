"""``Resumable``: a training in epochs that goes on bit for bit from its checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch

from components.files import atomic_file
from components.tensors import read_tensors


class Resumable:
    """What trainings of a network share: saving where they are, and going on from there.

    A checkpoint fits a training of the same signature alone; without a path none is kept.
    """

    FORMAT: ClassVar[str]
    network: torch.nn.Module
    _optimisers: list[torch.optim.Optimizer]
    _checkpoint: Path | None
    _epoch = 0

    def _signature(self) -> dict[str, object]:
        """Configuration and data."""
        raise NotImplementedError

    def _save(self, **more: object) -> None:
        if self._checkpoint is None:
            return
        saved = {
            "format": self.FORMAT,
            "signature": self._signature(),
            "epoch": self._epoch,
            "network": self.network.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
            **more,
        }
        with atomic_file(self._checkpoint) as temporary:
            torch.save(saved, temporary)

    def _resume(self) -> dict[str, Any]:
        """What was saved, after taking up what every training has; nothing where there is no checkpoint.

        Raises:
            ValueError: the checkpoint is damaged, or of other data or another configuration.
        """
        if self._checkpoint is None or not self._checkpoint.exists():
            return {}
        saved = read_tensors(self._checkpoint)
        found, expected = saved.get("signature"), self._signature()
        if saved.get("format") != self.FORMAT or found != expected:
            raise ValueError(f"{self._checkpoint}: expected a checkpoint of {expected}, got one of {found}")
        self.network.load_state_dict(saved["network"])
        for optimiser, state in zip(self._optimisers, saved["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        self._epoch = saved["epoch"]
        return saved
