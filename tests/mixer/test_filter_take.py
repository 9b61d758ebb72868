"""Filter-and-take: the exact lazy algorithm, with its corners."""

from __future__ import annotations

import math

import anyio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mixer as m
from mixer.candidate_predicates import DropAll, KeepAll
from mixer.testing import batches, failing, hanging, recording, row_predicates


def of(count: int) -> m.Candidates[m.Candidate]:
    return m.Candidates(m.Candidate, {m.Candidate.id: np.arange(count)})


async def take(count: int, predicate, **config):
    return await m.batch_filter_take(m.Target(), of(count), predicate, m.ResultsConfig(**config))


async def test_it_stops_after_the_first_batch_that_suffices():
    predicate, calls = recording(KeepAll())
    taken = await take(10, predicate, desired=2, batch_size=3)
    assert (taken.kept.ids.tolist(), taken.batches, taken.examined) == ([0, 1], 1, 3)
    assert [len(batch) for _, batch in calls] == [3]


async def test_rejecting_everything_walks_to_the_end():
    taken = await take(10, DropAll(), desired=2, batch_size=3)
    assert (len(taken.kept), taken.batches, taken.examined) == (0, 4, 10)


async def test_asking_for_none_still_checks_one_batch():
    taken = await take(10, KeepAll(), desired=0, batch_size=3)
    assert (len(taken.kept), taken.batches, taken.examined) == (0, 1, 3)


async def test_nothing_to_check_is_no_batch():
    taken = await take(0, KeepAll(), desired=2, batch_size=3)
    assert (len(taken.kept), taken.batches) == (0, 0)


async def test_an_exception_in_the_second_batch_discards_the_first():
    class FailsLater(m.CandidatePredicate):
        def check(self, target, candidates):
            if candidates.ids[0] > 0:
                raise ValueError("second batch")
            return m.Verdicts.keep_where(candidates.ids < 0, "x")

    with pytest.raises(ValueError, match="second batch"):
        await take(10, FailsLater(), desired=2, batch_size=3)
    with pytest.raises(RuntimeError):
        await take(3, failing(KeepAll()), desired=1)


async def test_max_batches_bounds_the_walk():
    taken = await take(100, DropAll(), desired=2, batch_size=3, max_batches=2)
    assert (taken.batches, taken.examined) == (2, 6)


async def test_overfetch_grows_batches_when_few_pass():
    rare = m.candidate_predicate(reason="x")(lambda target, found: found.ids % 50 == 49)
    plain = await take(1000, rare, desired=5, batch_size=5)
    grown = await take(1000, rare, desired=5, batch_size=5, overfetch=True)
    assert grown.kept.ids.tolist() == plain.kept.ids.tolist()
    assert grown.batches < plain.batches / 3


async def test_only_what_was_validated_in_time_is_kept():
    class HangsLater(m.CandidatePredicate):
        async def check(self, target, candidates):
            if candidates.ids[0] > 0:
                await anyio.sleep_forever()
            return m.Verdicts.keep_where(candidates.ids < 2, "x")

    config = m.ResultsConfig(5, batch_size=3)
    taken = await m.batch_filter_take(m.Target(), of(10), HangsLater(), config, within_s=0.01)
    assert (taken.kept.ids.tolist(), taken.timed_out, taken.examined) == ([0, 1], True, 3)
    late = m.Target(request=m.Request(deadline=-math.inf))
    assert (await m.batch_filter_take(late, of(10), hanging(KeepAll()), config)).timed_out


@given(batches(m.Candidate), row_predicates(), st.integers(0, 9), st.integers(1, 9))
def test_it_keeps_the_first_valid_ones(batch, predicate, desired, size):
    taken = anyio.run(
        m.batch_filter_take, m.Target(), batch, predicate, m.ResultsConfig(desired, batch_size=size)
    )
    valid = predicate.check(None, batch).keep
    assert taken.kept.handles.tolist() == batch.where(valid).head(desired).handles.tolist()
    assert taken.verdicts.keep.tolist() == valid[: taken.examined].tolist()
    assert taken.batches == math.ceil(taken.examined / size)
