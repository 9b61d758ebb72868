from __future__ import annotations

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evaluation import InvalidInputError, LoggedChoices, doubly_robust, ips, snips

ACTIONS = 3
COUNTS = st.lists(st.integers(1, 4), min_size=ACTIONS, max_size=ACTIONS)
POLICY = st.lists(st.integers(0, 5), min_size=ACTIONS, max_size=ACTIONS).filter(any)
REWARDS = st.lists(st.floats(-3, 3), min_size=ACTIONS, max_size=ACTIONS)


@attrs.frozen
class Bandit:
    """A contextual bandit whose true values are known: `contexts` equally likely rows of per-action means."""

    logging: np.ndarray
    target: np.ndarray
    means: np.ndarray

    @classmethod
    def random(cls, rng, contexts=5, actions=4):
        logging, target = rng.dirichlet(np.full(actions, 2.0), (2, contexts))
        return cls(logging * 0.8 + 0.2 / actions, target, rng.uniform(0.1, 0.9, (contexts, actions)))

    @property
    def value(self):
        return float((self.target * self.means).sum(axis=1).mean())

    def log(self, rng, rows):
        context = rng.integers(0, len(self.means), rows)
        action = (rng.random(rows)[:, None] > self.logging[context].cumsum(axis=1)).sum(axis=1)
        action = np.minimum(action, self.means.shape[1] - 1)
        reward = (rng.random(rows) < self.means[context, action]).astype(float)
        choices = LoggedChoices(reward, self.logging[context, action], self.target[context, action])
        return choices, context, action

    def estimates(self, rng, rows):
        choices, context, action = self.log(rng, rows)
        predicted = self.means[context, action]
        baseline = (self.target[context] * self.means[context]).sum(axis=1)
        return ips(choices), snips(choices), doubly_robust(choices, predicted, baseline)


def complete_log(counts, policy, reward):
    """A log in which every action occurs exactly as often as its propensity says."""
    action = np.repeat(np.arange(ACTIONS), counts)
    logging, target = np.array(counts) / sum(counts), np.array(policy) / sum(policy)
    return LoggedChoices(np.array(reward)[action], logging[action], target[action]), action, target


@given(COUNTS, POLICY, REWARDS, REWARDS)
def test_every_estimator_is_exact_on_a_complete_log(counts, policy, reward, wrong_model):
    log, action, target = complete_log(counts, policy, reward)
    truth = target @ np.array(reward)
    model = np.array(wrong_model)
    assert ips(log).value == pytest.approx(truth, abs=1e-9)
    assert snips(log).value == pytest.approx(truth, abs=1e-9)
    robust = doubly_robust(log, model[action], np.full(len(action), target @ model))
    assert robust.value == pytest.approx(truth, abs=1e-9)
    assert ips(log).mean_weight == pytest.approx(1.0)


@given(COUNTS, POLICY, REWARDS)
def test_a_right_reward_model_survives_wrong_propensities(counts, policy, reward):
    log, action, target = complete_log(counts, policy, reward)
    wrong = attrs.evolve(log, logged=np.full(len(action), 0.5))
    truth = target @ np.array(reward)
    robust = doubly_robust(wrong, np.array(reward)[action], np.full(len(action), truth))
    assert robust.value == pytest.approx(truth, abs=1e-9)
    assert robust.standard_error == pytest.approx(0.0, abs=1e-9)


@given(COUNTS, REWARDS)
def test_the_logging_policy_itself_is_worth_its_mean_reward(counts, reward):
    log, _, _ = complete_log(counts, counts, reward)
    for estimate in (ips(log), snips(log)):
        assert estimate.value == pytest.approx(log.reward.mean(), abs=1e-9)
        assert estimate.effective_sample_size == pytest.approx(len(log.reward))


@pytest.mark.parametrize("seed", range(3))
def test_intervals_cover_the_true_value_about_as_often_as_they_say(seed):
    rng = np.random.default_rng(seed)
    bandit = Bandit.random(rng)
    runs = [bandit.estimates(rng, 1_000) for _ in range(200)]
    for estimates in zip(*runs, strict=True):
        low, high = np.array([estimate.interval() for estimate in estimates]).T
        assert 0.90 <= np.mean((low <= bandit.value) & (bandit.value <= high)) <= 0.99


@pytest.mark.parametrize("seed", range(3))
def test_standard_errors_match_the_spread_over_repeated_logs(seed):
    rng = np.random.default_rng(seed)
    bandit = Bandit.random(rng)
    runs = [bandit.estimates(rng, 500) for _ in range(300)]
    for estimates in zip(*runs, strict=True):
        spread = np.std([estimate.value for estimate in estimates])
        assert np.mean([estimate.standard_error for estimate in estimates]) == pytest.approx(spread, rel=0.2)


def test_a_good_reward_model_narrows_the_error():
    rng = np.random.default_rng(8)
    plain, normalised, robust = Bandit.random(rng).estimates(rng, 20_000)
    assert robust.standard_error < normalised.standard_error < plain.standard_error


@given(COUNTS, POLICY, REWARDS)
def test_snips_stays_within_the_range_of_rewards(counts, policy, reward):
    log, _, _ = complete_log(counts, policy, reward)
    part = LoggedChoices(log.reward[::2], log.logged[::2], log.target[::2])
    estimate = snips(part)
    if part.weight.any():
        assert part.reward.min() - 1e-9 <= estimate.value <= part.reward.max() + 1e-9
    else:
        assert np.isnan(estimate.value)


def test_clipping_bounds_every_weight():
    log = LoggedChoices([1.0, 1.0], [0.01, 0.5], [1.0, 0.5], clip=10.0)
    assert log.weight.tolist() == [10.0, 1.0]
    assert ips(log).value == 5.5


def test_rows_of_one_user_count_as_one_observation():
    rng = np.random.default_rng(9)
    log, _, _ = Bandit.random(rng).log(rng, 300)
    copies = LoggedChoices(
        np.repeat(log.reward, 4),
        np.repeat(log.logged, 4),
        np.repeat(log.target, 4),
        np.repeat(np.arange(300), 4),
    )
    for estimator in (ips, snips):
        once, repeated = estimator(log), estimator(copies)
        assert repeated.standard_error == pytest.approx(once.standard_error)
        assert repeated.value == pytest.approx(once.value)


def test_one_observation_has_no_standard_error():
    assert np.isnan(ips(LoggedChoices([1.0], [0.5], [0.5])).standard_error)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: LoggedChoices([1, 1], [0.5, 0], [0, 0]),
            r"logged: expected propensities above 0, row 1 holds 0\.0",
        ),
        (lambda: LoggedChoices([1.0], [1.5], [0.5]), r"logged: expected values within \[0, 1\]"),
        (lambda: LoggedChoices([1.0], [0.5], [0.5, 0.5]), "reward 1, logged 1, target 2"),
        (lambda: LoggedChoices([], [], []), "expected at least one logged choice"),
        (lambda: LoggedChoices([1.0], [0.5], [0.5], clip=0.0), "clip: expected a number above 0"),
        (lambda: LoggedChoices([1.0], [0.5], [0.5], [1, 2]), "reward 1, cluster 2"),
        (lambda: doubly_robust(LoggedChoices([1.0], [0.5], [0.5]), [1.0, 2.0], [1.0]), "predicted 2"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call()


def test_a_policy_that_was_never_logged_is_worth_nothing_known():
    log = LoggedChoices([1.0, 1.0], [0.5, 0.5], [0.0, 0.0])
    assert (ips(log).value, ips(log).effective_sample_size, ips(log).mean_weight) == (0.0, 0.0, 0.0)
    assert (snips(log).effective_sample_size, snips(log).mean_weight) == (0.0, 0.0)


def test_with_equal_policies_the_standard_error_is_that_of_a_mean():
    reward = np.array([0.0, 1.0, 4.0])
    expected = reward.std(ddof=1) / np.sqrt(3)
    for estimator in (ips, snips):
        assert estimator(LoggedChoices(reward, [0.5] * 3, [0.5] * 3)).standard_error == pytest.approx(
            expected
        )
