"""Labels are bound to heads by name; a permutation is caught."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from components.evaluation.classification import auc
from components.models.heavy_ranker.batch import Labels, check_labels
from components.models.heavy_ranker.datasets import MemoryDataset
from components.models.heavy_ranker.load import load_config
from components.models.heavy_ranker.loss import head_losses
from components.models.heavy_ranker.predictor import Predictor
from components.models.heavy_ranker.synthetic import World
from components.models.heavy_ranker.trainer import Data, Trainer, score
from mixer.errors import ConfigurationError

TINY = load_config("tiny")


@settings(max_examples=10)
@given(order=st.permutations(TINY.label_names))
def test_the_order_of_the_datas_columns_does_not_matter(order: list[str]) -> None:
    rows = World(TINY, 0).rows(20, 0)[0]
    shuffled = attrs.evolve(rows, labels={name: rows.labels[name] for name in order})
    torch.testing.assert_close(Labels.bind(shuffled, TINY).values, Labels.bind(rows, TINY).values)


def test_a_head_reads_the_label_that_it_names() -> None:
    config = load_config("tiny", ["heads.is_replied.label=answered"])
    rows = World(config, 0).rows(20, 0)[0]
    place = config.head_names.index("is_replied")
    np.testing.assert_array_equal(Labels.bind(rows, config).values[:, place], rows.labels["answered"])


def test_labels_of_other_heads_never_reach_the_loss() -> None:
    swapped = (TINY.head_names[1], TINY.head_names[0], *TINY.head_names[2:])
    with pytest.raises(ValueError, match="labels are bound to heads"):
        head_losses(torch.zeros(4, 10), TINY.head_names, Labels(torch.zeros(4, 10), swapped))


def test_data_and_heads_must_agree_and_all_differences_are_listed() -> None:
    present = [name for name in TINY.label_names if name != "is_replied"] + ["is_bookmarked", "is_shared"]
    with pytest.raises(ConfigurationError) as caught:
        check_labels(present, TINY, "train")
    assert len(caught.value.problems) == 3
    assert "head is_replied learns label is_replied, which the data does not hold" in str(caught.value)
    assert "label is_bookmarked has no head" in str(caught.value)


def test_a_label_can_be_left_out_on_purpose() -> None:
    config = load_config("tiny", ["sampling.ignored_labels=[is_bookmarked]"])
    check_labels([*config.label_names, "is_bookmarked"], config, "train")


def test_the_trainer_refuses_data_with_another_label() -> None:
    rows = World(TINY, 0).rows(200, 0)[0]
    labels = dict(rows.labels)
    labels["is_bookmarked"] = labels.pop("is_favorited")
    with pytest.raises(ConfigurationError, match="is_bookmarked"):
        Trainer(TINY, Data(MemoryDataset(attrs.evolve(rows, labels=labels))))


def per_head_auc(permute: bool) -> np.ndarray:
    config = load_config("tiny", ["training.steps=120", "optimizer.schedule.learning_rate=0.02"])
    world = World(config, seed=5, missing=0.0)
    train, test = world.rows(4000, 0)[0], world.rows(3000, 1)[0]
    if permute:
        # The fault of the published code: every head is trained on its neighbour's column.
        names = list(train.labels)
        train = attrs.evolve(
            train, labels=dict(zip(names, [train.labels[n] for n in names[1:] + names[:1]], strict=True))
        )
    trainer = Trainer(config, Data(MemoryDataset(train)))
    trainer.run()
    logits, labels, _ = score(Predictor.of(trainer.model, config), MemoryDataset(test))
    return np.array([auc(labels[:, place], logits[:, place]) for place in range(10)])


@pytest.mark.slow
def test_every_head_learns_its_own_signal_and_permuted_labels_are_caught() -> None:
    right, wrong = per_head_auc(permute=False), per_head_auc(permute=True)
    assert right.min() > 0.68
    # Heads share some signal by chance, but none is learned from its neighbour's label.
    assert (right - wrong).min() > 0.05
    assert wrong.mean() < 0.62
