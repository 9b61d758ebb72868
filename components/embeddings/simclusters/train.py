# pyright: reportOptionalSubscript=false, reportOperatorIssue=false, reportArgumentType=false
# scipy ships no types, and what pyright infers from its source is wrong in these places.
"""Training: similarity, communities, KnownFor, InterestedIn, producers; goes on where it was interrupted."""

from __future__ import annotations

from pathlib import Path

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from components.archive import pack_sparse, read_archive, unpack_sparse, write_archive
from components.embeddings.progress import Progress, ProgressListener, silent
from components.embeddings.simclusters.communities import (
    NONE,
    Partition,
    detect_communities,
    initial_partition,
    membership,
)
from components.embeddings.simclusters.config import SimClustersConfig
from components.embeddings.simclusters.interests import interested_in, producer_vectors
from components.embeddings.simclusters.model import SimClusters
from components.embeddings.simclusters.signals import Signals
from components.embeddings.simclusters.similarity import producer_similarity, producers_of

SIMILARITY_FORMAT = "mixer.simclusters.similarity/1"
PARTITION_FORMAT = "mixer.simclusters.communities/1"
_PARTS = [f"graph.{part}" for part in ("data", "indices", "indptr", "shape")]


def train(
    signals: Signals,
    config: SimClustersConfig | None = None,
    *,
    seed: int = 0,
    start: SimClusters | None = None,
    checkpoint: Path | None = None,
    listener: ProgressListener = silent,
) -> SimClusters:
    """Trains on follows and likes; equal seeds give equal models.

    Args:
        start: last time's model, whose clusters this one begins with and keeps the numbers of (warm start).
        checkpoint: folder that keeps the similarity graph and the communities after each pass; an interrupted
            training goes on from it.
        listener: hears of each block of similarities, each pass, and each later stage.

    Raises:
        ValueError: the checkpoint is of other data, another configuration, seed or start.
    """
    settings = config or SimClustersConfig()
    keeper = _Keeper.of(checkpoint, signals, settings, seed, start)
    producers = producers_of(signals.follows, settings.similarity.min_followers)
    similarity = keeper.similarity()
    if similarity is None:
        similarity = producer_similarity(signals.follows, producers, settings.similarity, listener)
        keeper.save_similarity(similarity)
    earlier = None if start is None else _clusters_of(start, signals.users.ids[producers])
    partition = detect_communities(
        similarity,
        settings.communities,
        seed,
        start=keeper.partition() or initial_partition(similarity, settings.communities, earlier),
        save=keeper.save_partition,
        listener=listener,
    )
    scores = membership(similarity, partition, settings.membership)
    known_for = _spread(scores, producers, len(signals.users))
    listener(Progress("vectors", 1, 3))
    interests = interested_in(signals, known_for, settings.interests)
    listener(Progress("vectors", 2, 3))
    audience = signals.follows if settings.posts.score == "follow" else signals.favourites
    vectors = producer_vectors(audience, interests.matrix(settings.posts.score), settings.producers)
    listener(Progress("vectors", 3, 3))
    return SimClusters(signals.users, known_for, interests, vectors, settings)


def _clusters_of(model: SimClusters, user_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    cluster = np.full(len(model.users) + 1, NONE, dtype=np.int64)
    member = np.diff(model.known_for.indptr) > 0
    cluster[:-1][member] = model.known_for.indices
    return cluster[model.users.rows_of(user_ids)]


def _spread(scores: sparse.csr_array, producers: NDArray[np.int64], users: int) -> sparse.csr_array:
    counts = np.zeros(users, dtype=np.int64)
    counts[producers] = np.diff(scores.indptr)
    starts = np.append(0, np.cumsum(counts))
    return sparse.csr_array((scores.data, scores.indices, starts), shape=(users, scores.shape[1]))


@attrs.frozen
class _Keeper:
    """Reads and writes the two files of a checkpoint; does nothing without a folder."""

    folder: Path | None
    signature: dict[str, object]

    @classmethod
    def of(
        cls,
        folder: Path | None,
        signals: Signals,
        config: SimClustersConfig,
        seed: int,
        start: SimClusters | None,
    ) -> _Keeper:
        if folder is None:
            return cls(None, {})
        warm = None if start is None else start.digest
        settings = {
            "similarity": attrs.asdict(config.similarity),
            "communities": attrs.asdict(config.communities),
        }
        # More passes are what one goes on for.
        del settings["communities"]["epochs"]
        return cls(folder, {"data": signals.digest, "seed": seed, "start": warm, **settings})

    def similarity(self) -> sparse.csr_array | None:
        arrays = self._read("similarity.npz", SIMILARITY_FORMAT, _PARTS)
        return None if arrays is None else unpack_sparse("graph", arrays[1])

    def save_similarity(self, graph: sparse.csr_array) -> None:
        if self.folder is not None:
            header = {"signature": self.signature}
            write_archive(
                self.folder / "similarity.npz", SIMILARITY_FORMAT, header, pack_sparse("graph", graph)
            )

    def partition(self) -> Partition | None:
        found = self._read("communities.npz", PARTITION_FORMAT, ["cluster"])
        if found is None:
            return None
        header, arrays = found
        return Partition(arrays["cluster"], header["clusters"], header["epoch"], header["acceptance"])

    def save_partition(self, state: Partition) -> None:
        if self.folder is not None:
            header = {
                "signature": self.signature,
                "clusters": state.clusters,
                "epoch": state.epoch,
                "acceptance": state.acceptance,
            }
            write_archive(
                self.folder / "communities.npz", PARTITION_FORMAT, header, {"cluster": state.cluster}
            )

    def _read(self, name: str, format: str, names: list[str]):  # noqa: ANN202 - what read_archive returns
        if self.folder is None or not (self.folder / name).exists():
            return None
        header, arrays = read_archive(self.folder / name, format, names)
        if header["signature"] != self.signature:
            raise ValueError(
                f"{self.folder / name}: expected a checkpoint of {self.signature}, got {header['signature']}"
            )
        return header, arrays
