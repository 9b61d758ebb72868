"""One request's viewer-only inputs are computed and enter the first products once, not once a candidate.

The first layer of every mask is linear in what the input layer gives. That layer norm mixes all dense columns of a row,
but only by its mean and deviation: with ``x = (v | c)``, ``W LN(x) = (W' v + W' c - m W' 1) / s + W b``, where ``W'`` is
``W`` times the norm's scale. ``W' v`` is the same for all rows of a request, so the published net needs no change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from components.models.heavy_ranker.features import signed_log
from components.models.heavy_ranker.masknet import MaskBlock, ParallelMaskNet

if TYPE_CHECKING:
    from components.models.heavy_ranker.batch import Inputs
    from components.models.heavy_ranker.features import DoubleNormLog
    from components.models.heavy_ranker.model import HeavyRanker


class ViewerOnce(nn.Module):
    """Logits of one request's rows, (rows, heads), equal to the model's up to rounding.

    Args:
        model: a parallel MaskNet of the ``recap`` form, in evaluation mode; with bfloat16 weights, if it has such.
        viewer: ``(columns,)`` true for dense columns that are equal in all rows of a request.

    Raises:
        ValueError: the model is another one, or has other columns.
    """

    def __init__(self, model: HeavyRanker, viewer: Tensor) -> None:
        super().__init__()
        dense, backbone = model.inputs.dense, model.backbone
        if dense is None or not isinstance(backbone, ParallelMaskNet):
            raise ValueError("viewer once: expected a parallel MaskNet with dense columns")
        blocks = [block for block in backbone.blocks if isinstance(block, MaskBlock)]
        if any(block.activate for block in blocks) or model.sharing != "share_all":
            raise ValueError("viewer once: expected the recap form, and towers that share all")
        width = dense.layer_norm.normalized_shape[0]
        if viewer.shape != (width,):
            raise ValueError(f"viewer: expected shape ({width},), got {tuple(viewer.shape)}")
        self.inputs, self.towers, self.mlp = model.inputs, model.towers, backbone.mlp
        columns = viewer.nonzero()[:, 0], (~viewer).nonzero()[:, 0]
        self.viewer, self.post = (_Columns(dense, chosen) for chosen in columns)
        self.layer_norm = _Norm(dense.layer_norm, torch.cat(columns))
        behind = torch.arange(width, model.inputs.width, device=viewer.device)
        order = torch.cat([*columns, behind])
        self.blocks = nn.ModuleList(
            _Block(block, self.layer_norm, order, len(columns[0])) for block in blocks
        )

    def forward(self, inputs: Inputs) -> Tensor:
        viewer = self.viewer(inputs.continuous[:1], inputs.binary[:1])
        post = self.post(inputs.continuous, inputs.binary)
        rest = torch.cat(self.inputs.rest(inputs) or [post[:, :0]], dim=1)
        mean, scale = self.layer_norm.statistics(viewer, post)
        x = torch.cat([self.layer_norm(viewer, post, mean, scale), rest], dim=1)
        hidden = torch.cat([block(x, viewer, post, rest, mean, scale) for block in self.blocks], dim=1)
        hidden = self.mlp(hidden)
        return torch.cat([tower(hidden) for tower in self.towers.values()], dim=1).float()


class _Columns(nn.Module):
    """Some columns of the dense block as they are before its layer norm; batch norm is a multiplication by now."""

    continuous: Tensor
    binary: Tensor
    scale: Tensor
    shift: Tensor

    def __init__(self, dense: DoubleNormLog, columns: Tensor) -> None:
        super().__init__()
        norm, self.clip = dense.batch_norm, dense.clip
        continuous = norm.num_features if isinstance(norm, nn.BatchNorm1d) else 0
        self.register_buffer("continuous", columns[columns < continuous])
        self.register_buffer("binary", columns[columns >= continuous] - continuous)
        scale, shift = _affine(norm) if isinstance(norm, nn.BatchNorm1d) else (torch.ones(0), torch.zeros(0))
        self.register_buffer("scale", scale[self.continuous])
        self.register_buffer("shift", shift[self.continuous])

    def forward(self, continuous: Tensor, binary: Tensor) -> Tensor:
        normed = signed_log(continuous[:, self.continuous]) * self.scale + self.shift
        return torch.cat([normed.clamp(-self.clip, self.clip), binary[:, self.binary]], dim=1)


def _affine(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """What a batch norm multiplies by and adds once training is over."""
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("viewer once: expected batch norms with running statistics")
    scale = norm.weight.detach() * torch.rsqrt(norm.running_var + norm.eps)
    return scale, norm.bias.detach() - norm.running_mean * scale


class _Norm(nn.Module):
    """The dense block's layer norm over columns that come in two parts, one of them a single row."""

    weight: Tensor
    bias: Tensor

    def __init__(self, norm: nn.LayerNorm, order: Tensor) -> None:
        super().__init__()
        self.eps = norm.eps
        self.register_buffer("weight", norm.weight.detach()[order])
        self.register_buffer("bias", norm.bias.detach()[order])

    def statistics(self, viewer: Tensor, post: Tensor) -> tuple[Tensor, Tensor]:
        """``(rows, 1)`` mean, and what the difference from it is multiplied by."""
        width = len(self.weight)
        mean = (viewer.sum(1, keepdim=True) + post.sum(1, keepdim=True)) / width
        # Of the viewer's part once: sum (v - m)^2 = sum (v - v')^2 + count (v' - m)^2, where v' is its own mean.
        own = viewer.mean(1, keepdim=True) if viewer.shape[1] else mean[:1]
        spread = (viewer - own).square().sum(1, keepdim=True) + viewer.shape[1] * (own - mean).square()
        spread = spread + (post - mean).square().sum(1, keepdim=True)
        return mean, torch.rsqrt(spread / width + self.eps)

    def forward(self, viewer: Tensor, post: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        raw = torch.cat([viewer.expand(len(post), -1), post], dim=1)
        return (raw - mean) * scale * self.weight + self.bias


class _Block(nn.Module):
    """A mask block whose first layer is split by columns, and whose others take columns in the new order."""

    viewer: Tensor
    post: Tensor
    rest: Tensor
    total: Tensor
    shift: Tensor
    project: Tensor
    project_bias: Tensor
    hidden: Tensor
    hidden_bias: Tensor

    def __init__(self, block: MaskBlock, norm: _Norm, order: Tensor, viewers: int) -> None:
        super().__init__()
        kind, dense = block.aggregate.weight.dtype, len(norm.weight)
        weight = block.aggregate.weight.detach().float()[:, order]
        scaled = (weight[:, :dense] * norm.weight).to(kind)
        self.register_buffer("viewer", scaled[:, :viewers].clone())
        self.register_buffer("post", scaled[:, viewers:].clone())
        self.register_buffer("rest", weight[:, dense:].to(kind))
        # What the mean of a row is multiplied by, and what is added to every row.
        self.register_buffer("total", scaled.float().sum(1))
        self.register_buffer("shift", weight[:, :dense] @ norm.bias + block.aggregate.bias.detach().float())
        self.register_buffer("project", block.project.weight.detach()[order])
        self.register_buffer("project_bias", block.project.bias.detach()[order])
        self.register_buffer("hidden", block.hidden.weight.detach()[:, order].clone())
        self.register_buffer("hidden_bias", block.hidden.bias.detach())
        self.layer_norm = block.layer_norm

    def forward(
        self, x: Tensor, viewer: Tensor, post: Tensor, rest: Tensor, mean: Tensor, scale: Tensor
    ) -> Tensor:
        kind = self.post.dtype
        dense = functional.linear(viewer.to(kind), self.viewer) + functional.linear(post.to(kind), self.post)
        aggregated = (
            (dense - mean * self.total) * scale + functional.linear(rest.to(kind), self.rest) + self.shift
        )
        mask = functional.linear(functional.relu(aggregated).to(kind), self.project, self.project_bias)
        hidden = functional.linear(x.to(kind) * mask, self.hidden, self.hidden_bias)
        return self.layer_norm(hidden)
