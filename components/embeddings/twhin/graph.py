"""``TypedGraph``: relations over one numbering of all entities, and the batches and negatives drawn from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
import numpy as np
from numpy.typing import NDArray

from components.embeddings.twhin.config import Relation
from components.stores.ids import IdIndex


@attrs.frozen(eq=False)
class Batch:
    """Edges that join the same two types: ``(b, 3)`` rows of source, relation, target."""

    triples: NDArray[np.int64]
    source: str
    target: str


@attrs.frozen(eq=False)
class TypedGraph:
    """All edges as ``(n, 3)`` triples of rows; the rows of a type are one span.

    Args:
        indexes: ids of each type, in the order of their rows.
        starts: first row of each type.
        groups: triples by the types of their ends.
    """

    relations: tuple[Relation, ...]
    indexes: dict[str, IdIndex]
    starts: dict[str, int]
    groups: dict[tuple[str, str], NDArray[np.int64]]

    @classmethod
    def of(cls, relations: Sequence[Relation]) -> TypedGraph:
        """Numbers the entities of all relations.

        Raises:
            ValueError: there is no relation, or two of one name.
        """
        names = [relation.name for relation in relations]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"relations: expected at least one, each name once, got {names}")
        ends: dict[str, list[NDArray[np.int64]]] = {}
        for relation in relations:
            ends.setdefault(relation.source, []).append(relation.edges[:, 0])
            ends.setdefault(relation.target, []).append(relation.edges[:, 1])
        indexes = {type: IdIndex.of(*ids) for type, ids in sorted(ends.items())}
        sizes = [len(index) for index in indexes.values()]
        firsts = np.cumsum([0, *sizes[:-1]]).tolist()
        starts = dict(zip(indexes, firsts, strict=True))
        graph = cls(tuple(relations), indexes, starts, {})
        for position, relation in enumerate(relations):
            triples = graph.triples(relation, position)
            key = (relation.source, relation.target)
            graph.groups[key] = np.concatenate([graph.groups.get(key, triples[:0]), triples])
        return graph

    @property
    def entities(self) -> int:
        """How many entities of all types there are."""
        return sum(len(index) for index in self.indexes.values())

    def triples(self, relation: Relation, position: int) -> NDArray[np.int64]:
        """Rows of source, relation, target."""
        sources = self.starts[relation.source] + self.indexes[relation.source].rows_of(relation.edges[:, 0])
        targets = self.starts[relation.target] + self.indexes[relation.target].rows_of(relation.edges[:, 1])
        return np.stack([sources, np.full(len(sources), position), targets], axis=1)

    def batches(self, size: int, rng: np.random.Generator) -> list[Batch]:
        """Every edge once, in random order; batches of different groups interleave."""
        batches = [
            Batch(triples[rows], *types)
            for types, triples in self.groups.items()
            for rows in _chunks(rng.permutation(len(triples)), size)
        ]
        return [batches[position] for position in rng.permutation(len(batches))]

    def degrees(self) -> NDArray[np.int64]:
        """``(entities,)`` number of edges at either end."""
        ends = [triples[:, [0, 2]].ravel() for triples in self.groups.values()]
        return np.bincount(np.concatenate(ends), minlength=self.entities)


class NegativeSampler:
    """Draws entities of a type, some by degree and some evenly, and knows how likely each was to be drawn."""

    def __init__(self, graph: TypedGraph, popular_share: float) -> None:
        degrees = graph.degrees().astype(np.float64)
        self._starts = graph.starts
        self._cumulative: dict[str, NDArray[np.float64]] = {}
        self.log_q = np.zeros(graph.entities)
        for type, index in graph.indexes.items():
            span = slice(graph.starts[type], graph.starts[type] + len(index))
            if not len(index):
                continue
            popular = degrees[span] / degrees[span].sum()
            q = popular_share * popular + (1.0 - popular_share) / len(index)
            self._cumulative[type], self.log_q[span] = np.cumsum(q), np.log(q)

    def draw(self, type: str, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """``(count,)`` rows, with replacement."""
        cumulative = self._cumulative[type]
        drawn = np.searchsorted(cumulative, rng.random(count) * cumulative[-1], side="right")
        return self._starts[type] + np.minimum(drawn, len(cumulative) - 1)


def _chunks(order: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(order), size):
        yield order[start : start + size]
