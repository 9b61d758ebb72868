"""The model as torch sees it: two tables, and the loss of a batch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional


class TwhinNetwork(nn.Module):
    """Entity vectors ``(entities, d)`` and relation vectors ``(relations, d)``, starting small and at nothing."""

    def __init__(self, entities: int, relations: int, dimensions: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        start = torch.randn(entities, dimensions, generator=generator) / dimensions**0.5
        self.entities = nn.Embedding.from_pretrained(start, freeze=False, sparse=True)
        self.relations = nn.Parameter(torch.zeros(relations, dimensions))

    def entity(self, rows: Tensor) -> Tensor:
        """Vectors of length 1."""
        return functional.normalize(self.entities(rows), dim=-1)

    def forward_query(self, sources: Tensor, relations: Tensor) -> Tensor:
        """Where targets are expected."""
        return functional.normalize(self.entity(sources) + self.relations[relations], dim=-1)

    def backward_query(self, targets: Tensor, relations: Tensor) -> Tensor:
        """Where sources are expected: the translation undone."""
        return functional.normalize(self.entity(targets) - self.relations[relations], dim=-1)


def ranking_loss(
    queries: Tensor,
    truths: Tensor,
    negatives: Tensor,
    log_expected: Tensor,
    collisions: tuple[NDArray[np.int64], NDArray[np.int64]],
    rivals: Tensor | None = None,
) -> Tensor:
    """Sampled softmax: the mean of ``-log P(truth)`` among the truth and all entities, estimated from negatives.

    Args:
        queries: ``(b, d)``, divided by the temperature.
        truths: ``(b, d)``.
        negatives: ``(n, d)``, shared by the batch.
        log_expected: ``(n,)`` log of how often each was expected to be drawn (log Q).
        collisions: (row, negative) pairs where a negative is the row's own truth.
        rivals: ``(b, d)`` one certain negative a row.
    """
    positive = (queries * truths).sum(dim=-1)
    logits = torch.addmm(-log_expected, queries, negatives.T)
    if len(collisions[0]):
        rows, columns = (torch.from_numpy(part) for part in collisions)
        logits = logits.index_put((rows, columns), torch.tensor(-torch.inf))
    against = torch.logsumexp(logits, dim=-1)
    if rivals is not None:
        against = torch.logaddexp(against, (queries * rivals).sum(dim=-1))
    return functional.softplus(against - positive).mean()


def collisions(
    truths: NDArray[np.int64], negatives: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(row, negative) positions of equal entities."""
    order = np.argsort(negatives, kind="stable")
    first = np.searchsorted(negatives, truths, side="left", sorter=order)
    last = np.searchsorted(negatives, truths, side="right", sorter=order)
    rows = np.repeat(np.arange(len(truths)), last - first)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(last - first) - (last - first), last - first)
    return rows, order[np.repeat(first, last - first) + within]
