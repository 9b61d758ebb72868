"""All towers as one: for small networks, where ten times a few tiny products cost more than what they compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from components.models.heavy_ranker.model import HeavyRanker


class FusedTowers(nn.Module):
    """The logits of every tower, (rows, width) -> (rows, heads), with batch norms folded into the layers before.

    Equal to the towers in evaluation mode up to rounding; dropout is gone.
    """

    def __init__(self, towers: list[nn.Sequential]) -> None:
        super().__init__()
        layers = [_folded(tower) for tower in towers]
        self.first_weight = nn.Parameter(torch.cat([tower[0][0] for tower in layers]))
        self.first_bias = nn.Parameter(torch.cat([tower[0][1] for tower in layers]))
        later = list(zip(*(tower[1:] for tower in layers), strict=True))
        self.weights = nn.ParameterList(torch.stack([weight.T for weight, _ in level]) for level in later)
        self.biases = nn.ParameterList(torch.stack([bias for _, bias in level])[:, None] for level in later)
        self.heads = len(towers)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.later(
            functional.linear(hidden.to(self.first_weight.dtype), self.first_weight, self.first_bias)
        )

    def later(self, wide: Tensor) -> Tensor:
        """The logits from what the first layers of all towers give, side by side."""
        if not len(self.weights):
            return wide
        x = wide.unflatten(1, (self.heads, -1)).transpose(0, 1)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            x = torch.baddbmm(bias, x.relu().to(weight.dtype), weight)
        return x[:, :, 0].T


def _folded(tower: nn.Sequential) -> list[tuple[Tensor, Tensor]]:
    layers: list[tuple[Tensor, Tensor]] = []
    for layer in tower:
        if isinstance(layer, nn.Linear):
            layers.append((layer.weight.detach(), layer.bias.detach()))
        elif isinstance(layer, nn.BatchNorm1d):
            weight, bias = layers[-1]
            mean, variance = layer.running_mean, layer.running_var
            assert mean is not None  # noqa: S101 - the towers' norms track their statistics
            assert variance is not None  # noqa: S101
            scale = torch.rsqrt(variance + layer.eps)
            layers[-1] = (weight * scale[:, None], (bias - mean) * scale)
    return layers


def fuse_towers(model: HeavyRanker) -> HeavyRanker:
    """Replaces, in place, the towers of a model that only serves."""
    towers = [tower for tower in model.towers.values() if isinstance(tower, nn.Sequential)]
    model.towers = nn.ModuleDict({"fused": FusedTowers(towers)})
    return model.eval()
