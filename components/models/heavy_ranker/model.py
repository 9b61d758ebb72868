"""The network: input layer, backbone, one tower a head."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from components.models.heavy_ranker.features import InputLayer
from components.models.heavy_ranker.layers import CastLinear, tower
from components.models.heavy_ranker.masknet import ParallelMaskNet, SerialMaskNet
from components.models.heavy_ranker.rivals import DeepCrossNetwork, DeepNetwork

if TYPE_CHECKING:
    from components.models.heavy_ranker.batch import Inputs
    from components.models.heavy_ranker.config import RankerConfig

BACKBONES = {
    "parallel_masknet": ParallelMaskNet,
    "serial_masknet": SerialMaskNet,
    "dcn_v2": DeepCrossNetwork,
    "dnn": DeepNetwork,
}


class HeavyRanker(nn.Module):
    """Logits of every head, (rows, heads) float32, in the order of ``heads``.

    In evaluation mode a row's answer depends on that row alone.
    """

    def __init__(self, config: RankerConfig) -> None:
        super().__init__()
        model = config.model
        self.heads, self.sharing = config.head_names, model.sharing
        self.inputs = InputLayer(config.features)
        shared = model.sharing != "share_none"
        self.backbone = BACKBONES[model.kind](self.inputs.field_widths, model) if shared else None
        width = cast(int, self.backbone.width) if self.backbone is not None else self.inputs.width
        width += self.inputs.width if model.sharing == "share_partial" else 0
        self.towers = nn.ModuleDict(
            {
                # torch reserves the dot in names.
                name.replace(".", "__"): tower(
                    width, model.tower.hidden, head.dropout, batch_norm=model.tower.batch_norm
                )
                for name, head in config.heads.items()
            }
        )

    def forward(self, inputs: Inputs) -> Tensor:
        x = self.inputs(inputs)
        if self.backbone is None:
            hidden = x
        elif self.sharing == "share_partial":
            hidden = torch.cat([x, self.backbone(x).to(x.dtype)], dim=1)
        else:
            hidden = self.backbone(x)
        return torch.cat([tower(hidden) for tower in self.towers.values()], dim=1).float()


def parameter_count(model: nn.Module) -> int:
    """Learned parameters; running statistics are none."""
    return sum(parameter.numel() for parameter in model.parameters())


def to_bfloat16(model: HeavyRanker) -> HeavyRanker:
    """Casts, in place, the weights of all matrix products but each head's last to bfloat16.

    Norms, the last layer and its logits stay float32: a calibration shift of many nats is added to them.
    """
    last = {id(tower[-1]) for tower in model.towers.values() if isinstance(tower, nn.Sequential)}
    for module in model.modules():
        if isinstance(module, CastLinear) and id(module) not in last:
            module.to(torch.bfloat16)
    return model
