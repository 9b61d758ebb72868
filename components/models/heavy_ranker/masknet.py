"""MaskNet: blocks that multiply what they read by a mask computed from the input.

Source: MaskNet (DLP-KDD 2021) for the ``paper`` form; recap 2023 for the ``recap`` form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from components.models.heavy_ranker.layers import CastLinear, mlp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.models.heavy_ranker.config import BlockConfig, ModelConfig


class MaskBlock(nn.Module):
    """``LayerNorm(hidden(x * mask(v)))``, with ``mask(v) = W2 ReLU(W1 v)``.

    The paper's form adds a ReLU, and its hidden layer has no bias.

    Shapes: x (rows, inputs), v (rows, mask_inputs) -> (rows, width).
    """

    def __init__(self, inputs: int, mask_inputs: int, block: BlockConfig) -> None:
        super().__init__()
        aggregation = block.aggregation_for(inputs)
        self.aggregate = CastLinear(mask_inputs, aggregation)
        self.project = CastLinear(aggregation, inputs)
        self.activate = block.form == "paper"
        self.hidden = CastLinear(inputs, block.width, bias=not self.activate)
        self.layer_norm = nn.LayerNorm(block.width) if block.norms.blocks else nn.Identity()
        self.dropout = nn.Dropout(block.dropout)

    def forward(self, x: Tensor, mask_input: Tensor) -> Tensor:
        mask = self.project(functional.relu(self.aggregate(mask_input)))
        hidden = self.layer_norm(self.hidden(x.to(mask.dtype) * mask))
        return self.dropout(functional.relu(hidden) if self.activate else hidden)


class FieldNorm(nn.Module):
    """Layer norm of every field by itself, as the paper does before the first multiplication."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = list(widths)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths)

    def forward(self, x: Tensor) -> Tensor:
        parts = x.split(self.widths, dim=1)
        return torch.cat([norm(part) for norm, part in zip(self.norms, parts, strict=True)], dim=1)


def _input_norm(fields: Sequence[int], block: BlockConfig) -> nn.Module:
    return FieldNorm(fields) if block.form == "paper" and block.norms.inputs else nn.Identity()


class ParallelMaskNet(nn.Module):
    """Every block reads the input; their outputs, side by side, pass the mlp."""

    def __init__(self, fields: Sequence[int], model: ModelConfig) -> None:
        super().__init__()
        inputs = sum(fields)
        self.input_norm = _input_norm(fields, model.block)
        self.blocks = nn.ModuleList(MaskBlock(inputs, inputs, model.block) for _ in range(model.blocks))
        joined = model.blocks * model.block.width
        self.mlp = mlp(joined, model.mlp, model.block)
        self.width = model.mlp[-1] if model.mlp else joined

    def forward(self, x: Tensor) -> Tensor:
        normed = self.input_norm(x)
        return self.mlp(torch.cat([block(normed, x) for block in self.blocks], dim=1))


class SerialMaskNet(nn.Module):
    """Each block reads the one before it; the mask always comes from the input."""

    def __init__(self, fields: Sequence[int], model: ModelConfig) -> None:
        super().__init__()
        inputs, width = sum(fields), model.block.width
        self.input_norm = _input_norm(fields, model.block)
        self.blocks = nn.ModuleList(
            MaskBlock(inputs if index == 0 else width, inputs, model.block) for index in range(model.blocks)
        )
        self.mlp = mlp(width, model.mlp, model.block)
        self.width = model.mlp[-1] if model.mlp else width

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.input_norm(x)
        for block in self.blocks:
            hidden = block(hidden, x)
        return self.mlp(hidden)
