from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.rankers.sampling import Interleave, PlackettLuce, Shuffle, WeightedSources
from components.stores.types import Account
from mixer import Candidates, Provenance, Request, Target
from mixer.errors import ConfigurationError

NAMES = ("a", "b", "c")


def target_of(seed=0):
    return Target(request=Request(id="r", seed=seed))


def accounts(lengths=(), scores=None, **columns):
    count = sum(lengths) if lengths else len(scores)
    batch = Candidates(Account, {Account.id: np.arange(count)})
    if scores is not None:
        batch = batch.with_columns({Account.score: np.array(scores, dtype=np.float32)})
    if columns:
        batch = batch.with_columns({getattr(Account, name): values for name, values in columns.items()})
    if lengths:
        batch = batch.stamped(Provenance.of(NAMES, lengths, batch))
    return batch


LENGTHS = st.tuples(*[st.integers(0, 5)] * 3)


@given(
    LENGTHS, st.tuples(*[st.sampled_from([0.0, 0.5, 3.0])] * 3), st.integers(0, 9), st.sampled_from(Shuffle)
)
def test_every_source_with_weight_gives_all_it_has_in_its_order(lengths, weights, seed, shuffle):
    ranker = WeightedSources(dict(zip(NAMES, weights, strict=True)), shuffle)
    batch = accounts(lengths)
    ranked = ranker.rank(target_of(seed), batch).ids.tolist()
    begins = np.cumsum([0, *lengths])
    for source, weight in enumerate(weights):
        own = list(range(begins[source], begins[source + 1]))
        found = [row for row in ranked if row in own]
        assert sorted(found) == (own if weight > 0 else [])
        if shuffle is Shuffle.NONE:
            assert found == sorted(found)
    assert ranker.rank(target_of(seed), batch).ids.tolist() == ranked


def test_sources_come_first_in_proportion_to_their_weight():
    ranker = WeightedSources({"a": 3.0, "b": 1.0, "c": 0.0})
    firsts = Counter(ranker.rank(target_of(seed), accounts((4, 4, 4))).ids[0].item() for seed in range(800))
    assert set(firsts) == {0, 4}
    assert firsts[0] / 800 == pytest.approx(0.75, abs=0.05)  # three standard deviations


def test_later_draws_keep_to_the_weights_when_a_source_is_exhausted():
    ranker = WeightedSources({"a": 100.0, "b": 3.0, "c": 1.0})
    thirds = Counter(ranker.rank(target_of(seed), accounts((1, 4, 4))).ids[1].item() for seed in range(800))
    later = thirds[1] + thirds[5]
    assert thirds[1] / later == pytest.approx(0.75, abs=0.05)


def test_weights_and_sources_must_be_the_same():
    ranker = WeightedSources({"a": 1.0, "two_hop": 1.0})
    with pytest.raises(ConfigurationError) as caught:
        ranker.check_against(("a", "b"))
    assert caught.value.problems == ("weight of 'two_hop', which is no source", "source 'b' without a weight")


SCORES = st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=8)


@given(SCORES, st.integers(0, 3), st.integers(0, 5))
def test_sampling_is_a_permutation_with_the_likelihood_of_each_place(scores, fixed, seed):
    transform = PlackettLuce(Account.score, Account.propensity, factor=1.0, fixed=fixed)
    batch = accounts(scores=scores)
    drawn = transform.transform(target_of(seed), batch)
    order = drawn.ids.tolist()
    assert sorted(order) == list(range(len(scores)))
    assert order[:fixed] == list(range(len(scores)))[:fixed]
    dealt = dict(enumerate(sorted(scores, reverse=True)))
    left = order[fixed:]
    weights = {row: np.exp(max(dealt[row] - max(scores), -10.0)) for row in left}
    expected = [1.0] * min(fixed, len(scores))
    for place, row in enumerate(left):
        expected.append(weights[row] / sum(weights[other] for other in left[place:]))
    assert drawn[Account.propensity].tolist() == pytest.approx(expected, rel=1e-5)


def test_the_first_place_is_drawn_by_weight():
    transform = PlackettLuce(Account.score, Account.propensity)
    batch = accounts(scores=np.log([4.0, 2.0, 1.0]))
    firsts = Counter(transform.transform(target_of(seed), batch).ids[0].item() for seed in range(1_000))
    for row, share in enumerate((4 / 7, 2 / 7, 1 / 7)):
        assert firsts[row] / 1_000 == pytest.approx(share, abs=0.05)


def test_sampling_does_not_undo_what_moved_candidates_after_scoring():
    # The best scored candidate was moved to the end: it is now as unlikely as the worst was.
    transform = PlackettLuce(Account.score, Account.propensity, factor=50.0)
    batch = accounts(scores=[1.0, 0.5, 9.0])
    assert transform.transform(target_of(), batch).ids.tolist() == [0, 1, 2]


RANKER = {"production": Account.score, "trial": Account.popular_score}


@given(st.integers(1, 8), st.data())
def test_interleaving_equals_a_slot_by_slot_reading(count, data):
    names = [data.draw(st.sampled_from(["production", "trial"])) for _ in range(count)]
    scores = {name: data.draw(st.permutations(range(count))) for name in RANKER}
    batch = accounts(
        scores=np.array(scores["production"], dtype=np.float32),
        popular_score=np.array(scores["trial"], dtype=np.float32),
        social_proof=np.array(names, dtype=object),
    )
    ranked = Interleave(Account.social_proof, RANKER, "production").rank(target_of(), batch).ids.tolist()
    if len(set(names)) == 1:
        assert ranked == list(range(count))
        return
    place = {
        row: sorted(scores[names[row]], reverse=True).index(scores[names[row]][row]) for row in range(count)
    }
    slots = [None] * count
    for row in sorted((row for row in range(count) if names[row] == "trial"), key=place.get):
        slots[place[row]] = row  # one trial ranker gives distinct places
    rest = sorted((row for row in range(count) if names[row] == "production"), key=place.get)
    assert ranked == [rest.pop(0) if slot is None else slot for slot in slots]


@given(LENGTHS, st.tuples(*[st.sampled_from([0.0, 1.0, 2.0])] * 3))
def test_without_chance_sources_take_turns_by_weight(lengths, weights):
    ranker = WeightedSources(dict(zip(NAMES, weights, strict=True)), Shuffle.EXPONENTIAL, drawn=False)
    ranked = ranker.rank(target_of(), accounts(lengths)).ids.tolist()
    begins = np.cumsum([0, *lengths])
    due = [
        ((place + 1) / weight, source, begins[source] + place)
        for source, (length, weight) in enumerate(zip(lengths, weights, strict=True))
        for place in range(length if weight else 0)
    ]
    assert ranked == [row for *_, row in sorted(due)]
