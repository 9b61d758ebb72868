"""Where candidates came from: one table per run, shared by every batch of that run.

Each fetched row is an *entry* (source, score there, rank there) and its index is the *handle* that rows carry
through the run. Merging duplicates never renumbers rows: it only records that several entries now belong to
the handle of the row that stays, its *lead*.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mixer.columns import Candidate
from mixer.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from mixer.candidates import Candidates

MAX_SOURCES = 64
"""Source sets are 64-bit masks."""


class Provenance:
    """The table of entries of one run.

    Args:
        names: source names in declared order, at most 64.
        source: ``(e,)`` index into ``names`` of each entry; or how many entries each source has, in order.
        score: ``(e,)`` score the source gave, NaN if none; or the batch whose ``source_score`` says so.
        lead: ``(e,)`` the handle that each entry belongs to; itself until duplicates are merged.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        source: NDArray[np.int16] | list[int],
        score: NDArray[np.float32] | Candidates[Any],
        lead: NDArray[np.int64] | None = None,
    ) -> None:
        self.names = names
        self._source = source
        self._score = score
        self._lead = lead
        self._length = sum(source) if isinstance(source, list) else len(source)

    @cached_property
    def source(self) -> NDArray[np.int16]:
        """``(e,)`` index into ``names`` of each entry."""
        if isinstance(self._source, list):
            return np.repeat(np.arange(len(self.names), dtype=np.int16), self._source)
        return self._source

    @cached_property
    def score(self) -> NDArray[np.float32]:
        """``(e,)`` score that the source gave, NaN if none."""
        return self._score if isinstance(self._score, np.ndarray) else self._score[Candidate.source_score]

    @classmethod
    def of(cls, names: tuple[str, ...], lengths: Sequence[int], merged: Candidates[Any]) -> Provenance:
        """The table of a run that merged sources of these lengths, in order.

        Raises:
            ConfigurationError: two sources share a name, or there are more than 64.
        """
        if len(set(names)) != len(names) or len(names) > MAX_SOURCES:
            raise ConfigurationError(
                "candidate sources", [f"expected at most 64 distinct names, got {names}"]
            )
        return cls(names, list(lengths), merged)

    def __len__(self) -> int:
        return self._length

    @cached_property
    def lead(self) -> NDArray[np.int64]:
        """``(e,)`` the handle each entry belongs to."""
        return np.arange(len(self), dtype=np.int64) if self._lead is None else self._lead

    @cached_property
    def rank(self) -> NDArray[np.int32]:
        """``(e,)`` 0-based position of each entry in what its source answered."""
        ranks = np.zeros(len(self), dtype=np.int32)
        for index in range(len(self.names)):
            mine = np.flatnonzero(self.source == index)
            ranks[mine] = np.arange(len(mine), dtype=np.int32)
        return ranks

    @cached_property
    def _sets(self) -> NDArray[np.uint64]:
        bits = np.zeros(len(self), dtype=np.uint64)
        own = np.left_shift(np.uint64(1), self.source.astype(np.uint64))
        np.bitwise_or.at(bits, self.lead, own)
        return bits

    def sources_of(self, handles: NDArray[np.int64]) -> NDArray[np.uint64]:
        """``(n,)`` bit mask of every source that produced each row; bit ``i`` is ``names[i]``."""
        return self._sets[handles]

    def primary_of(self, handles: NDArray[np.int64]) -> NDArray[np.int16]:
        """``(n,)`` index into ``names`` of the source whose row stayed."""
        return self.source[handles]

    def rank_of(self, handles: NDArray[np.int64]) -> NDArray[np.int32]:
        """``(n,)`` 0-based rank at the primary source."""
        return self.rank[handles]

    def matrix_of(self, handles: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Score and rank at every source: ``(n, s)`` each; NaN and -1 where a source did not produce the row."""
        scores = np.full((len(self), len(self.names)), np.nan, dtype=np.float32)
        ranks = np.full((len(self), len(self.names)), -1, dtype=np.int32)
        # Reversed, so that the best (first) entry of a source is the one that stays written.
        scores[self.lead[::-1], self.source[::-1]] = self.score[::-1]
        ranks[self.lead[::-1], self.source[::-1]] = self.rank[::-1]
        return scores[handles], ranks[handles]

    def names_of(self, handle: int) -> tuple[str, ...]:
        """Names of all sources of one row, in declared order."""
        bits = int(self._sets[handle])
        return tuple(name for index, name in enumerate(self.names) if bits >> index & 1)

    def merged(self, kept: NDArray[np.int64], gone: NDArray[np.int64]) -> Provenance:
        """A table in which handle ``gone[i]`` and all its entries belong to ``kept[i]``."""
        target = np.arange(len(self), dtype=np.int64)
        target[gone] = kept
        return Provenance(self.names, self.source, self.score, target[self.lead])

    @staticmethod
    def joined(tables: Sequence[Provenance]) -> tuple[Provenance, tuple[int, ...]]:
        """One table for all, and what to add to the handles of each part."""
        names = tuple(dict.fromkeys(name for table in tables for name in table.names))
        offsets = tuple(np.cumsum([0, *(len(table) for table in tables)]).tolist())
        index = {name: number for number, name in enumerate(names)}
        sources: list[NDArray[Any]] = []
        for table in tables:
            renumber = np.array([index[name] for name in table.names], dtype=np.int16)
            sources.append(renumber[table.source] if len(table) else table.source)
        joined = Provenance(
            names,
            np.concatenate(sources),
            np.concatenate([table.score for table in tables]),
            np.concatenate([table.lead + offset for table, offset in zip(tables, offsets, strict=False)]),
        )
        return joined, offsets[:-1]


def found_first_by(candidates: Candidates[Any], names: Collection[str]) -> NDArray[np.bool_]:
    """``(n,)`` whose row stayed: that of one of these sources; nobody's outside a run."""
    provenance = candidates.provenance
    if provenance is None:
        return np.zeros(len(candidates), dtype=np.bool_)
    places = [at for at, name in enumerate(provenance.names) if name in names]
    return np.isin(provenance.primary_of(candidates.handles), places)
