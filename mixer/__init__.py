"""A composable pipeline framework for recommendation serving.

Typed stages over columnar candidate batches, composed by subclassing :class:`RecommendationFlow`. Everything a
request did can be seen, replayed, bounded in time, and tested with laws (``mixer.testing``).
"""

from mixer.candidate_predicates import (
    CandidatePredicate,
    EveryTarget,
    all_of,
    any_of,
    candidate_predicate,
)
from mixer.candidates import Candidates
from mixer.columns import Candidate, Column, column
from mixer.component import Component
from mixer.cursor import Cursor, CursorCodec, Direction
from mixer.errors import CursorError, MixerError
from mixer.filter_take import ResultsConfig, batch_filter_take
from mixer.flow import BaseFlow, RecommendationFlow
from mixer.hydrators import Hydrator, hydrator
from mixer.predicates import OnError, ParamIsOn, Predicate, predicate
from mixer.provenance import Provenance
from mixer.rankers import Ranker, SortBy, chain, ranker
from mixer.result import Outcome, RecommendationResult
from mixer.run import Cause, Degradation, note, tracing
from mixer.side_effects import SideEffect, side_effect
from mixer.sources import CandidateSource, SourceRegistry, candidate_source
from mixer.stats import StatsReceiver
from mixer.target import DebugOptions, Request, Target
from mixer.transforms import Deduplicate, Trait, Transform, Truncate, transform
from mixer.verdicts import PredicateResult, Verdicts

__all__ = [
    "BaseFlow",
    "Candidate",
    "CandidatePredicate",
    "CandidateSource",
    "Candidates",
    "Cause",
    "Column",
    "Component",
    "Cursor",
    "CursorCodec",
    "CursorError",
    "DebugOptions",
    "Deduplicate",
    "Degradation",
    "Direction",
    "EveryTarget",
    "Hydrator",
    "MixerError",
    "OnError",
    "Outcome",
    "ParamIsOn",
    "Predicate",
    "PredicateResult",
    "Provenance",
    "Ranker",
    "RecommendationFlow",
    "RecommendationResult",
    "Request",
    "ResultsConfig",
    "SideEffect",
    "SortBy",
    "SourceRegistry",
    "StatsReceiver",
    "Target",
    "Trait",
    "Transform",
    "Truncate",
    "Verdicts",
    "all_of",
    "any_of",
    "batch_filter_take",
    "candidate_predicate",
    "candidate_source",
    "chain",
    "column",
    "hydrator",
    "note",
    "predicate",
    "ranker",
    "side_effect",
    "tracing",
    "transform",
]
