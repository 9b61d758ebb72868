"""Layers that all networks share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.models.heavy_ranker.config import BlockConfig


class CastLinear(nn.Linear):
    """A linear layer that computes in the type of its weights; Xavier-uniform weights, zero bias.

    Source: recap 2023 initialises mask, hidden and mlp layers so.
    """

    def reset_parameters(self) -> None:
        nn.init.xavier_uniform_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        # Autocast chooses the type itself; casting before it would undo its choice.
        keep = torch.is_autocast_enabled(input.device.type)
        return functional.linear(input if keep else input.to(self.weight.dtype), self.weight, self.bias)


def mlp(inputs: int, hidden: Sequence[int], block: BlockConfig) -> nn.Sequential:
    """Linear, batch norm where the block has it, ReLU and dropout for every hidden width."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers.append(CastLinear(inputs, width))
        if block.norms.mlp:
            layers.append(nn.BatchNorm1d(width))
        layers.append(nn.ReLU())
        if block.dropout:
            layers.append(nn.Dropout(block.dropout))
        inputs = width
    return nn.Sequential(*layers)


def tower(inputs: int, hidden: Sequence[int], dropout: float, *, batch_norm: bool) -> nn.Sequential:
    """A head: linear, batch norm without affine, ReLU, dropout for every hidden width, then one logit.

    Source: recap 2023 (order of the four, momentum 0.1, affine off).
    """
    layers: list[nn.Module] = []
    for width in hidden:
        layers.append(CastLinear(inputs, width))
        if batch_norm:
            layers.append(nn.BatchNorm1d(width, affine=False, momentum=0.1))
        layers.append(nn.ReLU())
        if dropout:
            layers.append(nn.Dropout(dropout))
        inputs = width
    return nn.Sequential(*layers, CastLinear(inputs, 1))
