"""``TwhinEmbeddings``: trained vectors, found by id, and the scores they give."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.archive import read_archive, write_archive
from components.graph.edges import checked_edges
from components.stores.ids import IdIndex

FORMAT = "mixer.twhin/1"


@attrs.frozen(eq=False)
class EntityTable:
    """The vectors of one type, ``(n, d)`` float32 of length 1, in the order of ``index``."""

    index: IdIndex
    vectors: NDArray[np.float32]


@attrs.frozen(eq=False)
class Translation:
    """A relation: the types it joins, and the vector that carries its sources to its targets."""

    source: str
    target: str
    vector: NDArray[np.float32]


@attrs.frozen(eq=False)
class TwhinEmbeddings:
    """What training gives: ``score(s, r, t) = <unit(s + r), t>``, a cosine, or ``-|s + r - t|``, by the objective.

    Entities of all types live in one space, so ``query("like", users)`` searched among the post vectors finds
    posts to like, and, with cosines, any two entities can be compared by inner product.
    """

    entities: Mapping[str, EntityTable]
    relations: Mapping[str, Translation]
    config: Mapping[str, Any] = attrs.field(factory=dict)  # as JSON gives it

    @property
    def cosine(self) -> bool:
        """Are scores cosines? Else they are distances, times -1."""
        return self.config.get("objective", "cosine") == "cosine"

    def vectors(self, type: str, ids: ArrayLike) -> NDArray[np.float32]:
        """``(n, d)`` vectors of ids; zeros for unknown ids, so that they are similar to nothing."""
        table = self._table(type)
        rows = table.index.rows_of(ids)
        found = np.zeros((len(rows), table.vectors.shape[1]), dtype=np.float32)
        found[rows >= 0] = table.vectors[rows[rows >= 0]]
        return found

    def query(self, relation: str, sources: ArrayLike) -> NDArray[np.float32]:
        """``(n, d)`` where the targets of sources are expected; zeros for unknown ids."""
        translation = self._translation(relation)
        vectors = self.vectors(translation.source, sources)
        moved = np.where(vectors.any(axis=1, keepdims=True), vectors + translation.vector, np.float32(0.0))
        return unit(moved) if self.cosine else moved

    def score(self, relation: str, edges: ArrayLike) -> NDArray[np.float32]:
        """``(n,)`` scores of ``(n, 2)`` edges; where an end is unknown, 0 among cosines, the least among distances."""
        pairs, translation = checked_edges(edges), self._translation(relation)
        queries, targets = self.query(relation, pairs[:, 0]), self.vectors(translation.target, pairs[:, 1])
        if self.cosine:
            return np.einsum("nd,nd->n", queries, targets)
        known = queries.any(axis=1) & targets.any(axis=1)
        return np.where(known, -np.abs(queries - targets).sum(axis=1), -np.inf).astype(np.float32)

    def save(self, path: str | Path) -> None:
        """Writes one archive with vectors, ids and relations."""
        relations = {
            name: {"source": relation.source, "target": relation.target}
            for name, relation in self.relations.items()
        }
        header = {"types": list(self.entities), "relations": relations, "config": dict(self.config)}
        arrays: dict[str, NDArray[Any]] = {}
        for type, table in self.entities.items():
            arrays[f"ids.{type}"], arrays[f"vectors.{type}"] = table.index.ids, table.vectors
        arrays |= {f"relation.{name}": relation.vector for name, relation in self.relations.items()}
        write_archive(path, FORMAT, header, arrays)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads what ``save`` wrote.

        Raises:
            ValueError: the file is damaged or of another format.
        """
        header, arrays = read_archive(path, FORMAT)
        entities = {
            type: EntityTable(IdIndex(arrays[f"ids.{type}"]), arrays[f"vectors.{type}"])
            for type in header["types"]
        }
        relations = {
            name: Translation(ends["source"], ends["target"], arrays[f"relation.{name}"])
            for name, ends in header["relations"].items()
        }
        return cls(entities, relations, header["config"])

    def _table(self, type: str) -> EntityTable:
        if type not in self.entities:
            raise KeyError(f"TwHIN: expected a type of {sorted(self.entities)}, got {type!r}")
        return self.entities[type]

    def _translation(self, relation: str) -> Translation:
        if relation not in self.relations:
            raise KeyError(f"TwHIN: expected a relation of {sorted(self.relations)}, got {relation!r}")
        return self.relations[relation]


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of length 1; rows of zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
