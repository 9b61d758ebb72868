"""The parallel MaskNet in 8-bit integers: all its matrix products but the towers' later layers run on int8 units.

A weight is rounded by a step for each output, an activation by a step for each column that a sample of rows fixes. Steps
cost nothing while serving: they are multiplied into the weights of the layer behind, and divide those of the layer
before. Norms and products with masks are computed in float, and rounded in the same pass.
Source: SmoothQuant (ICML 2023) shares what is hard to round between activation and weight by their square roots.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor, nn
from torch.nn import functional

from components.models.heavy_ranker.fused import FusedTowers
from components.models.heavy_ranker.masknet import MaskBlock, ParallelMaskNet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.models.heavy_ranker.batch import Inputs
    from components.models.heavy_ranker.model import HeavyRanker

HEADROOM = 1.2
"""How far past what the sample holds a value is clipped: the largest error falls, and the mean one hardly rises."""
TINY = 1e-6
"""Stands for the range of a column that was 0 throughout the sample."""


def has_int8() -> bool:
    """Was torch built with the products of 8-bit integers that this module calls?"""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.onednn, "qlinear_pointwise")


class Int8Ranker(nn.Module):
    """Logits of every head, (rows, heads), as the model gives them but for rounding.

    Args:
        model: a parallel MaskNet of the ``recap`` form with float32 weights, in evaluation mode.
        sample: rows that fix the range of every activation; what lies outside is clipped.
        compiled: compile what stands between the products; it takes seconds at the first call.

    Raises:
        ValueError: the model is another one, or torch has no such products here.
    """

    scale: Tensor

    def __init__(self, model: HeavyRanker, sample: Inputs, *, compiled: bool = False) -> None:
        super().__init__()
        blocks = _blocks(model)
        self.inputs = model.inputs
        with torch.no_grad():
            self.towers, first = _narrow_towers(model)
            x = model.inputs(sample)
            code = Code.of(x, torch.cat([block.aggregate.weight for block in blocks]))
            self.register_buffer("scale", 1 / code.step)
            self.blocks = nn.ModuleList(_Block(block, x, code) for block in blocks)
            joined = torch.cat([block(x, x) for block in blocks], dim=1)
            self.layers, code = _chain([*_mlp(model), first], joined)
            norms = [block.layer_norm for block in blocks if isinstance(block.layer_norm, nn.LayerNorm)]
            steps = code.step.split([len(norm.weight) for norm in norms])
            self.norms = nn.ModuleList(map(_divided, norms, steps))
        for owner, part in self._between() if compiled else ():
            # Requests differ in length; without this every new length would compile anew.
            setattr(owner, part, torch.compile(getattr(owner, part), dynamic=True))

    def forward(self, inputs: Inputs) -> Tensor:
        x, codes = self.enter(inputs)
        codes = self.join([block(x, codes) for block in self.blocks])
        for layer in self.layers[:-1]:
            codes = layer(codes, positive=True)
        return self.leave(self.layers[-1](codes))

    def _between(self) -> list[tuple[nn.Module, str]]:
        return [
            (self, "enter"),
            (self, "join"),
            (self, "leave"),
            *((block, "multiply") for block in self.blocks),
        ]

    def enter(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """The input of all blocks, in bfloat16 and coded."""
        x = self.inputs(inputs)
        return x.bfloat16(), _signed(x * self.scale)

    def join(self, hidden: Sequence[Tensor]) -> Tensor:
        """The blocks' outputs, normalised, side by side and coded."""
        return torch.cat(
            [_signed(norm(part.float())) for norm, part in zip(self.norms, hidden, strict=True)], dim=1
        )

    def leave(self, wide: Tensor) -> Tensor:
        """Logits from the first layer of all towers."""
        return self.towers.later(wide).float()


@attrs.frozen(eq=False)
class Code:
    """How an activation is written in 8 bits: ``value = step * (code - zero)``; step (columns,), zero 0 or 128."""

    step: Tensor
    zero: int

    @classmethod
    def of(cls, seen: Tensor, weight: Tensor, *, positive: bool = False) -> Code:
        """The code for values like those seen, (rows, columns), before a product with weight (outputs, columns)."""
        largest = seen.abs().amax(0).clamp(min=TINY)
        shared = (largest / weight.abs().amax(0).clamp(min=TINY)).sqrt()
        top = HEADROOM * (largest / shared).amax()
        return cls(shared * top / 255, 0) if positive else cls(shared * top / 127, 128)


class Int8Linear(nn.Module):
    """``W x + b`` of a coded x, (rows, columns) uint8 -> (rows, outputs) bfloat16, divided by ``divisor`` where told."""

    def __init__(self, weight: Tensor, bias: Tensor, code: Code, divisor: Tensor | None = None) -> None:
        super().__init__()
        if divisor is not None:
            weight, bias = weight / divisor[:, None], bias / divisor
        weight = weight * code.step
        scale = weight.abs().amax(1).clamp(min=TINY**2) / 127
        self.zero = code.zero
        self.register_buffer("scale", scale)
        self.register_buffer("zeros", torch.zeros(len(scale), dtype=torch.int64))
        self.register_buffer("bias", bias.clone())
        rounded = (weight / scale[:, None]).round().to(torch.int8)
        self.packed = torch.ops.onednn.qlinear_prepack(rounded, None)

    def forward(self, codes: Tensor, *, positive: bool = False) -> Tensor:
        """Where asked, after ReLU and rounded to uint8: the next layer's code, if that is one of positive values."""
        kind, then = (torch.uint8, "relu") if positive else (torch.bfloat16, "none")
        weight = self.packed, self.scale, self.zeros
        return torch.ops.onednn.qlinear_pointwise(
            codes, 1.0, self.zero, *weight, self.bias, 1.0, 0, kind, then, [], ""
        )


class _Block(nn.Module):
    """A mask block without its norm; x (rows, inputs) bfloat16, and coded -> (rows, width) bfloat16."""

    def __init__(self, block: MaskBlock, x: Tensor, code: Code) -> None:
        super().__init__()
        aggregated = functional.relu(block.aggregate(x))
        masked = x * block.project(aggregated)
        inner = Code.of(aggregated, block.project.weight, positive=True)
        outer = Code.of(masked, block.hidden.weight)
        self.aggregate = Int8Linear(block.aggregate.weight, block.aggregate.bias, code, inner.step)
        self.project = Int8Linear(block.project.weight, block.project.bias, inner, outer.step)
        self.hidden = Int8Linear(block.hidden.weight, block.hidden.bias, outer)

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        return self.hidden(self.multiply(x, self.project(self.aggregate(codes, positive=True))))

    def multiply(self, x: Tensor, mask: Tensor) -> Tensor:
        """The masked input, coded."""
        return _signed(x.float() * mask.float())


def _signed(steps: Tensor) -> Tensor:
    """The code of so many steps; what is cut off behind the point rounds, because a half was added."""
    return (steps + 128.5).clamp(0, 255).to(torch.uint8)


def _blocks(model: HeavyRanker) -> list[MaskBlock]:
    backbone = model.backbone
    if not isinstance(backbone, ParallelMaskNet) or not _is_recap(backbone):
        raise ValueError("int8: expected a parallel MaskNet of the recap form")
    if model.sharing != "share_all":
        raise ValueError("int8: expected towers that share all")
    if not has_int8():
        raise ValueError("int8: this build of torch has no 8-bit matrix products (oneDNN)")
    return [block for block in backbone.blocks if isinstance(block, MaskBlock)]


def _is_recap(backbone: ParallelMaskNet) -> bool:
    """Nothing but what this module knows how to round: norms behind blocks, none elsewhere, ReLU in the mlp alone."""
    blocks = [block for block in backbone.blocks if isinstance(block, MaskBlock)]
    return (
        isinstance(backbone.input_norm, nn.Identity)
        and all(isinstance(block.layer_norm, nn.LayerNorm) and not block.activate for block in blocks)
        and not any(isinstance(layer, nn.BatchNorm1d) for layer in backbone.mlp)
    )


def _mlp(model: HeavyRanker) -> list[tuple[Tensor, Tensor]]:
    assert isinstance(model.backbone, ParallelMaskNet)  # noqa: S101 - as _blocks saw
    return [(layer.weight, layer.bias) for layer in model.backbone.mlp if isinstance(layer, nn.Linear)]


def _narrow_towers(model: HeavyRanker) -> tuple[FusedTowers, tuple[Tensor, Tensor]]:
    """The towers, in bfloat16 between their first and last layer, and the weight and bias of the first."""
    towers = FusedTowers([tower for tower in model.towers.values() if isinstance(tower, nn.Sequential)])
    for parameter in (*list(towers.weights)[:-1], *list(towers.biases)[:-1]):
        parameter.data = parameter.data.bfloat16()
    return towers, (towers.first_weight, towers.first_bias)


def _chain(layers: list[tuple[Tensor, Tensor]], seen: Tensor) -> tuple[nn.ModuleList, Code]:
    """Layers with ReLU between them, each giving the next one's code, and the code that the first takes."""
    codes: list[Code] = []
    for weight, bias in layers:
        codes.append(Code.of(seen, weight, positive=bool(codes)))
        seen = functional.relu(functional.linear(seen, weight, bias))
    made = nn.ModuleList()
    for place, (weight, bias) in enumerate(layers):
        following = codes[place + 1].step if place + 1 < len(codes) else None
        made.append(Int8Linear(weight, bias, codes[place], following))
    return made, codes[0]


def _divided(norm: nn.LayerNorm, step: Tensor) -> nn.LayerNorm:
    """A layer norm that gives steps."""
    copied = copy.deepcopy(norm)
    copied.weight.div_(step)
    copied.bias.div_(step)
    return copied
