from __future__ import annotations

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.datasets import generate
from components.stores.from_dataset import stores_of
from components.stores.tally import earlier_equal
from components.stores.types import Account, Post, Viewer
from components.transforms.diversity import AuthorDiversity
from components.transforms.ranking_input import FirstToRank, SourceScores, SourcesLast
from components.transforms.showing import PostText, account_proof, post_proof
from mixer import Candidates, Provenance, Request, Target

scored = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.1, 0.5, 0.5, 1.0])), max_size=20)


def ranked(rows):
    columns = {
        Post.id: np.arange(len(rows)),
        Post.author_row: np.array([row[0] for row in rows], dtype=np.int64),
        Post.score: np.array([row[1] for row in rows], dtype=np.float32),
    }
    return Candidates(Post, columns)


@given(scored)
def test_author_diversity_is_the_loop_that_people_would_write(rows):
    after = AuthorDiversity(Post.author_row, Post.score).transform(Target(), ranked(rows))
    seen, expected = {}, []
    for row in sorted(range(len(rows)), key=lambda row: -rows[row][1]):
        author, score = rows[row]
        expected.append((row, score * (0.75 * 0.5 ** seen.get(author, 0) + 0.25)))
        seen[author] = seen.get(author, 0) + 1
    assert dict(zip(after.ids.tolist(), after[Post.score].tolist(), strict=True)) == pytest.approx(
        dict(expected)
    )
    assert after[Post.score].tolist() == sorted(after[Post.score].tolist(), reverse=True)


def test_the_published_multipliers():
    after = AuthorDiversity(Post.author_row, Post.score).transform(Target(), ranked([(1, 1.0)] * 6))
    assert after[Post.score].tolist() == [1, 0.625, 0.4375, 0.34375, 0.296875, 0.2734375]


@given(st.lists(st.integers(0, 4)))
def test_earlier_equal_counts(values):
    assert earlier_equal(np.array(values, dtype=np.int64)).tolist() == [
        values[:at].count(value) for at, value in enumerate(values)
    ]


def from_sources(*lengths):
    count = sum(lengths)
    scores = np.arange(count, dtype=np.float32)
    batch = Candidates(Account, {Account.id: np.arange(count) % 4, Account.source_score: scores})
    names = tuple(f"source_{index}" for index in range(len(lengths)))
    return batch.stamped(Provenance.of(names, list(lengths), batch))


@given(st.lists(st.integers(0, 6), min_size=1, max_size=4), st.integers(1, 12))
def test_sources_take_turns_until_the_count_is_full(lengths, count):
    batch = from_sources(*lengths)
    taken = FirstToRank(count).transform(Target(), batch)
    ranks = [(rank, source) for source, length in enumerate(lengths) for rank in range(length)]
    if len(batch) > count:
        expected = sorted(range(len(batch)), key=lambda row: ranks[row])[:count]
    else:
        expected = list(range(len(batch)))
    assert taken.handles.tolist() == expected


@pytest.mark.parametrize(("quality", "taken"), [(1.0, 100), (0.5, 50), (0.1, 30)])
def test_under_load_fewer_are_ranked_but_never_less_than_the_least(quality, taken):
    target = Target(request=Request(quality_factor=quality))
    assert len(FirstToRank(100).transform(target, from_sources(200))) == taken


def test_every_source_says_what_it_thinks_of_a_merged_candidate():
    batch = from_sources(3, 3).deduplicate()
    columns = {"source_0": Account.popular_score, "source_1": Account.mutual_interest_score}
    after = SourceScores(columns).transform(None, batch)
    assert after.ids.tolist() == [0, 1, 2, 3]
    assert after[Account.popular_score].tolist()[:3] == [0, 1, 2]
    assert np.isnan(after[Account.popular_score][3])
    assert after[Account.mutual_interest_score].tolist()[:2] == [4, 5]
    assert np.isnan(after[Account.mutual_interest_score][2])
    assert after[Account.mutual_interest_score][3] == 3


def test_social_proof_is_the_latest_followed_people_behind_a_candidate():
    """From whichever end it is looked up: of many candidates from the viewer's, of a few from theirs."""
    stores = stores_of(generate("tiny", seed=6).dataset)
    tried, ends = 0, set()
    for user in range(1, 60, 4):
        known = stores.history(user, stores.now_ms)
        viewer = attrs.evolve(Viewer(user, request=Request(now_ms=stores.now_ms)), known=known)
        followed = set(known.follows.tolist())
        for kind, transform, behind, key in (
            (Post, post_proof(stores), stores.engagements.reverse, Post.social_proof),
            (Account, account_proof(stores), stores.follows.reverse, Account.social_proof),
        ):
            for rows in (np.arange(0, 200, 3), np.array([user]), np.array([9, 4, 9])):
                after = transform.transform(viewer, Candidates(kind, {kind.id: rows, kind.row: rows}))
                for row, proof in zip(rows.tolist(), after[key], strict=True):
                    people = [int(one) for one in behind.of(row, stores.now_ms)[::-1] if int(one) in followed]
                    assert list(proof) == stores.users.ids[people[:3]].tolist()
                    tried += len(proof)
                theirs = behind.degrees(rows, stores.now_ms).sum()
                ends.add(theirs <= behind.reverse.degrees(known.follows, stores.now_ms).sum())
    assert tried
    assert ends == {True, False}


def test_an_empty_page_needs_no_social_proof_and_no_text():
    stores = stores_of(generate("tiny", seed=6).dataset)
    known = stores.history(1, stores.now_ms)
    viewer = attrs.evolve(Viewer(1, request=Request(now_ms=stores.now_ms)), known=known)
    empty = Candidates.empty(Post)
    assert len(post_proof(stores).transform(viewer, empty)) == 0
    assert len(PostText(stores).transform(viewer, empty)) == 0


def test_texts_come_by_row():
    stores = stores_of(generate("tiny", seed=6).dataset)
    rows = np.array([7, 3])
    after = PostText(stores).transform(Viewer(1), Candidates(Post, {Post.id: rows, Post.row: rows}))
    assert after[Post.text].tolist() == [stores.posts.text[7], stores.posts.text[3]]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=4), st.sets(st.integers(0, 4)))
def test_what_some_sources_found_stands_behind_everything_else(lengths, last):
    batch = from_sources(*lengths)
    names = frozenset(f"source_{index}" for index in last)
    after = SourcesLast(names).transform(None, batch)
    source = np.repeat(np.arange(len(lengths)), lengths).tolist()
    expected = sorted(range(len(batch)), key=lambda row: source[row] in last)
    assert after.handles.tolist() == expected
