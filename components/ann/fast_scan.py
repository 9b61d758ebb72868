"""``FastScanIndex``: product quantisation scanned in registers, re-ranked with the stored vectors.

Source: the 4-bit fast-scan of faiss. Of the indexes we measured over a million vectors it is the one that takes in
vectors in microseconds, so that new posts are found within seconds; graph indexes need minutes of processor time.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from components.ann.exact import check_k, exact_search
from components.ann.index import NO_ID, Hits, top
from components.ann.rows import Rows

BITS = 4
MAX_SUBQUANTISERS = 64
_COMPACT_AT = 0.75
_SELECTIVE = 0.1


@attrs.frozen
class FastScanConfig:
    """Choices of a ``FastScanIndex``.

    Args:
        rerank: candidates re-ranked exactly for each neighbour asked for.
        exact_below: below so many vectors everything is compared, and no quantiser is trained.
        training_rows: at most so many vectors train the quantiser.
        seed: of the quantiser's k-means and of ``health``.
    """

    rerank: int = attrs.field(default=20, validator=attrs.validators.ge(1))
    exact_below: int = attrs.field(default=20_000, validator=attrs.validators.ge(1_000))
    training_rows: int = attrs.field(default=65_536, validator=attrs.validators.ge(1_000))
    seed: int = 0


@attrs.frozen
class Health:
    """How an index stands: living vectors, the share of dead rows, and recall against exact search."""

    size: int
    dead_share: float
    quantised: bool
    recall: float


class FastScanIndex:
    """Quantised search with exact re-ranking; needs ``faiss``.

    The quantiser is trained once, by the call of ``add`` that reaches ``exact_below`` vectors. A list of allowed
    ids cannot be pushed into the scan: few allowed ids are compared exactly, many are filtered afterwards from a
    longer list of candidates.

    Raises:
        ImportError: faiss is not installed.
    """

    def __init__(self, dimensions: int, config: FastScanConfig | None = None) -> None:
        self._faiss = _faiss()
        self.config = config or FastScanConfig()
        self._rows = Rows(dimensions, np.float16)
        self._codes: Any = None  # a faiss index, whose stubs say nothing

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, ids: ArrayLike, vectors: ArrayLike) -> None:
        added = self._rows.append(ids, vectors)
        if self._codes is not None:
            self._codes.add(added)
            self._tidy()
        elif len(self._rows) >= self.config.exact_below:
            self._rows.compact()
            self._train()

    def remove(self, ids: ArrayLike) -> int:
        removed = self._rows.kill(ids)
        self._tidy()
        return removed

    def search(self, queries: ArrayLike, k: int, allowed: ArrayLike | None = None) -> Hits:
        check_k(k)
        permitted = None if allowed is None else self._rows.rows_of(allowed)
        share = 1.0 if permitted is None else len(permitted) / max(self._rows.count, 1)
        if self._codes is None or share <= _SELECTIVE:
            return exact_search(self._rows, queries, k, allowed)
        mask = self._rows.alive
        if permitted is not None:
            mask = np.zeros(self._rows.count, dtype=np.bool_)
            mask[permitted] = True
        return self._scan(self._rows.checked(queries, "queries"), k, mask)

    def health(self, k: int = 100, samples: int = 100) -> Health:
        """Measures recall at ``k`` on stored vectors, drawn with the configured seed, as queries."""
        alive = np.flatnonzero(self._rows.alive)
        recall = 1.0
        if len(alive) and self._codes is not None:
            drawn = np.random.default_rng(self.config.seed).choice(alive, min(samples, len(alive)), False)
            queries = self._rows.vectors[drawn].astype(np.float32)
            exact = exact_search(self._rows, queries, k)
            recall = recall_of(self.search(queries, k), exact)
        dead = 1.0 - len(alive) / max(self._rows.count, 1) if self._rows.count else 0.0
        return Health(len(self), dead, self._codes is not None, recall)

    def _scan(self, queries: NDArray[np.float32], k: int, mask: NDArray[np.bool_]) -> Hits:
        """Filtered candidates are made up for by asking for more, as if spread evenly."""
        share = max(float(mask.mean()), 1.0 / len(mask))
        wanted = min(int(np.ceil(k * self.config.rerank / share)), self._rows.count)
        _, found = self._codes.search(queries, wanted)
        scores = np.full(found.shape, -np.inf, dtype=np.float32)
        usable = (found >= 0) & mask[found]
        for query, row_scores, rows, good in zip(queries, scores, found, usable, strict=True):
            row_scores[good] = self._rows.vectors[rows[good]].astype(np.float32) @ query
        ids, best = top(scores, np.where(usable, self._rows.ids[found], NO_ID), k)
        return Hits(ids, best)

    def _train(self) -> None:
        quantisers = _subquantisers(self._rows.dimensions)
        self._codes = self._faiss.IndexPQFastScan(
            self._rows.dimensions, quantisers, BITS, self._faiss.METRIC_INNER_PRODUCT
        )
        self._codes.pq.cp.seed = self.config.seed
        rng = np.random.default_rng(self.config.seed)
        count = min(self.config.training_rows, self._rows.count)
        rows = np.sort(rng.choice(self._rows.count, count, replace=False))
        self._codes.train(self._rows.vectors[rows].astype(np.float32))
        self._codes.add(self._rows.vectors.astype(np.float32))

    def _tidy(self) -> None:
        if len(self._rows) >= _COMPACT_AT * self._rows.count:
            return
        self._rows.compact()
        if self._codes is not None:
            self._codes.reset()
            if self._rows.count:
                self._codes.add(self._rows.vectors.astype(np.float32))


def recall_of(hits: Hits, exact: Hits) -> float:
    """Share of the exact neighbours that were found; 1 when there are none."""
    wanted = exact.ids != NO_ID
    found = [np.isin(truth, got) for truth, got in zip(exact.ids, hits.ids, strict=True)]
    return float((np.array(found) & wanted).sum() / wanted.sum()) if wanted.any() else 1.0


def _subquantisers(dimensions: int) -> int:
    """Two dimensions each where that is possible, and never more than 64."""
    most = min(MAX_SUBQUANTISERS, max(1, dimensions // 2))
    return next(count for count in range(most, 0, -1) if dimensions % count == 0)


def _faiss() -> Any:  # faiss has no types
    try:
        import faiss
    except ImportError as error:
        raise ImportError("FastScanIndex needs faiss: pip install faiss-cpu; or use ExactIndex") from error
    return faiss
