"""Adapter for the peer benchmark: the shared seven-stage flow, written as a RecommendationFlow.

The benchmark times this module beside other pipeline frameworks in one process; see ``docs/explanation/
performance.md`` for the command and the recorded numbers. ``columnar`` and ``native`` are the same here: the
columnar batch is mixer's own container.
"""

from __future__ import annotations

import asyncio
import time
from importlib.metadata import version
from typing import Any

_begin = time.perf_counter_ns()
import numpy as np  # noqa: E402

import mixer as m  # noqa: E402

IMPORT_MS = round((time.perf_counter_ns() - _begin) / 1e6, 1)
PEER = "mixer"
VERSION = version("mixer")

FANOUT = 4
WAIT_S = 0.005
TAKE = 50

import attrs  # noqa: E402


class Post(m.Candidate):
    author_id = m.column(np.int64)
    sensitive = m.column(np.bool_)
    row = m.column(np.int64)
    score = m.column(np.float32, default=np.nan)


@attrs.frozen(slots=False)
class Query(m.Target):
    query: Any


@attrs.frozen
class Corpus(m.CandidateSource[Query, Post]):
    """The rows that the shared flow "finds", as one source."""

    corpus: Any
    label = "corpus"

    def fetch(self, target: Query) -> m.Candidates[Post]:
        return batch_of(self.corpus, target.query.rows)


@attrs.frozen
class Shard(m.CandidateSource[Query, Post]):
    """Every fourth row, after a wait as long as the shared flow's."""

    corpus: Any
    part: int

    @property
    def name(self) -> str:
        return f"shard_{self.part}"

    async def fetch(self, target: Query) -> m.Candidates[Post]:
        await asyncio.sleep(WAIT_S)
        return batch_of(self.corpus, target.query.rows[self.part :: FANOUT])


def batch_of(corpus: Any, rows: Any) -> m.Candidates[Post]:
    return m.Candidates(
        Post,
        {
            Post.id: corpus.post_id[rows],
            Post.author_id: corpus.author_id[rows],
            Post.sensitive: corpus.sensitive[rows],
            Post.row: rows.copy(),
            Post.score: np.zeros(len(rows), np.float32),
        },
    )


class NotSensitive(m.CandidatePredicate[Query, Post]):
    def check(self, target: Query, candidates: m.Candidates[Post]) -> m.Verdicts:
        return m.Verdicts.keep_where(~candidates[Post.sensitive], "sensitive")


@attrs.frozen
class DotProduct(m.Ranker[Query, Post]):
    """Scores by dot product and sorts."""

    corpus: Any

    def rank(self, target: Query, posts: m.Candidates[Post]) -> m.Candidates[Post]:
        score = self.corpus.embedding[posts[Post.row]] @ target.query.embedding
        return posts.with_columns({Post.score: score}).sort(Post.score)


class OneAnAuthor(m.Transform[Query, Post]):
    traits = m.Trait.DROPS

    def transform(self, target: Query, candidates: m.Candidates[Post]) -> m.Candidates[Post]:
        return candidates.unique_by(Post.author_id)


class PeerFlow(m.RecommendationFlow[Query, Post]):
    """source, drop sensitive, score and sort, one an author, take 50."""

    def __init__(self, sources: list[m.CandidateSource[Query, Post]], corpus: Any) -> None:
        self.sources = sources
        self.ranker = DotProduct(corpus)

    def candidate_sources(self, target: Query) -> list[m.CandidateSource[Query, Post]]:
        return self.sources

    def pre_ranker_filter(self) -> m.CandidatePredicate[Query, Post]:
        return NotSensitive()

    def select_ranker(self, target: Query) -> m.Ranker[Query, Post]:
        return self.ranker

    def post_ranker_transform(self) -> m.Transform[Query, Post]:
        return OneAnAuthor()

    def results_config(self, target: Query) -> m.ResultsConfig:
        return _TAKE_50


_TAKE_50 = m.ResultsConfig(TAKE)
_ONE = m.Candidates(Post, {Post.id: [1]})
_KEEP_ONE = m.Verdicts.keep_all(1)


class AllEligible(m.Predicate[Query]):
    def check(self, target: Query) -> m.PredicateResult:
        return m.PredicateResult.VALID


class FindsOne(m.CandidateSource[Query, Post]):
    def fetch(self, target: Query) -> m.Candidates[Post]:
        return _ONE


class KeepsOne(m.CandidatePredicate[Query, Post]):
    def check(self, target: Query, candidates: m.Candidates[Post]) -> m.Verdicts:
        return _KEEP_ONE


class SameOrder(m.Ranker[Query, Post]):
    def rank(self, target: Query, candidates: m.Candidates[Post]) -> m.Candidates[Post]:
        return candidates


class Same(m.Transform[Query, Post]):
    def transform(self, target: Query, candidates: m.Candidates[Post]) -> m.Candidates[Post]:
        return candidates


class NullFlow(m.RecommendationFlow[Query, Post]):
    """Seven stages that do nothing, each a real component."""

    def __init__(self) -> None:
        self.sources = [FindsOne()]
        self.ranker = SameOrder()

    def target_eligibility(self) -> m.Predicate[Query]:
        return AllEligible()

    def candidate_sources(self, target: Query) -> list[m.CandidateSource[Query, Post]]:
        return self.sources

    def pre_ranker_filter(self) -> m.CandidatePredicate[Query, Post]:
        return KeepsOne()

    def select_ranker(self, target: Query) -> m.Ranker[Query, Post]:
        return self.ranker

    def post_ranker_transform(self) -> m.Transform[Query, Post]:
        return Same()

    def validate_candidates(self) -> m.CandidatePredicate[Query, Post]:
        return KeepsOne()

    def transform_results(self) -> m.Transform[Query, Post]:
        return Same()

    def results_config(self, target: Query) -> m.ResultsConfig:
        return _TAKE_50


def render(posts: m.Candidates[Post]) -> list[dict[str, object]]:
    columns = zip(posts.ids.tolist(), posts[Post.author_id].tolist(), posts[Post.score].tolist(), strict=True)
    return [
        {"rank": rank, "post": post, "author": author, "score": score}
        for rank, (post, author, score) in enumerate(columns)
    ]


def make(corpus: Any, style: str, scenario: str, mode: str) -> Any:
    """A coroutine function ``call(query)`` that answers one request of the scenario."""
    from harness import Unsupported  # ships with the benchmark, which puts it on the path

    if mode != "async" or style == "object":
        raise Unsupported("mixer is asynchronous and columnar")
    if scenario == "null":
        null = NullFlow()

        async def call_null(query: Any) -> int:
            await null.process(Query(query))
            return query.user_id

        return call_null
    sources: list[m.CandidateSource[Query, Post]] = (
        [Corpus(corpus)] if scenario == "flow" else [Shard(corpus, part) for part in range(FANOUT)]
    )
    flow = PeerFlow(sources, corpus)

    async def call(query: Any) -> list[dict[str, object]]:
        return render((await flow.process(Query(query))).candidates)

    return call


def source_batch(corpus: Any, style: str) -> Any:
    """The source stage alone, for the memory probe."""
    return lambda query: batch_of(corpus, query.rows)
