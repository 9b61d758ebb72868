"""The towers as torch sees them, and the loss of a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from components.embeddings.two_tower.config import HardNegatives, Towers
from components.embeddings.two_tower.features import HISTORY_FIELDS, POST_FIELDS, USER_FIELDS


class Tower(nn.Module):
    """The sum of the fields' vectors, corrected by a hidden layer over all of them, at length 1."""

    def __init__(self, fields: int, sizes: Towers) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.ones(fields, 1))
        self.hidden = nn.Linear(fields * sizes.dimensions, sizes.hidden)
        self.out = nn.Linear(sizes.hidden, sizes.dimensions)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, fields: Tensor) -> Tensor:
        """``(n, fields, d)`` to ``(n, d)``."""
        hidden = functional.relu(self.hidden(fields.flatten(1)))
        return functional.normalize((fields * self.weights).sum(dim=1) + self.out(hidden), dim=-1)


class TwoTowerNetwork(nn.Module):
    """One table of hashed values under both towers; its row 0 stays at nothing."""

    def __init__(self, sizes: Towers, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.user_tower = Tower(len(USER_FIELDS), sizes)
            self.post_tower = Tower(len(POST_FIELDS), sizes)
            start = torch.randn(sizes.buckets, sizes.dimensions) / sizes.dimensions**0.5
        start[0] = 0.0
        self.table = nn.Embedding.from_pretrained(start, freeze=False, sparse=True, padding_idx=0)

    def posts(self, fields: Tensor) -> Tensor:
        """``(n, POST_FIELDS)`` buckets to ``(n, d)``."""
        return self.post_tower(self.table(fields))

    def users(self, fields: Tensor, history: Tensor, which: Tensor) -> Tensor:
        """``(n, d)`` of users.

        Args:
            fields: ``(n, 2)`` buckets of the user's own fields.
            history: ``(h, HISTORY_FIELDS)`` buckets of the posts they engaged with.
            which: ``(h,)`` the user that each belongs to, ascending.
        """
        starts = torch.searchsorted(which, torch.arange(len(fields)))
        means = [
            functional.embedding_bag(
                history[:, field].contiguous(), self.table.weight, starts, mode="mean", sparse=True
            )
            for field in range(HISTORY_FIELDS)
        ]
        return self.user_tower(torch.cat([self.table(fields), torch.stack(means, dim=1)], dim=1))


def retrieval_loss(scores: Tensor, truth: Tensor, log_q: Tensor, hard: HardNegatives) -> Tensor:
    """Softmax over a batch's posts with log-Q correction, and once more among the hardest negatives.

    Args:
        scores: ``(b, c)`` of users with distinct posts, divided by the temperature.
        truth: ``(b,)`` column of the post that each user engaged with.
        log_q: ``(c,)`` log of the chance of each post to be there.
    """
    logits = scores - log_q
    loss = functional.cross_entropy(logits, truth)
    count = min(hard.hardest, logits.shape[1] - 1)
    if not count or not hard.weight:
        return loss
    own = logits.gather(1, truth[:, None])
    rest = logits.scatter(1, truth[:, None], -torch.inf)
    among = torch.cat([own, rest.topk(count, dim=1).values], dim=1)
    return loss + hard.weight * functional.cross_entropy(among, torch.zeros_like(truth))
