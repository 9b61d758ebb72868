"""One request's viewer-only inputs enter the first products once, not once a candidate.

The first layer of every mask is linear in what the input layer gives. That layer norm mixes all dense columns of a row,
but only by its mean and deviation: with ``x = (v | c)``, ``W LN(x) = (W' v + W' c - m W' 1) / s + W b``, where ``W'`` is
``W`` times the norm's scale. ``W' v`` is the same for all rows of a request, so the published net needs no change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor, nn
from torch.nn import functional

from components.models.heavy_ranker.masknet import MaskBlock, ParallelMaskNet

if TYPE_CHECKING:
    from components.models.heavy_ranker.batch import Inputs
    from components.models.heavy_ranker.model import HeavyRanker


class ViewerOnce(nn.Module):
    """Logits of one request's rows, (rows, heads), equal to the model's up to rounding.

    Args:
        model: a parallel MaskNet of the ``recap`` form, in evaluation mode.
        viewer: ``(columns,)`` true for dense columns that are equal in all rows of a request.

    Raises:
        ValueError: the model is another one, or has other columns.
    """

    def __init__(self, model: HeavyRanker, viewer: Tensor) -> None:
        super().__init__()
        dense, backbone = model.inputs.dense, model.backbone
        if dense is None or not isinstance(backbone, ParallelMaskNet):
            raise ValueError("viewer once: expected a parallel MaskNet with dense columns")
        if not isinstance(backbone.input_norm, nn.Identity) or model.sharing != "share_all":
            raise ValueError("viewer once: expected the recap form, and towers that share all")
        width = dense.layer_norm.normalized_shape[0]
        if viewer.shape != (width,):
            raise ValueError(f"viewer: expected shape ({width},), got {tuple(viewer.shape)}")
        self.model, self.dense, self.backbone = model, dense, backbone
        self.viewer, self.post = viewer.nonzero()[:, 0], (~viewer).nonzero()[:, 0]
        with torch.no_grad():
            self.firsts = [
                _First.of(block, dense.layer_norm, self.viewer, self.post)
                for block in backbone.blocks
                if isinstance(block, MaskBlock)
            ]

    def forward(self, inputs: Inputs) -> Tensor:
        x = self.model.inputs(inputs)
        raw = self._before_norm(inputs)
        mean = raw.mean(1, keepdim=True)
        scale = torch.rsqrt(raw.var(1, unbiased=False, keepdim=True) + self.dense.layer_norm.eps)
        viewer, post, rest = raw[:1, self.viewer], raw[:, self.post], x[:, raw.shape[1] :]
        outputs = []
        for first in self.firsts:
            aggregated = first(viewer, post, rest, mean, scale)
            mask = first.block.project(functional.relu(aggregated))
            outputs.append(first.block.layer_norm(first.block.hidden(x * mask)))
        hidden = self.backbone.mlp(torch.cat(outputs, dim=1))
        return torch.cat([tower(hidden) for tower in self.model.towers.values()], dim=1).float()

    def _before_norm(self, inputs: Inputs) -> Tensor:
        finite = torch.nan_to_num(inputs.continuous, nan=0.0, posinf=0.0, neginf=0.0)
        logged = torch.sign(finite) * torch.log1p(finite.abs())
        normed = self.dense.batch_norm(logged).clamp(-self.dense.clip, self.dense.clip)
        return torch.cat([normed, inputs.binary], dim=1)


@attrs.frozen(eq=False)
class _First:
    """A block's first layer, split by columns; ``total`` is what the rows' mean is multiplied by."""

    block: MaskBlock
    viewer: Tensor
    post: Tensor
    rest: Tensor
    total: Tensor
    shift: Tensor

    @classmethod
    def of(cls, block: MaskBlock, norm: nn.LayerNorm, viewer: Tensor, post: Tensor) -> _First:
        weight, width = block.aggregate.weight, norm.normalized_shape[0]
        scaled = weight[:, :width] * norm.weight
        shift = weight[:, :width] @ norm.bias + block.aggregate.bias
        return cls(
            block, scaled[:, viewer].clone(), scaled[:, post].clone(), weight[:, width:], scaled.sum(1), shift
        )

    def __call__(self, viewer: Tensor, post: Tensor, rest: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        dense = functional.linear(viewer, self.viewer) + functional.linear(post, self.post)
        return (dense - mean * self.total) * scale + functional.linear(rest, self.rest, self.shift)
