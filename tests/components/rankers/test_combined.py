from __future__ import annotations

import anyio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.rankers.arrival import InArrivalOrder
from components.rankers.combined import FirstMerged, FoundBy, UnlessLoaded
from components.stores.types import Account
from mixer import Candidates, Provenance, Ranker, Request, Target

NAMES = ("a", "b", "c")


def target_of(quality=1.0, **settings):
    return Target(request=Request(id="r", quality_factor=quality, **settings))


def found(*lists):
    """What each source answered, one after the other."""
    batch = Candidates(Account, {Account.id: np.array([one for part in lists for one in part], np.int64)})
    return batch.stamped(Provenance.of(NAMES, [len(part) for part in lists], batch))


LISTS = st.tuples(*[st.lists(st.integers(0, 9), max_size=6, unique=True)] * 3)


@given(LISTS, st.integers(0, 12))
def test_the_first_ones_are_distinct_and_know_all_their_sources(lists, count):
    first = FirstMerged(count).transform(target_of(), found(*lists))
    every = [one for part in lists for one in part]
    assert first.ids.tolist() == list(dict.fromkeys(every))[:count]
    for handle, one in zip(first.handles.tolist(), first.ids.tolist(), strict=True):
        expected = {name for name, part in zip(NAMES, lists, strict=True) if one in part}
        assert set(first.provenance.names_of(handle)) == expected


@pytest.mark.parametrize(("quality", "taken"), [(1.0, 100), (0.5, 50), (0.3, 30), (0.1, 30)])
def test_fewer_are_taken_under_load_down_to_three_tenths(quality, taken):
    assert len(FirstMerged().transform(target_of(quality), found(range(200), (), ()))) == taken


@given(LISTS)
def test_the_number_of_sources_and_the_best_rank_are_written(lists):
    batch = FoundBy(Account.found_by, Account.best_place).transform(target_of(), found(*lists).deduplicate())
    for one, count, best in zip(
        batch.ids.tolist(), batch[Account.found_by], batch[Account.best_place], strict=True
    ):
        ranks = [part.index(one) for part in lists if one in part]
        assert (count, best) == (len(ranks), pytest.approx(1 / (1 + min(ranks))))


class Backwards(Ranker):
    def rank(self, target, candidates):
        return candidates.take(range(len(candidates))[::-1])


@pytest.mark.parametrize(
    ("quality", "on", "model"),
    [(1.0, True, True), (0.301, True, True), (0.3, True, False), (1.0, False, False)],
)
def test_the_model_is_left_out_at_a_quality_factor_of_three_tenths(quality, on, model):
    ranker = UnlessLoaded(Backwards(), InArrivalOrder(Account.score), on)
    batch = found((1, 2, 3), (), ())
    ranked = anyio.run(ranker.rank, target_of(quality), batch).ids.tolist()
    assert ranked == ([3, 2, 1] if model else [1, 2, 3])
