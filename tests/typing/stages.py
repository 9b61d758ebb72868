"""What type checkers know about batches and stages; read by pyright, never run."""

from __future__ import annotations

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import mixer as m


class Post(m.Candidate):
    author_id = m.column(np.int64)
    score = m.column(np.float32, default=np.nan)
    seen = m.column(np.bool_, default=False)
    vector = m.column(np.float32, shape=(64,))
    text = m.column(str, default="")


class Flow(m.RecommendationFlow[m.Target, Post]):
    def candidate_sources(self, target: m.Target) -> list[m.CandidateSource[m.Target, Post]]:
        return []

    def results_config(self, target: m.Target) -> m.ResultsConfig:
        return m.ResultsConfig(1)


def columns(posts: m.Candidates[Post], post: Post) -> None:
    assert_type(posts[Post.author_id], NDArray[np.int64])
    assert_type(posts[Post.score], NDArray[np.float32])
    assert_type(posts[Post.seen], NDArray[np.bool_])
    assert_type(posts[Post.vector], NDArray[np.float32])
    assert_type(post.author_id, int)
    assert_type(post.score, float)
    assert_type(post.seen, bool)
    assert_type(post.text, str)
    assert_type(posts.where(posts[Post.seen]), m.Candidates[Post])
    assert_type(posts.rows(), list[Post])


def stages(predicate: m.Predicate[m.Target], source: m.CandidateSource[m.Target, Post]) -> None:
    assert_type(predicate.and_then(predicate).negate("x"), m.Predicate[m.Target])
    assert_type(source.fail_open().limit(3), m.CandidateSource[m.Target, Post])
    assert_type(m.Candidates.concat([m.Candidates.empty(Post)]), m.Candidates[Post])


async def answers(flow: Flow) -> None:
    result = await flow.process(m.Target())
    assert_type(result, m.RecommendationResult[Post])
    assert_type(result.candidates, m.Candidates[Post])
    unknown: Any = result.trace.to_json()
    assert unknown
