"""Down-sampling and its exact corrections; never two at once."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from components.models.heavy_ranker.datasets import MemoryDataset
from components.models.heavy_ranker.load import load_config
from components.models.heavy_ranker.rows import Rows
from components.models.heavy_ranker.sampling import cell_weights, logit_shift
from components.models.heavy_ranker.trainer import Data, Trainer
from mixer.errors import ConfigurationError

rates = st.floats(1e-5, 1.0)


@settings(max_examples=20)
@given(p=st.floats(1e-6, 1 - 1e-6), negative=rates, positive=rates)
def test_the_logit_shift_undoes_sampling_exactly(p: float, negative: float, positive: float) -> None:
    config = one_head(
        f"heads.click.rates={{positive: {positive!r}, negative: {negative!r}}}", "sampling.correction=logit"
    )
    kept = p * positive / (p * positive + (1 - p) * negative)
    corrected = expit(logit(kept) + logit_shift(config)[0])
    assert corrected == pytest.approx(p, rel=1e-6)
    r = negative / positive
    assert corrected == pytest.approx(kept * r / (1 - kept + r * kept), rel=1e-6)


def test_the_published_report_rate_shifts_by_eleven_nats() -> None:
    config = load_config("recap_2023_sampled")
    shift = dict(zip(config.head_names, logit_shift(config), strict=True))
    assert shift["is_report_tweet_clicked"] == pytest.approx(-11.18, abs=0.005)
    assert shift["is_favorited"] == pytest.approx(np.log(0.01 / 0.8387))


@settings(max_examples=20)
@given(y=st.lists(st.integers(0, 1), min_size=1, max_size=30), negative=rates, positive=rates)
def test_weights_give_every_kept_row_the_mass_of_those_it_stands_for(
    y: list[int], negative: float, positive: float
) -> None:
    config = one_head(
        f"heads.click.rates={{positive: {positive!r}, negative: {negative!r}}}", "sampling.correction=weights"
    )
    labels = np.array(y, np.float32)[:, None]
    weights = cell_weights(labels, np.arange(len(y)), config)
    if negative == positive == 1.0:
        assert weights is None
        return
    expected = labels / positive + (1 - labels) / negative
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_the_trainer_keeps_each_head_at_its_own_rates() -> None:
    config = load_config(
        "tiny",
        [
            "sampling={where: trainer, correction: logit}",
            "heads.is_replied.rates={positive: 0.5, negative: 0.1}",
            "heads.is_retweeted.rates={negative: 0.3}",
        ],
    )
    labels = np.zeros((100_000, 10), np.float32)
    labels[::4] = 1.0
    weights = cell_weights(labels, np.arange(100_000), config)
    assert weights is not None
    places = {head: config.head_names.index(head) for head in config.head_names}
    kept = {(head, y): weights[labels[:, 0] == y, places[head]].mean() for head in places for y in (0, 1)}
    assert kept["is_replied", 1] == pytest.approx(0.5, abs=0.01)
    assert kept["is_replied", 0] == pytest.approx(0.1, abs=0.01)
    assert kept["is_retweeted", 0] == pytest.approx(0.3, abs=0.01)
    assert kept["is_retweeted", 1] == kept["is_favorited", 0] == 1.0
    joint = weights[labels[:, 0] == 0]
    both = (joint[:, places["is_replied"]] * joint[:, places["is_retweeted"]]).mean()
    assert both == pytest.approx(0.03, abs=0.005)


def test_a_rows_fate_depends_on_its_number_and_the_seed_alone() -> None:
    config = one_head("heads.click.rates.negative=0.5", "sampling.where=trainer")
    labels, numbers = np.zeros((50, 1), np.float32), np.arange(50)
    order = np.random.default_rng(0).permutation(50)
    fates = cell_weights(labels, numbers, config)
    np.testing.assert_array_equal(cell_weights(labels, numbers[order], config), fates[order])
    other = attrs.evolve(config, training=attrs.evolve(config.training, seed=1))
    assert not np.array_equal(cell_weights(labels, numbers, other), fates)


def test_row_weights_and_sampling_rates_together_are_refused(tiny, rows_for) -> None:
    config = load_config("tiny", ["heads.is_replied.rates.negative=0.5", "sampling.correction=logit"])
    rows = attrs.evolve(rows_for(config, 200), weights=np.ones(200, np.float32))
    with pytest.raises(ConfigurationError, match="drop one of the two"):
        Trainer(config, Data(MemoryDataset(rows)))


@pytest.mark.parametrize("correction", ["logit", "weights"])
def test_a_model_trained_on_sampled_rows_predicts_the_true_rate(correction: str) -> None:
    from components.models.heavy_ranker.predictor import Predictor

    config = one_head(
        "heads.click.rates={positive: 0.8, negative: 0.1}",
        f"sampling={{where: trainer, correction: {correction}}}",
        "training.steps=300",
        "optimizer.schedule={kind: linear_ramp_to_cosine, learning_rate: 0.05, ramp_steps: 10, final_step: 300}",
    )
    rng = np.random.default_rng(0)
    side = rng.random((20_000, 1)) < 0.5
    truth = np.where(side[:, 0], 0.2, 0.05)
    labels = (rng.random(20_000) < truth).astype(np.float32)
    rows = Rows(
        np.empty((20_000, 0), np.float32),
        side.astype(np.float32),
        ids={"side": side.astype(np.int64)},
        labels={"click": labels},
    )
    trainer = Trainer(config, Data(MemoryDataset(rows)))
    trainer.run()
    found = Predictor.of(trainer.model, config).probabilities(rows)[:, 0]
    kept = cell_weights(labels[:, None], np.arange(20_000), config)[:, 0] > 0
    for value in (True, False):
        group = side[:, 0] == value
        positives = (kept & group & (labels == 1)).sum() / 0.8
        negatives = (kept & group & (labels == 0)).sum() / 0.1
        assert found[group].mean() == pytest.approx(positives / (positives + negatives), rel=0.04)


def one_head(*overrides: str):
    sets = [
        "features={ids: {side: {kind: plain, size: 2, dim: 2}}, binary: 1}",
        "model={kind: dnn, mlp: [4], tower: {hidden: [], batch_norm: false}}",
        "heads={click: {}}",
        "training.batch_size=512",
    ]
    return load_config("tiny", [*sets, *overrides])
