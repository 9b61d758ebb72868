"""Random whole flows, and the ten lines of plain Python that say what they should answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np
from hypothesis import strategies as st

from mixer.candidate_predicates import CandidatePredicate
from mixer.candidates import Candidates
from mixer.columns import Candidate
from mixer.filter_take import ResultsConfig
from mixer.flow import RecommendationFlow
from mixer.rankers import Ranker
from mixer.sources import CandidateSource
from mixer.target import Target
from mixer.testing.strategies import row_predicates
from mixer.transforms import Deduplicate, Transform


@attrs.frozen
class Parts:
    """What a random flow is made of.

    Args:
        found: ids that each source answers with.
        cheap: the pre-rank filter.
        valid: the validation.
        multiplier: ids are ranked by ``id * multiplier % 101``, largest first.
        config: how many results.
    """

    found: tuple[tuple[int, ...], ...]
    cheap: CandidatePredicate[Any, Any]
    valid: CandidatePredicate[Any, Any]
    multiplier: int
    config: ResultsConfig


def flow_parts(*, max_size: int = 20) -> st.SearchStrategy[Parts]:
    """Parts of random flows: up to four sources with duplicates, any filters, any results config."""
    configs = st.builds(
        ResultsConfig,
        desired=st.integers(0, 12),
        batch_size=st.none() | st.integers(1, 7),
        max_batches=st.none() | st.integers(1, 5),
        overfetch=st.booleans(),
    )
    ids = st.lists(st.integers(0, 25), max_size=max_size).map(tuple)
    found = st.lists(ids, max_size=4).map(tuple)
    return st.builds(Parts, found, row_predicates(), row_predicates(), st.integers(1, 100), configs)


@attrs.frozen
class _Fixed(CandidateSource[Any, Candidate]):
    number: int
    ids: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"source_{self.number}"

    def fetch(self, target: object) -> Candidates[Candidate]:
        return Candidates(Candidate, {Candidate.id: np.array(self.ids, dtype=np.int64)})


@attrs.frozen
class _ByResidue(Ranker[Any, Candidate]):
    multiplier: int

    def rank(self, target: object, candidates: Candidates[Candidate]) -> Candidates[Candidate]:
        return candidates.sort(candidates.ids * self.multiplier % 101)


class PartsFlow(RecommendationFlow[Target, Candidate]):
    """The flow made of some parts; ``wrap`` may turn each source into a misbehaving or wrapped one."""

    def __init__(
        self,
        parts: Parts,
        wrap: Callable[[CandidateSource[Any, Any]], CandidateSource[Any, Any]] = lambda s: s,
    ) -> None:
        self.parts = parts
        self.sources = [wrap(_Fixed(number, ids)) for number, ids in enumerate(parts.found)]

    def candidate_sources(self, target: Target) -> Sequence[CandidateSource[Target, Candidate]]:
        return self.sources

    def pre_ranker_filter(self) -> CandidatePredicate[Target, Candidate]:
        return self.parts.cheap

    def select_ranker(self, target: Target) -> Ranker[Target, Candidate]:
        return _ByResidue(self.parts.multiplier)

    def post_ranker_transform(self) -> Transform[Target, Candidate]:
        return Deduplicate()

    def validate_candidates(self) -> CandidatePredicate[Target, Candidate]:
        return self.parts.valid

    def results_config(self, target: Target) -> ResultsConfig:
        return self.parts.config


def naive_answer(parts: Parts) -> list[int]:
    """What :class:`PartsFlow` has to answer, one candidate at a time (``overfetch`` and bounds included)."""
    merged = [one for ids in parts.found for one in ids]
    ranked = sorted(
        (one for one in merged if _keeps(parts.cheap, one)), key=lambda one: -(one * parts.multiplier % 101)
    )
    unique = list(dict.fromkeys(ranked))
    kept: list[int] = []
    size, start, batches = parts.config.batch_size or max(parts.config.desired, 1), 0, 0
    while start < len(unique) and batches != parts.config.max_batches:
        step = size
        if parts.config.overfetch and start:
            step = max(size, -(-(parts.config.desired - len(kept)) * (start + 1) // (len(kept) + 1)))
        kept += [one for one in unique[start : start + step] if _keeps(parts.valid, one)]
        start, batches = start + step, batches + 1
        if len(kept) >= parts.config.desired:
            break
    return kept[: parts.config.desired]


def _keeps(predicate: CandidatePredicate[Any, Any], one: int) -> bool:
    row: Candidates[Candidate] = Candidates(Candidate, {Candidate.id: np.array([one], dtype=np.int64)})
    verdicts: Any = predicate.check(None, row)
    return bool(verdicts.keep[0])
