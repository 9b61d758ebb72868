from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from components.stores.ids import IdIndex
from components.stores.threads import Threads

NONE = -1


def threads(ids, reply_to=None, repost_of=None, quote_of=None):
    def column(values):
        return np.array([NONE] * len(ids) if values is None else values, dtype=np.int64)

    return Threads.of(IdIndex(np.array(ids)), column(reply_to), column(repost_of), column(quote_of))


@st.composite
def conversations(draw):
    count = draw(st.integers(1, 12))
    ids = sorted(draw(st.sets(st.integers(1, 99), min_size=count, max_size=count)))
    # A parent is any other post, or one that is not here; circles included.
    parents = [draw(st.sampled_from([NONE, 1_000, *ids])) for _ in ids]
    return ids, [NONE if parent == own else parent for own, parent in zip(ids, parents, strict=True)]


@given(conversations())
def test_threads_equal_a_walk_from_parent_to_parent(made):
    ids, parents = made
    found = threads(ids, parents)
    parent_of = dict(zip(ids, parents, strict=True))
    chains = {}
    for post in ids:
        chain, above = [], parent_of[post]
        while above != NONE and above not in chain:
            chain.append(above)
            above = parent_of.get(above, NONE)
        chains[post] = chain
    assert found.conversation.tolist() == [min(chains[post], default=post) for post in ids]
    nearest = found.ancestors(np.arange(len(ids)), depth=3)
    for row, post in enumerate(ids):
        here = [above for above in chains[post] if above in parent_of][: nearest.shape[1]]
        got = [ids[above] for above in nearest[row].tolist() if above >= 0]
        assert got[: len(here)] == here
    for row, top in enumerate(found.top(np.arange(len(ids))).tolist()):
        here = [ids[row], *(above for above in chains[ids[row]] if above in parent_of)]
        circles = parent_of[here[-1]] in parent_of
        assert ids[top] in (here if circles else here[-1:])


def test_replies_to_missing_posts_and_reposts_are_told_apart():
    found = threads([3, 5, 9], reply_to=[NONE, 3, 77], repost_of=[NONE, NONE, 5], quote_of=[9, NONE, NONE])
    assert found.is_reply.tolist() == [False, True, True]
    assert found.answered.tolist() == [-1, 0, -1]
    assert found.original.tolist() == [3, 5, 5]
    assert found.repeated.tolist() == [-1, -1, 1]
    assert found.quoted.tolist() == [2, -1, -1]


def test_the_published_conversation_keys():
    # Ancestors {5, 9} and {9, 5, 3}: two conversations, 5 and 3.
    first = threads([5, 9, 11], reply_to=[NONE, 5, 9])
    second = threads([3, 5, 9, 11], reply_to=[NONE, 3, 5, 9])
    assert (first.conversation[-1], second.conversation[-1]) == (5, 3)
