"""The multi-task loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from components.models.heavy_ranker.batch import Labels


def head_losses(
    logits: Tensor, heads: Sequence[str], labels: Labels, cell_weights: Tensor | None = None
) -> Tensor:
    """Weighted binary cross entropy of each head, (heads,), averaged over its rows that count.

    Args:
        logits: ``(rows, heads)``, its columns named by ``heads``.
        cell_weights: ``(rows, heads)``; a cell of weight 0 is left out of its head's mean.

    Raises:
        ValueError: the labels are bound to other heads, or in another order.
    """
    if tuple(heads) != labels.heads:
        raise ValueError(f"labels are bound to heads {labels.heads}, but the logits are of {tuple(heads)}")
    losses = functional.binary_cross_entropy_with_logits(
        logits, labels.values, cell_weights, reduction="none"
    )
    if cell_weights is None:
        return losses.mean(dim=0)
    return losses.sum(dim=0) / (cell_weights > 0).sum(dim=0).clamp(min=1)


def total_loss(losses: Tensor, weights: Sequence[float]) -> Tensor:
    """Mean over heads of the weighted head losses."""
    return (losses * torch.tensor(weights, dtype=losses.dtype, device=losses.device)).mean()
