"""The training loop of the two towers: resumable bit for bit from checkpoints."""

from __future__ import annotations

import hashlib
from pathlib import Path

import attrs
import numpy as np
import torch
from numpy.typing import NDArray

from components.embeddings.progress import Progress, ProgressListener, silent
from components.embeddings.resumable import Resumable
from components.embeddings.two_tower.config import TwoTowerConfig
from components.embeddings.two_tower.examples import Examples
from components.embeddings.two_tower.features import Features
from components.embeddings.two_tower.frequency import StreamingFrequency
from components.embeddings.two_tower.model import TwoTowerModel, as_tensors, history_fields
from components.embeddings.two_tower.network import TwoTowerNetwork, retrieval_loss
from components.stores.stores import Stores


def train(
    stores: Stores,
    before_ms: int,
    config: TwoTowerConfig | None = None,
    *,
    checkpoint: Path | None = None,
    listener: ProgressListener = silent,
) -> TwoTowerModel:
    """Trains on the engagements that came strictly before a moment.

    Args:
        checkpoint: file that an interrupted training goes on from, kept up to date after every epoch.
        listener: hears of each epoch.

    Raises:
        ValueError: the checkpoint is of other data or another configuration.
    """
    return TwoTowerTrainer(Examples(stores, before_ms), config or TwoTowerConfig(), checkpoint).run(listener)


class TwoTowerTrainer(Resumable):
    """A training in progress; ``run`` goes on from the checkpoint, if there is one."""

    FORMAT = "mixer.two_tower.checkpoint/1"
    network: TwoTowerNetwork

    def __init__(self, examples: Examples, config: TwoTowerConfig, checkpoint: Path | None) -> None:
        self.examples, self.config, self._checkpoint = examples, config, checkpoint
        self._features = Features.of(examples.stores, config.towers.buckets)
        self.network = TwoTowerNetwork(config.towers, config.seed)
        self.frequency = StreamingFrequency(len(examples.stores.posts), config.frequency_rate)
        towers = [*self.network.user_tower.parameters(), *self.network.post_tower.parameters()]
        self._optimisers = [
            torch.optim.SparseAdam([self.network.table.weight], lr=config.learning_rate),
            torch.optim.Adam(towers, lr=config.learning_rate),
        ]

    def run(self, listener: ProgressListener = silent) -> TwoTowerModel:
        """Trains to the last epoch."""
        frequency = self.frequency
        if saved := self._resume():
            last, gap, frequency.step = saved["frequency"]
            frequency.last, frequency.gap = last.numpy(), gap.numpy()
        while self._epoch < self.config.epochs:
            loss = self._train_epoch()
            self._epoch += 1
            listener(Progress("two towers", self._epoch, self.config.epochs, {"loss": loss}))
            last, gap = torch.from_numpy(frequency.last), torch.from_numpy(frequency.gap)
            self._save(frequency=[last, gap, frequency.step])
        return TwoTowerModel(self.network, self.config, self.examples.before_ms)

    def _train_epoch(self) -> float:
        """Everything random in an epoch derives from the seed and its number, so that it can be repeated."""
        rng, size = np.random.default_rng([self.config.seed, self._epoch]), self.config.batch_size
        order = rng.permutation(len(self.examples.edges))
        losses: list[float] = []
        for start in range(0, len(order), size):
            done = self._epoch + start / len(order)
            for optimiser in self._optimisers:
                optimiser.param_groups[0]["lr"] = self.config.learning_rate * (1 - done / self.config.epochs)
                optimiser.zero_grad(set_to_none=True)
            loss = self.batch_loss(order[start : start + size], rng)
            loss.backward()
            for optimiser in self._optimisers:
                optimiser.step()
            losses.append(loss.item())
        return float(np.mean(losses)) if losses else 0.0

    def batch_loss(self, rows: NDArray[np.int64], rng: np.random.Generator) -> torch.Tensor:
        """The loss of some examples among each other's posts and popular ones."""
        examples, config = self.examples, self.config
        popular = examples.posts[rng.integers(0, len(examples.posts), config.negatives.popular)]
        candidates = np.unique(np.concatenate([examples.posts[rows], popular]))
        self.frequency.observe(candidates)
        history, which = examples.history(rows, config.towers.history)
        own = self._hide_ids(self._features.users[examples.users[rows]], rng)
        users = self.network.users(*as_tensors(own, history_fields(self._features, history), which))
        posts = self.network.posts(torch.from_numpy(self._hide_ids(self._features.posts[candidates], rng)))
        truth = torch.from_numpy(np.searchsorted(candidates, examples.posts[rows]))
        log_q = torch.from_numpy(self.frequency.log_q(candidates))
        return retrieval_loss(users @ posts.T / config.towers.temperature, truth, log_q, config.negatives)

    def _hide_ids(self, fields: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.int32]:
        hidden = fields.copy()
        hidden[rng.random(len(fields)) < self.config.id_dropout, 0] = 0
        return hidden

    def _signature(self) -> dict[str, object]:
        examples = np.stack([self.examples.users, self.examples.posts])
        digest = hashlib.sha256(np.ascontiguousarray(examples).tobytes() + self._features.posts.tobytes())
        return {
            "config": attrs.asdict(self.config),
            "examples": examples.shape[1],
            "data": digest.hexdigest(),
        }
