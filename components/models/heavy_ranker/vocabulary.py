"""The vocabulary of a click log, learned on its training file: from columns to rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Self

import attrs
import numpy as np

from components.files import atomic_file
from components.models.heavy_ranker.config import FeatureConfig, IdConfig, NormConfig
from components.models.heavy_ranker.log_columns import CLICK, ClickLog
from components.models.heavy_ranker.rows import MISSING_ID, Rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from components.models.heavy_ranker.log_columns import Category

SPREAD = 1e-4
"""Standard deviation of initial vectors: small, so that rare values say little. Source: FuxiCTR."""


@attrs.frozen
class Words:
    """The values of one category.

    Attributes:
        places: value -> row of the table; one row more holds what rare values share, where training had any.
        length: most values that a training row held.
    """

    places: Mapping[str, int]
    length: int
    has_rare: bool

    @classmethod
    def fit(cls, column: Category, min_count: int) -> Self:
        """Keeps the values seen at least so often."""
        counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.words))
        kept = sorted(word for word, count in zip(column.words, counts, strict=True) if count >= min_count)
        rare = bool(((counts > 0) & (counts < min_count)).any())
        return cls({word: place for place, word in enumerate(kept)}, column.codes.shape[1], rare)

    @property
    def size(self) -> int:
        """Rows of the table; it needs one even when there is no value."""
        return max(1, len(self.places) + self.has_rare)

    def ids(self, column: Category) -> NDArray[np.int64]:
        """Rows of the table, (rows, length): unknown values as rare ones, else missing; surplus values are cut."""
        unknown = len(self.places) if self.has_rare else MISSING_ID
        # The last entry answers code -1.
        ids = np.array([*(self.places.get(word, unknown) for word in column.words), MISSING_ID], np.int64)
        padded = np.full((len(column.codes), self.length), MISSING_ID, np.int64)
        width = min(self.length, column.codes.shape[1])
        padded[:, :width] = ids[column.codes[:, :width]]
        return padded


@attrs.frozen
class Encoder:
    """The values of every category and the names of the numbers; what turns a log into rows."""

    categories: Mapping[str, Words]
    numbers: tuple[str, ...]
    source: str

    @classmethod
    def fit(cls, log: ClickLog, min_count: int = 1) -> Self:
        """Learns from a training log which values there are."""
        words = {name: Words.fit(column, min_count) for name, column in log.categories.items()}
        return cls(words, tuple(log.numbers), log.name)

    def rows(self, log: ClickLog) -> Rows:
        """Rows with one id feature a category.

        Raises:
            ValueError: the log has other columns than the training log.
        """
        expected, found = {*self.categories, *self.numbers}, {*log.categories, *log.numbers}
        if expected != found:
            raise ValueError(
                f"{log.name}:1: expected the {len(expected)} columns of {self.source}, got {len(found)}; "
                f"absent: {sorted(expected - found)}, not in training: {sorted(found - expected)}"
            )
        count = len(log.labels)
        numbers = [log.numbers[name] for name in self.numbers]
        continuous = np.stack(numbers, axis=1) if numbers else np.empty((count, 0), np.float32)
        ids = {name: words.ids(log.categories[name]) for name, words in self.categories.items()}
        return Rows(continuous, np.empty((count, 0), np.float32), ids=ids, labels={CLICK: log.labels})

    def features(self, dim: int, *, numeric_vectors: bool = False) -> FeatureConfig:
        """The input layer for these columns."""
        ids = {
            name: IdConfig(words.size, dim, "plain", length=words.length, spread=SPREAD)
            for name, words in self.categories.items()
        }
        count = len(self.numbers)
        if numeric_vectors:
            return FeatureConfig(count, ids=ids, norm=NormConfig(vectors=dim))
        return FeatureConfig(count, ids=ids, missing="mask" if count else "zero")

    def save(self, path: Path) -> None:
        """Writes JSON; it appears whole or not at all."""
        with atomic_file(path) as temporary:
            temporary.write_text(json.dumps(attrs.asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what ``save`` wrote."""
        plain = json.loads(path.read_text(encoding="utf-8"))
        words = {name: Words(**fields) for name, fields in plain["categories"].items()}
        return cls(words, tuple(plain["numbers"]), plain["source"])
