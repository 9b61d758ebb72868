"""``FastScanIndex``: product quantisation scanned in registers, re-ranked with the stored vectors.

Source: the 4-bit fast-scan of faiss. Of the indexes we measured over a million vectors it is the one that takes in
vectors in microseconds, so that new posts are found at once; graph indexes need minutes of processor time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

import attrs
import numpy as np
from attrs.validators import ge, in_
from numpy.typing import ArrayLike, NDArray

from components.ann.exact import check_k, exact_search
from components.ann.index import NO_ID, Hits, joined, top
from components.ann.rows import Rows
from components.archive import read_archive, write_archive

FORMAT = "mixer.fast-scan-index/1"
BITS = 4
MAX_SUBQUANTISERS = 64
_COMPACT_AT = 0.75
_SELECTIVE = 0.1
_DTYPES: dict[str, type[np.floating]] = {"float16": np.float16, "float32": np.float32}


@attrs.frozen
class FastScanConfig:
    """Choices of a ``FastScanIndex``.

    Args:
        rerank: candidates re-ranked exactly for each neighbour asked for.
        stored: how vectors are kept for that; half the memory costs about 0.001 of recall at 100.
        exact_below: below so many vectors everything is compared, and no quantiser is trained.
        training_rows: at most so many vectors train the quantiser.
        seed: of the quantiser's k-means and of ``health``.
    """

    rerank: int = attrs.field(default=20, validator=ge(1))
    stored: Literal["float16", "float32"] = attrs.field(default="float32", validator=in_(_DTYPES))
    exact_below: int = attrs.field(default=20_000, validator=ge(1_000))
    training_rows: int = attrs.field(default=65_536, validator=ge(1_000))
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

    The quantiser is trained once, by the call of ``add`` that reaches ``exact_below`` vectors. The scan itself takes
    no filter: few allowed ids are compared exactly; of many, a longer list of candidates is filtered before it is
    re-ranked, and a query that this leaves short is compared exactly after all.

    Raises:
        ImportError: faiss is not installed.
    """

    def __init__(self, dimensions: int, config: FastScanConfig | None = None) -> None:
        self._faiss = _faiss()
        self.config = config or FastScanConfig()
        self._rows = Rows(dimensions, _DTYPES[self.config.stored])
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
        checked = self._rows.checked(queries, "queries")
        chosen = None if allowed is None else self._rows.rows_of(allowed)
        usable = len(self._rows) if chosen is None else len(chosen)
        if self._codes is None or usable <= _SELECTIVE * self._rows.count:
            return exact_search(self._rows, checked, k, chosen)
        mask = self._rows.alive
        if chosen is not None:
            mask = np.zeros(self._rows.count, dtype=np.bool_)
            mask[chosen] = True
        hits = self._scan(checked, k, mask, usable)
        short = np.flatnonzero((hits.ids != NO_ID).sum(axis=1) < min(k, usable))
        if len(short):
            exact = exact_search(self._rows, checked[short], k, chosen)
            hits.ids[short], hits.scores[short] = exact.ids, exact.scores
        return hits

    def health(self, k: int = 100, samples: int = 100) -> Health:
        """Measures recall at ``k`` on stored vectors, drawn with the configured seed, as queries."""
        alive = np.flatnonzero(self._rows.alive)
        recall = 1.0
        if len(alive) and self._codes is not None:
            drawn = np.random.default_rng(self.config.seed).choice(alive, min(samples, len(alive)), False)
            queries = self._rows.vectors[drawn].astype(np.float32)
            recall = recall_of(self.search(queries, k), exact_search(self._rows, queries, k))
        dead = 1.0 - len(alive) / max(self._rows.count, 1) if self._rows.count else 0.0
        return Health(len(self), dead, self._codes is not None, recall)

    def save(self, path: str | Path) -> None:
        """Writes one archive with vectors and codes; it appears whole or not at all."""
        self._compact()
        codes = [] if self._codes is None else self._faiss.serialize_index(self._codes)
        header = {"config": attrs.asdict(self.config)}
        write_archive(path, FORMAT, header, {**self._rows.arrays(), "codes": np.array(codes, dtype=np.uint8)})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads what ``save`` wrote.

        Raises:
            ValueError: the file is damaged or of another format.
        """
        header, arrays = read_archive(path, FORMAT, ["ids", "vectors", "codes"])
        index = cls(arrays["vectors"].shape[1], FastScanConfig(**header["config"]))
        index._rows.restore(arrays)
        if len(arrays["codes"]):
            index._codes = index._faiss.deserialize_index(arrays["codes"])
        return index

    def _scan(self, queries: NDArray[np.float32], k: int, mask: NDArray[np.bool_], usable: int) -> Hits:
        """Candidates that the mask takes away are made up for by asking for more, as if spread evenly."""
        wanted = min(int(np.ceil(k * self.config.rerank * len(mask) / usable)), len(mask))
        _, found = self._codes.search(queries, wanted)
        candidates = (rows[(rows >= 0) & mask[rows]] for rows in found)
        return joined([self._rerank(q, rows, k) for q, rows in zip(queries, candidates, strict=True)], k)

    def _rerank(self, query: NDArray[np.float32], rows: NDArray[np.int64], k: int) -> Hits:
        vectors = self._rows.vectors.take(rows, axis=0).astype(np.float32, copy=False)
        return top((vectors @ query)[None], self._rows.ids[rows], k)

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
        if len(self._rows) < _COMPACT_AT * self._rows.count:
            self._compact()

    def _compact(self) -> None:
        """Removal keeps the order of the others, in the codes as in the rows."""
        dead = np.flatnonzero(~self._rows.alive)
        if len(dead) and self._codes is not None:
            self._codes.remove_ids(self._faiss.IDSelectorBatch(dead))
        self._rows.compact()


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
        message = 'FastScanIndex needs faiss: pip install "mixer[ann]"; or use ExactIndex'
        raise ImportError(message) from error
    return faiss
