"""Random training data of any size in which every head can be learned, up to a ceiling that is known.

Each head's logit is planted: a sparse linear part over the featurised inputs, the product of the first two
embeddings, and an effect of the first id feature; the noise is that of the coin alone. So the best possible AUC of a
head is the AUC of its planted logit, which is stored beside the data.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
import numpy as np

from components.evaluation.classification import auc
from components.files import atomic_file
from components.models.heavy_ranker.datasets import write_shard
from components.models.heavy_ranker.rows import MISSING_ID, Rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from components.models.heavy_ranker.config import IdConfig, RankerConfig

SPLITS = {"train": 1.0, "valid": 0.1, "calibrate": 0.2, "test": 0.1}
"""Rows of each split as a share of the training rows, in the order of time."""

BASE_RATES = {
    "is_favorited": 0.20,
    "is_retweeted": 0.08,
    "is_replied": 0.08,
    "is_profile_clicked_and_profile_engaged": 0.06,
    "is_video_playback_50": 0.25,
    "is_replied_reply_engaged_by_author": 0.05,
    "is_good_clicked_convo_desc_favorited_or_replied": 0.10,
    "is_good_clicked_convo_desc_v2": 0.08,
    "is_negative_feedback_v2": 0.04,
    "is_report_tweet_clicked": 0.03,
}
"""Far above those of a real feed, so that a laptop's worth of rows holds positives of every head."""


@attrs.frozen(eq=False)
class World:
    """The planted truth; equal configurations and seeds give equal worlds."""

    config: RankerConfig
    seed: int
    missing: float = attrs.field(default=0.1, validator=[attrs.validators.ge(0.0), attrs.validators.lt(1.0)])

    def rows(self, count: int, stream: int) -> tuple[Rows, dict[str, NDArray[np.float64]]]:
        """Rows and, by label, their true probabilities; different streams are independent."""
        rng, features = np.random.default_rng([self.seed, 1, stream]), self.config.features
        latent = rng.normal(size=(count, features.continuous)).astype(np.float32)
        binary = (rng.random((count, features.binary)) < 0.3).astype(np.float32)
        embeddings = {
            name: rng.normal(size=(count, width)).astype(np.float32)
            for name, width in features.embeddings.items()
        }
        ids = {name: _draw_ids(rng, count, table) for name, table in features.ids.items()}
        truth = {
            label: _sigmoid(self._logits(place, label, latent, binary, embeddings, ids))
            for place, label in enumerate(self.config.label_names)
        }
        labels = {label: (rng.random(count) < chance).astype(np.float32) for label, chance in truth.items()}
        # Counts in a feed are heavy-tailed; the signed log of the input layer turns them back.
        continuous = np.sign(latent) * np.expm1(np.abs(latent) * 2.0)
        continuous[rng.random(continuous.shape) < self.missing] = np.nan
        for array in embeddings.values():
            array[rng.random(count) < self.missing] = np.nan
        return Rows(continuous, binary, embeddings, ids, labels), truth

    def _logits(
        self,
        place: int,
        label: str,
        latent: NDArray[np.float32],
        binary: NDArray[np.float32],
        embeddings: Mapping[str, NDArray[np.float32]],
        ids: Mapping[str, NDArray[np.int64]],
    ) -> NDArray[np.float64]:
        rng = np.random.default_rng([self.seed, 2, place])
        signal = np.zeros(len(latent))
        for block, spread in ((latent, 1.0), (binary, np.sqrt(0.3 * 0.7))):
            if block.shape[1]:
                signal += block @ _direction(rng, block.shape[1]) * (1.2 / spread)
        vectors = list(embeddings.values())
        if vectors:
            width = min(vectors[0].shape[1], vectors[-1].shape[1])
            signal += (vectors[0][:, :width] * vectors[-1][:, :width]) @ _direction(rng, width) * 0.8
        for values in ids.values():
            effects = rng.normal(size=97)
            signal += np.where(values != MISSING_ID, effects[values % 97], 0.0).mean(axis=1) * 0.8
        rate = BASE_RATES.get(label, 0.1)
        return signal + np.log(rate / (1.0 - rate))


def _direction(rng: np.random.Generator, width: int) -> NDArray[np.float64]:
    """A random unit vector of which about half the entries are zero."""
    weights = rng.normal(size=width) * (rng.random(width) < 0.5)
    weights[0] += weights[0] == 0.0
    return weights / np.linalg.norm(weights)


def _sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-logits))


def _draw_ids(rng: np.random.Generator, count: int, table: IdConfig) -> NDArray[np.int64]:
    limit = table.size if table.kind == "plain" else 8 * table.size
    values = np.minimum(rng.zipf(1.3, size=(count, table.length)) - 1, limit - 1)
    if table.length > 1:
        values[rng.random(values.shape) < 0.3] = MISSING_ID
    return values.astype(np.int64)


def create_data(world: World, folder: Path, rows: int, shard_rows: int = 100_000) -> Iterator[Path]:
    """Writes all splits, yielding every shard's path; at the end ``truth.json`` says what can be learned.

    ``truth.json`` holds each label's base rate and the AUC of its true probability on the test split: an upper bound,
    because some inputs are then made missing. Memory: one shard, and the labels of the test split.
    """
    stream, tested = 0, []
    for split, share in SPLITS.items():
        left, index = max(1, round(rows * share)), 0
        while left:
            count = min(left, shard_rows)
            part, truth = world.rows(count, stream)
            if split == "test":
                tested.append((part.labels, truth))
            yield write_shard(part, folder / split, index)
            left, index, stream = left - count, index + 1, stream + 1
    with atomic_file(folder / "truth.json") as temporary:
        report = {"seed": world.seed, "rows": rows, "heads": _ceiling(tested)}
        temporary.write_text(json.dumps(report, indent=2), encoding="utf-8")


def _ceiling(parts: list[tuple[Mapping[str, NDArray], Mapping[str, NDArray]]]) -> dict[str, dict[str, float]]:
    report = {}
    for label in parts[0][0]:
        labels = np.concatenate([labels[label] for labels, _ in parts])
        truth = np.concatenate([truth[label] for _, truth in parts])
        report[label] = {"base_rate": float(labels.mean()), "best_auc": auc(labels, truth)}
    return report
