# pyright: reportOptionalSubscript=false, reportOperatorIssue=false, reportArgumentType=false
# scipy ships no types, and what pyright infers from its source is wrong in these places.
"""``SimClusters``: what was learnt, how it is saved, and how alike users and authors are."""

from __future__ import annotations

from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from components.archive import pack_sparse, read_archive, unpack_sparse, write_archive
from components.embeddings.simclusters.config import SimClustersConfig
from components.embeddings.simclusters.interests import Interests
from components.embeddings.simclusters.posts import engagement_weights
from components.embeddings.simclusters.similarity import row_norms
from components.graph.edges import inverse, scale_rows
from components.stores.ids import IdIndex

FORMAT = "mixer.simclusters/1"
_MATRICES = ("known_for", "support", "producers")


@attrs.frozen(eq=False, slots=False)
class SimClusters:
    """Communities and everybody's place in them.

    Args:
        users: ids; the rows of all matrices.
        known_for: ``(users, clusters)`` membership of producers, one cluster at most.
        interests: InterestedIn.
        producers: ``(users, clusters)`` what producers stand for, by their audience.
        config: what it was trained with.
    """

    users: IdIndex
    known_for: sparse.csr_array
    interests: Interests
    producers: sparse.csr_array
    config: SimClustersConfig

    @property
    def clusters(self) -> int:
        """How many clusters there are, empty ones included."""
        return int(self.known_for.shape[1])

    @cached_property
    def consumer_matrix(self) -> sparse.csr_array:
        """``(users, clusters)`` the score of InterestedIn that posts are made of, normalised by cluster."""
        return self.interests.matrix(self.config.posts.score, by_cluster=True)

    @cached_property
    def weights(self) -> sparse.csr_array:
        """``(users, clusters)`` what an engagement of a user adds to a post."""
        return engagement_weights(self.interests, self.config.posts)

    def consumers(self, user_ids: ArrayLike) -> sparse.csr_array:
        """``(n, clusters)`` interests; rows of unknown users are empty."""
        return take_rows(self.consumer_matrix, self.users.rows_of(user_ids))

    def authors(self, user_ids: ArrayLike) -> sparse.csr_array:
        """``(n, clusters)`` what authors stand for; rows of unknown users are empty."""
        return take_rows(self.producers, self.users.rows_of(user_ids))

    def user_similarity(self, first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
        """``(n,)`` cosine of the interests of pairs of users; 0 where one has none."""
        return row_cosines(self.consumers(first), self.consumers(second))

    def author_similarity(self, first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
        """``(n,)`` cosine of pairs of authors; 0 where one has no vector."""
        return row_cosines(self.authors(first), self.authors(second))

    def similar_authors(self, user_id: int, k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Ids of the up to ``k`` authors nearest to one, best first, and their cosines; itself left out."""
        wanted = self.authors([user_id])
        cosines = (self._unit_producers @ unit_rows(wanted).T).toarray().ravel()
        row = self.users.row_of(user_id)
        if row >= 0:
            cosines[row] = 0.0
        near = np.argsort(-cosines, kind="stable")[:k]
        near = near[cosines[near] > 0]
        return self.users.ids[near], cosines[near]

    @cached_property
    def _unit_producers(self) -> sparse.csr_array:
        return unit_rows(self.producers)

    @property
    def digest(self) -> str:
        """Tells the communities of other models from these."""
        parts = (self.users.ids, self.known_for.indptr, self.known_for.indices)
        return blake2b(b"".join(part.tobytes() for part in parts), digest_size=8).hexdigest()

    def save(self, path: str | Path) -> None:
        """Writes one file that appears whole or not at all."""
        matrices = (self.known_for, self.interests.support, self.producers)
        arrays = {"users": self.users.ids, "scores": self.interests.scores, "norms": self.interests.norms}
        for name, matrix in zip(_MATRICES, matrices, strict=True):
            arrays |= pack_sparse(name, matrix)
        write_archive(path, FORMAT, {"config": attrs.asdict(self.config)}, arrays)

    @classmethod
    def load(cls, path: str | Path) -> SimClusters:
        """Reads what :meth:`save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged, or of another format or version.
        """
        from components.models.heavy_ranker.load import decode

        parts = [f"{name}.{part}" for name in _MATRICES for part in ("data", "indices", "indptr", "shape")]
        header, arrays = read_archive(path, FORMAT, ["users", "scores", "norms", *parts])
        known_for, support, producers = (unpack_sparse(name, arrays) for name in _MATRICES)
        interests = Interests(support, arrays["scores"], arrays["norms"])
        config = decode(SimClustersConfig, header["config"], str(path))
        return cls(IdIndex(arrays["users"]), known_for, interests, producers, config)


def take_rows(matrix: sparse.csr_array, rows: NDArray[np.int64]) -> sparse.csr_array:
    """``(n, columns)`` the rows asked for; empty ones for -1."""
    known = rows >= 0
    if not matrix.shape[0]:
        return sparse.csr_array((len(rows), matrix.shape[1]), dtype=matrix.dtype)
    return scale_rows(sparse.csr_array(matrix[np.where(known, rows, 0)]), known.astype(matrix.dtype))


def unit_rows(matrix: sparse.csr_array) -> sparse.csr_array:
    """Each row divided by its length."""
    return scale_rows(matrix, inverse(row_norms(matrix)))


def row_cosines(first: sparse.csr_array, second: sparse.csr_array) -> NDArray[np.float64]:
    """``(n,)`` cosine between the rows of two matrices; 0 for empty rows."""
    return np.asarray(unit_rows(first).multiply(unit_rows(second)).sum(axis=1), dtype=np.float64).ravel()
