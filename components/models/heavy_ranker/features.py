"""Featurisation: from a batch of inputs to one dense vector a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from components.models.heavy_ranker.rows import MISSING_ID

if TYPE_CHECKING:
    from components.models.heavy_ranker.batch import Inputs
    from components.models.heavy_ranker.config import FeatureConfig, IdConfig, NormConfig

# splitmix64: its increment, then (shift, multiplier) of its finaliser, as two's complement.
_INCREMENT = -7046029254386353131
_ROUNDS = ((30, -4658895280553007687), (27, -7723592293110705685))


class DoubleNormLog(nn.Module):
    """Signed log, batch norm and clip of the continuous block, then layer norm over it and the binary block.

    Shapes: (rows, C), (rows, B) -> (rows, C + B). Values that are not finite count as 0.
    Source: recap 2023.
    """

    def __init__(self, continuous: int, binary: int, norm: NormConfig) -> None:
        super().__init__()
        self.clip = norm.clip
        # torch cannot normalise a batch of no columns.
        norms = nn.BatchNorm1d(continuous, eps=norm.batch_epsilon, momentum=norm.momentum)
        self.batch_norm = norms if continuous else nn.Identity()
        self.layer_norm = nn.LayerNorm(continuous + binary, eps=norm.layer_epsilon)

    def forward(self, continuous: Tensor, binary: Tensor) -> Tensor:
        normed = self.batch_norm(signed_log(continuous)).clamp(-self.clip, self.clip)
        return self.layer_norm(torch.cat([normed, binary], dim=1))


def signed_log(values: Tensor) -> Tensor:
    """``sign(x) log(1 + |x|)``; what is not finite counts as 0."""
    if torch.compiler.is_compiling() and not torch.compiler.is_exporting():
        # In generated code a third of the time, and within 2e-7; one operation at a time it would take longer.
        size = values.abs()
        return torch.copysign(torch.log(1.0 + torch.where(size - size == 0.0, size, 0.0)), values)
    finite = torch.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    return torch.sign(finite) * torch.log1p(finite.abs())


class NumberEmbedding(nn.Module):
    """Every column's value times its learned vector; values that are not finite count as 0.

    Shapes: (rows, C) -> (rows, C * dim).
    """

    def __init__(self, columns: int, dim: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.empty(columns, dim))
        # A layer of one input and dim outputs for every column.
        nn.init.normal_(self.vectors, std=(2 / (1 + dim)) ** 0.5)

    def forward(self, continuous: Tensor) -> Tensor:
        finite = torch.nan_to_num(continuous, nan=0.0, posinf=0.0, neginf=0.0)
        return (finite.unsqueeze(2) * self.vectors).flatten(1)


class PretrainedEmbedding(nn.Module):
    """Layer norm of a vector computed elsewhere; a missing one is zero, or a learned default plus a mask input.

    Shapes: (rows, width) -> (rows, width), or (rows, width + 1) with the mask.
    """

    def __init__(self, width: int, *, mask: bool, epsilon: float) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(width, eps=epsilon)
        self.default = nn.Parameter(torch.zeros(width)) if mask else None

    def forward(self, vectors: Tensor) -> Tensor:
        missing = vectors[:, :1].isnan()
        if self.default is None:
            return self.layer_norm(torch.where(missing, 0.0, vectors))
        filled = torch.where(missing, self.default, vectors)
        return torch.cat([self.layer_norm(filled), missing.to(filled.dtype)], dim=1)


class IdEmbedding(nn.Module):
    """A learned table; the values of a row are averaged, a row without values is zero.

    Shapes: (rows, length) int64, -1 for missing -> (rows, dim).
    """

    def __init__(self, table: IdConfig) -> None:
        super().__init__()
        self.size, self.hashes = table.size, table.hashes if table.kind == "hashed" else 0
        self.table = nn.Embedding(table.size, table.dim)
        nn.init.normal_(self.table.weight, std=table.spread or table.dim**-0.5)

    def forward(self, ids: Tensor) -> Tensor:
        present = (ids != MISSING_ID).unsqueeze(2)
        rows = [self._hashed(ids, which) for which in range(self.hashes)] or [ids.clamp(min=0)]
        vectors = torch.stack([self.table(row) for row in rows]).sum(0)
        return torch.where(present, vectors, 0.0).sum(1) / present.sum(1).clamp(min=1)

    def _hashed(self, ids: Tensor, which: int) -> Tensor:
        # Products of int64 wrap, as they do in the unsigned original.
        state = ids + (which + 1) * _INCREMENT % 2**63
        for shift, multiplier in _ROUNDS:
            state = (state ^ _logical_shift(state, shift)) * multiplier
        return (state ^ _logical_shift(state, 31)).remainder(self.size)


def _logical_shift(values: Tensor, bits: int) -> Tensor:
    """Shift to the right that fills with zeros; torch's own repeats the sign."""
    return (values >> bits) & ((1 << (64 - bits)) - 1)


class InputLayer(nn.Module):
    """All features of a row: dense block, number vectors, pre-trained embeddings, id embeddings, missing masks.

    Shapes: ``Inputs`` -> (rows, ``width``).
    """

    def __init__(self, features: FeatureConfig) -> None:
        super().__init__()
        masked = features.missing == "mask"
        vectors = features.norm.vectors if features.continuous else None
        self.normed = 0 if vectors else features.continuous
        dense = self.normed + features.binary
        self.masked = masked and features.continuous > 0
        self.dense = DoubleNormLog(self.normed, features.binary, features.norm) if dense else None
        self.numbers = NumberEmbedding(features.continuous, vectors) if vectors else None
        self.pretrained = nn.ModuleDict(
            {
                name: PretrainedEmbedding(width, mask=masked, epsilon=features.norm.layer_epsilon)
                for name, width in features.embeddings.items()
            }
        )
        self.ids = nn.ModuleDict({name: IdEmbedding(table) for name, table in features.ids.items()})
        self.field_widths = _field_widths(features)
        self.width = sum(self.field_widths)

    def forward(self, inputs: Inputs) -> Tensor:
        parts = self.rest(inputs)
        if self.dense is not None:
            parts.insert(0, self.dense(inputs.continuous[:, : self.normed], inputs.binary))
        return torch.cat(parts, dim=1)

    def rest(self, inputs: Inputs) -> list[Tensor]:
        """What stands behind the dense block, part by part."""
        parts = [] if self.numbers is None else [self.numbers(inputs.continuous)]
        parts += [layer(inputs.embeddings[name]) for name, layer in self.pretrained.items()]
        parts += [layer(inputs.ids[name]) for name, layer in self.ids.items()]
        if self.masked:
            parts.append((~inputs.continuous.isfinite()).to(inputs.continuous.dtype))
        return parts


def _field_widths(features: FeatureConfig) -> tuple[int, ...]:
    mask, vectors = int(features.missing == "mask"), features.norm.vectors
    widths = [features.binary + (0 if vectors else features.continuous)]
    widths += [vectors] * features.continuous if vectors else []
    widths += [width + mask for width in features.embeddings.values()]
    widths += [table.dim for table in features.ids.values()]
    widths += [features.continuous * mask]
    return tuple(width for width in widths if width)
