from __future__ import annotations

import numpy as np
import torch

from components.models.heavy_ranker.datasets import MemoryDataset
from components.models.heavy_ranker.load import load_config
from components.models.heavy_ranker.model import HeavyRanker
from components.models.heavy_ranker.predictor import Predictor
from components.models.heavy_ranker.priors import start_at_rates
from components.models.heavy_ranker.synthetic import World
from components.models.runtimes import bf16_units, choose, threads


def test_the_choice_falls_back_to_fp32_and_says_why():
    assert choose(48_115_108, ("amx_bf16",)).runtime == "bf16"
    assert choose(48_115_108, ()) == choose(1, ())
    assert "none of" in choose(48_115_108, ()).why
    assert choose(80_000, ("amx_bf16",)).runtime == "fp32"


def test_units_are_read_from_the_flags(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("model name : x\nflags : sse avx512_bf16 amx_bf16_not\n")
    assert bf16_units(cpuinfo) in ((), ("avx512_bf16",))  # none on another architecture
    assert bf16_units(tmp_path / "absent") == ()


def test_threads_are_given_back():
    before = torch.get_num_threads()
    with threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
    with threads(None):
        assert torch.get_num_threads() == before


def test_an_untrained_model_predicts_the_rate_of_every_head():
    config = load_config("tiny")
    rows, _ = World(config, 0).rows(2_000, 0)
    model = HeavyRanker(config)
    rates = start_at_rates(model, config, MemoryDataset(rows))
    expected = [(rows.labels[label].sum() + 0.5) / 2_001 for label in config.label_names]
    np.testing.assert_allclose(rates, expected, rtol=1e-6)
    found = Predictor.of(model, config).probabilities(rows).mean(axis=0)
    np.testing.assert_allclose(found, rates, rtol=0.5)
