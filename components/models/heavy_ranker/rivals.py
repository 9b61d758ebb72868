"""Networks that a MaskNet has to beat under the same trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from components.models.heavy_ranker.layers import CastLinear, mlp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.models.heavy_ranker.config import ModelConfig


class CrossLayer(nn.Module):
    """``x0 * (W x + b) + x``: one more degree of feature interaction; ``W = U V`` where a rank is given.

    Source: DCN-V2 (WWW 2021).
    """

    def __init__(self, inputs: int, rank: int | None = None) -> None:
        super().__init__()
        self.reduce = nn.Identity() if rank is None else CastLinear(inputs, rank, bias=False)
        self.expand = CastLinear(rank or inputs, inputs)

    def forward(self, first: Tensor, x: Tensor) -> Tensor:
        crossed = self.expand(self.reduce(x))
        return first.to(crossed.dtype) * crossed + x.to(crossed.dtype)


class DeepCrossNetwork(nn.Module):
    """DCN-V2, parallel: cross layers beside an mlp, both read the input."""

    def __init__(self, fields: Sequence[int], model: ModelConfig) -> None:
        super().__init__()
        inputs = sum(fields)
        rank = None if model.block.form == "paper" else min(model.block.width, inputs)
        self.crosses = nn.ModuleList(CrossLayer(inputs, rank) for _ in range(model.blocks))
        self.mlp = mlp(inputs, model.mlp, model.block)
        self.width = inputs + (model.mlp[-1] if model.mlp else 0)

    def forward(self, x: Tensor) -> Tensor:
        crossed = x
        for cross in self.crosses:
            crossed = cross(x, crossed)
        return torch.cat([crossed, self.mlp(x)], dim=1) if len(self.mlp) else crossed


class DeepNetwork(nn.Module):
    """A plain mlp."""

    def __init__(self, fields: Sequence[int], model: ModelConfig) -> None:
        super().__init__()
        self.mlp = mlp(sum(fields), model.mlp, model.block)
        self.width = model.mlp[-1]

    def forward(self, x: Tensor) -> Tensor:
        return self.mlp(x)
