"""The model as torch sees it: two tables, and the loss of a batch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from components.embeddings.twhin.config import TwhinConfig


class TwhinNetwork(nn.Module):
    """Entity vectors ``(entities, d)`` and relation vectors ``(relations, d)``.

    For cosines everything has length 1, and relations start at nothing. For distances vectors are free, and start
    evenly within ``(margin + 2) / d`` of 0 (Sun et al. 2019).
    """

    def __init__(self, entities: int, relations: int, config: TwhinConfig) -> None:
        super().__init__()
        generator, dimensions = torch.Generator().manual_seed(config.seed), config.dimensions
        self.unit = config.objective == "cosine"
        within = (config.margin + 2.0) / dimensions

        def evenly(rows: int) -> Tensor:
            return (torch.rand(rows, dimensions, generator=generator) * 2.0 - 1.0) * within

        if self.unit:
            start = torch.randn(entities, dimensions, generator=generator) / dimensions**0.5
        else:
            start = evenly(entities)
        self.entities = nn.Embedding.from_pretrained(start, freeze=False, sparse=True)
        self.relations = nn.Parameter(torch.zeros(relations, dimensions) if self.unit else evenly(relations))

    def entity(self, rows: Tensor) -> Tensor:
        """Vectors of entities."""
        return self._scaled(self.entities(rows))

    def forward_query(self, sources: Tensor, relations: Tensor) -> Tensor:
        """Where targets are expected."""
        return self._scaled(self.entity(sources) + self.relations[relations])

    def backward_query(self, targets: Tensor, relations: Tensor) -> Tensor:
        """Where sources are expected: the translation undone."""
        return self._scaled(self.entity(targets) - self.relations[relations])

    def _scaled(self, vectors: Tensor) -> Tensor:
        return functional.normalize(vectors, dim=-1) if self.unit else vectors


def margin_loss(
    queries: Tensor,
    truths: Tensor,
    negatives: Tensor,
    collisions: tuple[NDArray[np.int64], NDArray[np.int64]],
    margin: float,
    hardness: float,
) -> Tensor:
    """Half of ``-log s(margin - d)`` of the truth and of ``-log s(d - margin)`` of negatives, nearer ones more.

    Args:
        queries: ``(b, d)``.
        truths: ``(b, d)``.
        negatives: ``(n, d)``, shared by the batch.
        collisions: (row, negative) pairs where a negative is the row's own truth.
        margin: what counts as near.
        hardness: negatives weigh ``softmax(-hardness * distance)``, which gets no gradient.

    Source: self-adversarial negative sampling, Sun et al. 2019 (RotatE), with the distance of its TransE.
    """
    near = (queries - truths).abs().sum(dim=-1)
    far = torch.cdist(queries, negatives, p=1.0)
    weights = functional.softmax(-hardness * far.detach(), dim=-1)
    if len(collisions[0]):
        rows, columns = (torch.from_numpy(part) for part in collisions)
        weights = weights.index_put((rows, columns), torch.tensor(0.0))
    pushed = (weights * functional.logsigmoid(far - margin)).sum(dim=-1)
    return -(functional.logsigmoid(margin - near) + pushed).mean() / 2.0


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
