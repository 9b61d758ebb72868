"""For You with the heavy ranker: trains it on what viewers were shown and did, and serves the checkpoint."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import attrs
import numpy as np

from components.datasets import Action, Dataset
from components.features.declared import Asked, FeatureSet
from components.features.groups import heavy_features
from components.features.journal import Journal
from components.features.labels import HEADS, LABEL_WINDOW_MS, shown_examples
from components.files import atomic_folder
from components.models.heavy_ranker.checkpoint import BEST, CALIBRATION, CONFIG, WEIGHTS
from components.models.heavy_ranker.config import RankerConfig
from components.models.heavy_ranker.datasets import ParquetDataset, write_shard
from components.models.heavy_ranker.load import load_config
from components.models.heavy_ranker.metrics import HeadMetrics
from components.models.heavy_ranker.predictor import Predictor
from components.models.heavy_ranker.priors import start_at_rates
from components.models.heavy_ranker.rows import Rows
from components.models.heavy_ranker.trainer import Data, Trainer, calibrate
from components.models.runtimes import load_chosen, one_thread_pays, threads
from components.models.weighted_score import WEIGHT_SETS, WeightSet
from components.rankers.heavy import HeavyRanker, Served, Threaded, on_recap_heads
from components.rankers.training import sampled
from components.stores.stores import Stores
from components.stores.types import Post, Viewer
from mixer import Candidates
from mixer.params import Params
from mixer.rankers import KeepOrder
from products._cli.data import Track
from products.for_you import params as declared
from products.for_you.embeddings import NO_EMBEDDINGS, Embeddings
from products.for_you.training import INPUTS, Collector, Training, moments_of, past_requests

SPLITS: Mapping[str, tuple[float, float]] = {
    "train": (0.05, 0.75),
    "valid": (0.75, 0.82),
    "calibrate": (0.82, 1.0),
}
"""Shares of the requests, in order of time; the first ones only serve as history."""
SETS: Mapping[str, WeightSet] = MappingProxyType(
    {name: on_recap_heads(weights) for name, weights in WEIGHT_SETS.items()}
)
PRESET, REPLAYED_PRESET, FEATURES = "for_you", "for_you_replayed", "features.txt"
SHARD_ROWS = 50_000
REQUESTS, LAST_REQUEST = 4_000, 0.999
"""Where nobody knows what was shown: how many requests are made, and up to which share of the engagements."""


def features_of(stores: Stores, data: Dataset) -> FeatureSet:
    """The heavy ranker's features as of any moment of these data; without impressions, the light ranker's are added."""
    journal = Journal.of(stores, data)
    names = () if journal.has_impressions else tuple(column.name for column in INPUTS)
    return heavy_features(journal, given=names)


async def train_heavy(
    stores: Stores,
    data: Dataset,
    params: Params,
    seed: int,
    track: Track,
    folder: Path,
    *,
    config: RankerConfig | None = None,
    embeddings: Embeddings = NO_EMBEDDINGS,
) -> Path:
    """A checkpoint in ``folder``, calibrated on the last part of the data; made once, whole or not at all.

    Data with impressions give a row for each, with the labels of all ten heads. Without, viewers are asked about in
    the past: what they engaged with is positive, and candidates of the flow, sampled and weighted, are negative;
    what the flow's sources and hydrators found out about them is among the features.

    Args:
        params: caps and limits of the flow, where it finds the negatives.
        track: shows progress over an iterable of steps.
        config: network and training; a preset for such data unless told. Its features are replaced by the declared.
        embeddings: what the flow searches in the past; only requests whose future they do not know are made.

    Raises:
        ValueError: too little happened to learn from.
    """
    features = features_of(stores, data)
    if is_trained(folder, features):
        return folder
    with tempfile.TemporaryDirectory() as scratch:
        shards = Path(scratch) / "data"
        preset = PRESET if len(data["impressions"]) else REPLAYED_PRESET
        if preset == PRESET:
            _write_shown(stores, data, features, shards)
        else:
            training = Training(REQUESTS, seed=seed, cut_off=LAST_REQUEST, since_ms=embeddings.until_ms)
            flow = Collector(stores, KeepOrder(), embeddings=embeddings.over(stores))
            await _write_replayed(flow, params, features, training, track, shards)
        return _fit(
            config or load_config(preset), features, shards, Path(scratch) / "run", folder, seed, track
        )


def is_trained(folder: Path, features: FeatureSet) -> bool:
    """Does the folder hold a whole checkpoint for these features?"""
    told = folder / FEATURES
    return told.is_file() and told.read_text(encoding="utf-8") == features.fingerprint


def heavy_ranker(features: FeatureSet, folder: Path, served: Served | None = None) -> HeavyRanker:
    """The ranker of a checkpoint, under the weights that a request's parameters choose.

    Args:
        served: a running ``ModelRunner`` of the same checkpoint; without one a worker thread answers.

    Raises:
        ValueError: the checkpoint was trained on other features.
    """
    if not is_trained(folder, features):
        raise ValueError(f"{folder}: expected a checkpoint trained on the declared features; train it anew")
    predictor, _ = load_chosen(folder)
    given = tuple(column for column in INPUTS if f"given.{column.name}" in features.names("continuous"))
    return HeavyRanker(features, served or Threaded(predictor), predictor.heads, chosen_weights, given)


def chosen_weights(viewer: Viewer) -> WeightSet:
    """The weights that the request's parameters say."""
    settings = viewer.request.params
    weights = SETS[settings[declared.WEIGHT_SET]]
    factors = {head: settings[declared.WEIGHT_FACTORS[head]] for head in weights.weights}
    boosts = dict.fromkeys(weights.mutual_boosts, settings[declared.MUTUAL_REPLY])
    gated = weights.video_gated if settings[declared.VIDEO_GATE] else frozenset[str]()
    as_published = boosts == dict(weights.mutual_boosts) and gated == weights.video_gated
    if as_published and all(factor == 1.0 for factor in factors.values()):
        return weights
    return attrs.evolve(
        weights,
        name=f"{weights.name}, changed",
        weights={head: factors[head] * weight for head, weight in weights.weights.items()},
        mutual_boosts=boosts,
        video_gated=gated,
    )


def _write_shown(stores: Stores, data: Dataset, features: FeatureSet, folder: Path) -> None:
    examples = shown_examples(stores, data)
    closed = examples.during(0, data.now_ms - LABEL_WINDOW_MS)
    if not len(closed):
        raise ValueError(f"{data.name}: expected impressions older than three hours, got none")
    for split, shares in SPLITS.items():
        start, stop = np.quantile(closed.asked.now_ms, shares).astype(np.int64).tolist()
        part = closed.during(start, stop)
        for index, rows in enumerate(part.parts(SHARD_ROWS)):
            write_shard(rows.rows(features), folder / split, index)


async def _write_replayed(
    flow: Collector, params: Params, features: FeatureSet, training: Training, track: Track, folder: Path
) -> None:
    stores, parts = flow.stores, list[Rows]()
    rng = np.random.default_rng([training.seed, 3])
    moments, until_ms = moments_of(stores, training, rng)
    moments = moments[np.argsort(stores.engagements.time_ms[moments], kind="stable")]
    for viewer, acted_on in past_requests(stores, params, track(moments.tolist()), until_ms):
        found = (await flow.process(viewer)).candidates
        if len(found):
            row, now_ms = stores.users.row_of(viewer.user_id), viewer.request.now_ms
            parts.append(_replayed(features, row, now_ms, found, acted_on, training, rng))
    for split, (start, stop) in SPLITS.items():
        part = parts[int(start * len(parts)) : int(stop * len(parts))]
        if not part:
            raise ValueError(f"expected requests with candidates to learn from, got {len(parts)}")
        write_shard(Rows.concat(part), folder / split, 0)


def _replayed(
    features: FeatureSet,
    row: int,
    now_ms: int,
    found: Candidates[Post],
    acted_on: np.ndarray,
    training: Training,
    rng: np.random.Generator,
) -> Rows:
    """Candidates of one past request: all that were acted on, and sampled others that stand for the rest."""
    acted = np.isin(found[Post.row], acted_on)
    chosen, weights = sampled(acted, training.negatives, rng)
    taken = found.pick(chosen)
    given = {column.name: taken[column] for column in INPUTS}
    rows = features.rows(Asked.one(row, now_ms, taken[Post.row], given))
    labels = {HEADS[Action.FAV]: acted[chosen].astype(np.float32)}
    return attrs.evolve(rows, labels=labels, weights=weights.astype(np.float32))


def _fit(
    config: RankerConfig, features: FeatureSet, shards: Path, run: Path, folder: Path, seed: int, track: Track
) -> Path:
    train, valid, later = (ParquetDataset.open(shards / split) for split in SPLITS)
    heads = {head: config.heads[head] for head in config.heads if head in train.label_names}
    batch = min(config.training.batch_size, sum(train.shard_rows))
    fitted = attrs.evolve(
        config,
        features=features.config,
        heads=heads,
        training=attrs.evolve(config.training, seed=seed, batch_size=batch),
    )
    with threads(1 if one_thread_pays(fitted) else None):
        trainer = Trainer(fitted, Data(train, valid), run, (_Steps(track, fitted.training.steps),))
        start_at_rates(trainer.model, fitted, train)
        trainer.run()
        calibration = calibrate(Predictor.load(run / BEST), later)
    with atomic_folder(folder) as temporary:
        for name in (WEIGHTS, CONFIG):
            (temporary / name).write_bytes((run / BEST / name).read_bytes())
        calibration.save(temporary / CALIBRATION)
        (temporary / FEATURES).write_text(features.fingerprint, encoding="utf-8")
    return folder


class _Steps:
    """Advances a progress bar with every step."""

    def __init__(self, track: Track, steps: int) -> None:
        self._left: Iterator[int] = iter(track(range(steps)))

    def on_step(self, step: int, losses: dict[str, float]) -> None:
        next(self._left, None)

    def on_evaluation(self, step: int, metrics: HeadMetrics) -> None:
        """Nothing to show."""
