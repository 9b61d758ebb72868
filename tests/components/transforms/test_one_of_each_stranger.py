from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from components.stores.types import Post, Viewer
from components.transforms.diversity import OneOfEachStranger
from mixer import Candidates, Deduplicate, Provenance, Request

VIEWER = Viewer(1, request=Request(id="r"))
ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.booleans(), st.sampled_from([0.1, 0.2, 0.3, float("nan")])), max_size=12
)


def batch_of(rows, lengths):
    """``(author, in network, score)`` a post; ``lengths`` posts of each of three sources."""
    authors, followed, scores = zip(*rows, strict=True) if rows else ([], [], [])
    columns = {
        Post.id: np.arange(len(rows)),
        Post.author_row: np.array(authors, dtype=np.int64),
        Post.in_network: np.array(followed, dtype=np.bool_),
        Post.score: np.array(scores, dtype=np.float32),
    }
    batch = Candidates(Post, columns)
    return batch.stamped(Provenance.of(("one", "two", "three"), lengths, batch))


def naive(rows, source):
    best = {}
    for at, (author, followed, score) in enumerate(rows):
        worth = -1.0 if np.isnan(score) else score
        key = at if followed else (author, source[at])
        if key not in best or worth > best[key][0]:
            best[key] = (worth, at)
    return sorted(at for _, at in best.values())


@given(ROWS, st.lists(st.integers(0, 12), min_size=2, max_size=2), st.randoms())
def test_of_an_author_out_of_network_each_source_keeps_its_best(rows, cuts, random):
    first, second = sorted(min(cut, len(rows)) for cut in cuts)
    batch = batch_of(rows, [first, second - first, len(rows) - second])
    order = [*range(len(rows))]
    random.shuffle(order)
    kept = OneOfEachStranger().transform(VIEWER, batch.pick(np.array(order, dtype=np.int64)))
    source = [0 if at < first else 1 if at < second else 2 for at in order]
    assert kept.ids.tolist() == [order[at] for at in naive([rows[at] for at in order], source)]


def test_followed_people_and_different_sources_keep_all_they_found():
    rows = [(1, False, 0.1), (1, False, 0.3), (1, False, 0.2), (2, True, 0.3), (2, True, 0.3)]
    # The second post of the stranger is the best of the first source; the third came from another.
    assert OneOfEachStranger().transform(VIEWER, batch_of(rows, [2, 1, 2])).ids.tolist() == [1, 2, 3, 4]


def test_a_post_found_twice_is_of_the_source_that_found_it_first():
    # The first source found posts 0 and 1, the second found post 0 again.
    batch = batch_of([(1, False, 0.1), (1, False, 0.3), (1, False, 0.1)], [2, 1, 0])
    twice = batch.with_columns({Post.id: np.array([0, 1, 0])})
    once = Deduplicate().transform(VIEWER, twice)
    assert OneOfEachStranger().transform(VIEWER, once).ids.tolist() == [1]
