"""Knowledge graphs as OpenKE publishes them: ``train2id.txt`` and its like, plain or compressed."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from components.embeddings.twhin.config import Relation

SPLITS = ("train", "valid", "test")
ENTITY = "entity"


def is_triples(folder: Path) -> bool:
    """Whether a folder holds a knowledge graph."""
    return any((folder / f"train2id.txt{ending}").is_file() for ending in ("", ".gz"))


def read_triples(folder: Path, split: str) -> list[Relation]:
    """The relations of one split, named by number; all entities are of one type.

    The first line of the file is the number of triples; each other line is head, tail, relation.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a row is not three integers, or there are more or fewer rows than the first line says.
    """
    plain = folder / f"{split}2id.txt"
    if plain.is_file():
        text = plain.read_text(encoding="utf-8")
    else:
        text = gzip.decompress(plain.with_name(plain.name + ".gz").read_bytes()).decode("utf-8")
    count, *numbers = (int(word) for word in text.split())
    if len(numbers) != 3 * count:
        raise ValueError(
            f"{plain}: expected {count} rows of head, tail, relation, got {len(numbers)} numbers"
        )
    triples = np.array(numbers, dtype=np.int64).reshape(-1, 3)
    kinds = np.unique(triples[:, 2]).tolist()
    return [Relation(str(kind), ENTITY, ENTITY, triples[triples[:, 2] == kind, :2]) for kind in kinds]
