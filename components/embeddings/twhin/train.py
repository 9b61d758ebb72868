"""The training loop of TwHIN: resumable bit for bit from checkpoints."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np
import torch

from components.embeddings.progress import Progress, ProgressListener, silent
from components.embeddings.resumable import Resumable
from components.embeddings.twhin.config import Relation, TwhinConfig
from components.embeddings.twhin.embeddings import EntityTable, Translation, TwhinEmbeddings, unit
from components.embeddings.twhin.graph import Batch, NegativeSampler, TypedGraph
from components.embeddings.twhin.network import TwhinNetwork, collisions, margin_loss, ranking_loss


def train(
    relations: Sequence[Relation],
    config: TwhinConfig | None = None,
    *,
    checkpoint: Path | None = None,
    start: TwhinEmbeddings | None = None,
    listener: ProgressListener = silent,
) -> TwhinEmbeddings:
    """Trains vectors of all entities that occur in an edge.

    Args:
        checkpoint: file that an interrupted training goes on from, and that is kept up to date.
        start: earlier vectors to begin with (warm start); entities are matched by type and id.
        listener: hears of each epoch.

    Raises:
        ValueError: the checkpoint is of other data or another configuration.
    """
    trainer = TwhinTrainer(relations, config or TwhinConfig(), checkpoint)
    if start is not None:
        trainer.warm_start(start)
    return trainer.run(listener)


class TwhinTrainer(Resumable):
    """A training in progress; ``run`` goes on from the checkpoint, if there is one."""

    FORMAT = "mixer.twhin.checkpoint/1"
    network: TwhinNetwork

    def __init__(self, relations: Sequence[Relation], config: TwhinConfig, checkpoint: Path | None) -> None:
        self.graph, self.config, self._checkpoint = TypedGraph.of(relations), config, checkpoint
        self.network = TwhinNetwork(self.graph.entities, len(relations), config)
        self._sampler = NegativeSampler(self.graph, config.negatives.popular_share)
        log_drawn = self._sampler.log_q + np.log(config.negatives.count)
        self._log_expected = torch.from_numpy(log_drawn.astype(np.float32))
        rates = config.optimisation
        self._optimisers = [
            torch.optim.SparseAdam([self.network.entities.weight], lr=rates.learning_rate),
            torch.optim.Adam([self.network.relations], lr=rates.relation_learning_rate),
        ]

    def warm_start(self, old: TwhinEmbeddings) -> None:
        """Copies the vectors of entities and relations that are in both."""
        weight, translations = self.network.entities.weight, self.network.relations
        with torch.no_grad():
            for type, index in self.graph.indexes.items():
                if type in old.entities:
                    rows = old.entities[type].index.rows_of(index.ids)
                    here = torch.from_numpy(self.graph.starts[type] + np.flatnonzero(rows >= 0))
                    weight[here] = torch.from_numpy(old.entities[type].vectors[rows[rows >= 0]])
            for position, relation in enumerate(self.graph.relations):
                if relation.name in old.relations:
                    translations[position] = torch.from_numpy(old.relations[relation.name].vector)

    def run(self, listener: ProgressListener = silent) -> TwhinEmbeddings:
        """Trains to the last epoch."""
        self._resume()
        epochs = self.config.optimisation.epochs
        while self._epoch < epochs:
            loss = self._train_epoch()
            self._epoch += 1
            listener(Progress("twhin", self._epoch, epochs, {"loss": loss}))
            if self._epoch % self.config.checkpoint_every == 0 or self._epoch == epochs:
                self._save()
        return self.embeddings()

    def embeddings(self) -> TwhinEmbeddings:
        """What has been learnt so far."""
        weights = self.network.entities.weight.detach().numpy()
        vectors = unit(weights) if self.network.unit else weights.copy()
        translations = self.network.relations.detach().numpy().copy()
        entities = {}
        for type, index in self.graph.indexes.items():
            start = self.graph.starts[type]
            entities[type] = EntityTable(index, vectors[start : start + len(index)])
        named = {
            relation.name: Translation(relation.source, relation.target, translations[position])
            for position, relation in enumerate(self.graph.relations)
        }
        return TwhinEmbeddings(entities, named, attrs.asdict(self.config))

    def _train_epoch(self) -> float:
        """Everything random in an epoch derives from the seed and its number, so that it can be repeated."""
        rng = np.random.default_rng([self.config.seed, self._epoch])
        batches = self.graph.batches(self.config.optimisation.batch_size, rng)
        total, seen = 0.0, 0
        for position, batch in enumerate(batches):
            self._set_rates(1.0 - (self._epoch + position / len(batches)) / self.config.optimisation.epochs)
            loss = self.batch_loss(batch, rng)
            for optimiser in self._optimisers:
                optimiser.zero_grad(set_to_none=True)
            loss.backward()
            for optimiser in self._optimisers:
                optimiser.step()
            total, seen = total + loss.item() * len(batch.triples), seen + len(batch.triples)
        return total / max(seen, 1)

    def batch_loss(self, batch: Batch, rng: np.random.Generator) -> torch.Tensor:
        """Both sides: targets among entities of their type, and sources among theirs."""
        sources, relations, targets = (torch.from_numpy(column) for column in batch.triples.T.copy())
        network = self.network
        forward = network.forward_query(sources, relations)
        backward = network.backward_query(targets, relations)
        # The nearest wrong answer to "whom does s follow" is s; chance would almost never draw it.
        own = batch.source == batch.target
        onward = self._side(forward, targets, sources if own else None, batch.target, rng)
        return onward + self._side(backward, sources, targets if own else None, batch.source, rng)

    def _side(
        self,
        queries: torch.Tensor,
        truths: torch.Tensor,
        rivals: torch.Tensor | None,
        type: str,
        rng: np.random.Generator,
    ) -> torch.Tensor:
        drawn = self._sampler.draw(type, self.config.negatives.count, rng)
        rows = torch.from_numpy(drawn)
        if not self.network.unit:
            config, clash = self.config, collisions(truths.numpy(), drawn)
            known, others = self.network.entity(truths), self.network.entity(rows)
            return margin_loss(queries, known, others, clash, config.margin, config.hardness)
        return ranking_loss(
            queries / self.config.temperature,
            self.network.entity(truths),
            self.network.entity(rows),
            self._log_expected[rows],
            collisions(truths.numpy(), drawn),
            None if rivals is None else self.network.entity(rivals),
        )

    def _set_rates(self, share: float) -> None:
        rates = self.config.optimisation
        for optimiser, rate in zip(
            self._optimisers, (rates.learning_rate, rates.relation_learning_rate), strict=True
        ):
            optimiser.param_groups[0]["lr"] = rate * share

    def _signature(self) -> dict[str, object]:
        edges = {relation.name: _digest(relation) for relation in self.graph.relations}
        return {"config": attrs.asdict(self.config), "edges": edges, "entities": self.graph.entities}


def _digest(relation: Relation) -> str:
    edges = hashlib.sha256(np.ascontiguousarray(relation.edges).tobytes()).hexdigest()[:16]
    return f"{relation.source} to {relation.target} {len(relation.edges)} {edges}"
