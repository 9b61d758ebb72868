# pyright: reportOptionalSubscript=false, reportOperatorIssue=false, reportArgumentType=false
# scipy ships no types, and what pyright infers from its source is wrong in these places.
"""Communities of producers by Metropolis-Hastings over their similarity graph."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from components.embeddings.progress import Progress, ProgressListener, silent
from components.embeddings.simclusters.config import CommunityConfig
from components.graph.edges import inverse
from components.stores.graph import flattened

MIN_BLOCKS = 32
NONE = -1
"""The cluster of a producer that has none."""


@attrs.frozen(eq=False)
class Partition:
    """Where an optimisation stands.

    Args:
        cluster: ``(producers,)`` number of the cluster, or -1.
        clusters: how many there are, empty ones included.
        epoch: passes done.
        acceptance: accepted moves a producer in the latest pass; 1 before the first.
    """

    cluster: NDArray[np.int64]
    clusters: int
    epoch: int = 0
    acceptance: float = 1.0


def initial_partition(
    similarity: sparse.csr_array, config: CommunityConfig, previous: NDArray[np.int64] | None = None
) -> Partition:
    """A start: last time's clusters, or neighbourhoods of the producers of highest degree.

    Each seed takes its neighbours that nobody took before. Producers that are left without a cluster go into empty
    clusters, one each, as far as these last.

    Args:
        previous: ``(producers,)`` earlier clusters, -1 for none.
    """
    producers = similarity.shape[0]
    wanted = config.clusters_of(producers)
    if previous is not None:
        clusters = max(wanted, int(previous.max(initial=NONE)) + 1)
        return Partition(_fill_empty(previous.astype(np.int64), clusters), clusters)
    cluster = np.full(producers, NONE, dtype=np.int64)
    made = 0
    for seed in np.argsort(-np.diff(similarity.indptr), kind="stable"):
        if made == wanted:
            break
        if cluster[seed] == NONE:
            around = similarity.indices[similarity.indptr[seed] : similarity.indptr[seed + 1]]
            cluster[around[cluster[around] == NONE]] = made
            cluster[seed] = made
            made += 1
    return Partition(_fill_empty(cluster, wanted), wanted)


def _fill_empty(cluster: NDArray[np.int64], clusters: int) -> NDArray[np.int64]:
    filled = cluster.copy()
    empty = np.flatnonzero(np.bincount(cluster[cluster != NONE], minlength=clusters) == 0)
    homeless = np.flatnonzero(cluster == NONE)[: len(empty)]
    filled[homeless] = empty[: len(homeless)]
    return filled


def detect_communities(
    similarity: sparse.csr_array,
    config: CommunityConfig,
    seed: int = 0,
    *,
    start: Partition | None = None,
    save: Callable[[Partition], None] | None = None,
    listener: ProgressListener = silent,
) -> Partition:
    """Optimises clusters; equal seeds give equal clusters, also when a run goes on from an earlier epoch.

    Each pass visits the producers in random order. With tp neighbours of weight tpw in a cluster of ``size``, a move
    there has the log likelihood ``weight * tpw + tn * mean edge weight``, ``tn = (n - size) - (degree - tp)``.
    A proposal is drawn in proportion to the likelihood, among the clusters of the neighbours and none at all, and
    accepted with probability ``min(1, exp(scale * difference))``.

    Source: twitter/sbf (2020).

    Args:
        similarity: ``(p, p)`` symmetric, no diagonal.
        start: where to begin; else :func:`initial_partition`.
        save: told of the state after each pass.
    """
    state = start or initial_partition(similarity, config)
    while state.epoch < config.epochs and state.acceptance >= config.min_acceptance:
        state = _epoch(similarity, config, seed, state)
        metrics = {"acceptance": state.acceptance}
        listener(Progress("communities", state.epoch, config.epochs, metrics))
        if save is not None:
            save(state)
    return state


def _epoch(similarity: sparse.csr_array, config: CommunityConfig, seed: int, state: Partition) -> Partition:
    rng = np.random.default_rng([seed, state.epoch])
    producers, epoch = similarity.shape[0], state.epoch + 1
    heat = config.temperature
    scale = config.scale if heat is None else 1.0 / (heat.start * heat.ratio**epoch)
    chain = _Chain(similarity, state, config.weight, scale)
    block = max(1, min(config.block, producers // MIN_BLOCKS))
    order = rng.permutation(producers)
    accepted = sum(chain.move(order[at : at + block], rng) for at in range(0, producers, block))
    return Partition(chain.cluster, state.clusters, epoch, accepted / max(producers, 1))


class _Chain:
    """Clusters and their sizes, and one block's worth of moves."""

    def __init__(self, similarity: sparse.csr_array, state: Partition, weight: float, scale: float) -> None:
        self.cluster, self.clusters = state.cluster.copy(), state.clusters
        self._graph, self._weight, self._scale = similarity, weight, scale
        degree = np.diff(similarity.indptr).astype(np.float64)
        self._mean = np.asarray(similarity.sum(axis=1), dtype=np.float64).ravel() * inverse(degree)
        self._sizes = np.bincount(self.cluster + 1, minlength=self.clusters + 1)

    def move(self, block: NDArray[np.int64], rng: np.random.Generator) -> int:
        """Lets the producers of a block move at once; how many did."""
        vertex, column, gain = self._candidates(block)
        noisy = gain + rng.gumbel(size=len(gain))
        best = _first_largest(vertex, noisy)
        current = self.cluster[block]
        # Without a neighbour in it, one's own cluster is no candidate.
        old = np.where(current == NONE, 0.0, -self._mean[block] * (self._sizes[current + 1] - 1))
        at_home = column == current[vertex]
        old[vertex[at_home]] = gain[at_home]
        proposed = column[best]
        log_u = np.log1p(-rng.random(len(block)))
        moves = (proposed != current) & (log_u < self._scale * (gain[best] - old))
        np.subtract.at(self._sizes, current[moves] + 1, 1)
        np.add.at(self._sizes, proposed[moves] + 1, 1)
        self.cluster[block[moves]] = proposed[moves]
        return int(moves.sum())

    def _candidates(
        self, block: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Position in the block, cluster, and log likelihood above that of no cluster; in this order ascending."""
        starts, stops = self._graph.indptr[block], self._graph.indptr[block + 1]
        edges, vertex = flattened(starts.astype(np.int64), stops.astype(np.int64))
        column = self.cluster[self._graph.indices[edges]]
        inside = column != NONE
        own = np.arange(len(block))
        keys = np.concatenate([vertex[inside], own]) * (self.clusters + 1) + 1
        keys += np.concatenate([column[inside], np.full(len(block), NONE)])
        weights = np.concatenate([self._graph.data[edges[inside]], np.zeros(len(block))])
        found, group = np.unique(keys, return_inverse=True)
        tpw, tp = np.bincount(group, weights), np.bincount(group).astype(np.float64)
        vertex, column = found // (self.clusters + 1), found % (self.clusters + 1) - 1
        size = self._sizes[column + 1] - (column == self.cluster[block][vertex])
        # n and the degree are the same for all clusters of a vertex, so only tp - size is left of tn.
        gain = self._weight * tpw + self._mean[block][vertex] * (tp - size)
        gain[column == NONE] = 0.0
        return vertex, column, gain


def _first_largest(group: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Position of the largest value of each group; groups are ascending."""
    order = np.lexsort((-values, group))
    first = np.append(True, np.diff(group) != 0)
    return order[first] if len(order) else order


def membership(
    similarity: sparse.csr_array, partition: Partition, kind: str = "affiliation"
) -> sparse.csr_array:
    """KnownFor: ``(producers, clusters)``, at most one positive score a row.

    ``affiliation``: weight of the edges into one's cluster as a share of all; ``overlap``: TP / (TP + FN + FP), with
    FP the members who are no neighbours, each at the mean weight of an edge. No tie inside: no membership.
    """
    cluster = partition.cluster
    rows = np.repeat(np.arange(len(cluster)), np.diff(similarity.indptr))
    same = (cluster[rows] == cluster[similarity.indices]) & (cluster[rows] != NONE)
    total = np.bincount(rows, similarity.data, minlength=len(cluster))
    inside = np.bincount(rows[same], similarity.data[same], minlength=len(cluster))
    base = total
    if kind == "overlap":
        count = np.bincount(rows[same], minlength=len(cluster))
        sizes = np.bincount(cluster + 1, minlength=partition.clusters + 1)[cluster + 1] - 1
        mean = total * inverse(np.diff(similarity.indptr).astype(np.float64))
        base = total + (sizes - count) * mean
    members = np.flatnonzero(inside > 0)
    scores = inside[members] / base[members]
    shape = (len(cluster), partition.clusters)
    return sparse.csr_array((scores, (members, cluster[members])), shape=shape)
