"""Several processes that train one model (torchrun)."""

from __future__ import annotations

import os
from typing import TypeVar

import attrs
import torch
from torch import distributed, nn

T = TypeVar("T")


@attrs.frozen
class Workers:
    """This process among those that train together; alone by default."""

    rank: int = 0
    count: int = 1

    @classmethod
    def from_environment(cls) -> Workers:
        """Joins the group that torchrun describes in the environment; alone without torchrun."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls()
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def leads(self) -> bool:
        """Whether this process evaluates, logs and saves."""
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model as the loop calls it: with several processes, gradients are averaged over them."""
        return model if self.count == 1 else nn.parallel.DistributedDataParallel(model)

    def agree(self, value: T) -> T:
        """The leader's value, in every process."""
        if self.count == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]

    def leave(self) -> None:
        """Ends the group."""
        if self.count > 1:
            distributed.destroy_process_group()
