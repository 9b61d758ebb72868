from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from components.models.heavy_ranker.batch import Inputs
from components.models.heavy_ranker.datasets import MemoryDataset
from components.models.heavy_ranker.fused import fuse_towers
from components.models.heavy_ranker.load import load_config
from components.models.heavy_ranker.model import HeavyRanker, to_bfloat16
from components.models.heavy_ranker.predictor import Predictor
from components.models.heavy_ranker.priors import start_at_rates
from components.models.heavy_ranker.synthetic import World
from components.models.heavy_ranker.viewer_once import ViewerOnce
from components.models.runtimes import choose, matrix_units, threads


def test_the_choice_falls_back_to_fp32_and_says_why():
    assert choose(48_115_108, ("amx_bf16",)).runtime == "bf16"
    assert choose(48_115_108, ()) == choose(1, ())
    assert "none of" in choose(48_115_108, ()).why
    assert choose(80_000, ("amx_bf16",)).runtime == "fp32"


def test_units_are_read_from_the_flags(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("model name : x\nflags : sse avx512_bf16 amx_bf16_not\n")
    assert matrix_units(cpuinfo) in ((), ("avx512_bf16",))  # none on another architecture
    assert matrix_units(tmp_path / "absent") == ()


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


@pytest.mark.parametrize("hidden", [[], [8], [8, 4]])
def test_fused_towers_equal_the_towers(hidden):
    config = load_config("tiny", [f"model.tower.hidden={hidden}"])
    rows, _ = World(config, 0).rows(300, 0)
    torch.manual_seed(0)
    model = HeavyRanker(config)
    with torch.no_grad():
        for _ in range(3):
            model(Inputs.of(rows))  # moves the running statistics away from their start
    exact = Predictor.of(model, config).logits(rows)
    np.testing.assert_allclose(Predictor.of(fuse_towers(model), config).logits(rows), exact, atol=1e-5)


def one_request(config, count=200):
    """Rows whose first five continuous and two binary columns are the viewer's."""
    rows, _ = World(config, 0).rows(count, 0)
    rows.continuous[:, :5] = rows.continuous[:1, :5]
    rows.binary[:, :2] = rows.binary[:1, :2]
    features = config.features
    viewer = np.zeros(features.continuous + features.binary, np.bool_)
    viewer[:5] = viewer[features.continuous : features.continuous + 2] = True
    return rows, torch.from_numpy(viewer)


def test_the_viewer_enters_once_and_the_answer_stays():
    config = load_config("tiny")
    rows, viewer = one_request(config)
    model = HeavyRanker(config).eval()
    with torch.no_grad():
        norm = model.inputs.dense.layer_norm
        norm.weight.uniform_(0.5, 2.0)
        norm.bias.uniform_(-1.0, 1.0)
        found, exact = ViewerOnce(model, viewer)(Inputs.of(rows)), model(Inputs.of(rows))
        narrow = to_bfloat16(copy.deepcopy(model))
        rounded = ViewerOnce(narrow, viewer)(Inputs.of(rows)).sigmoid(), narrow(Inputs.of(rows)).sigmoid()
    np.testing.assert_allclose(found.numpy(), exact.numpy(), atol=2e-5)
    np.testing.assert_allclose(rounded[0].numpy(), rounded[1].numpy(), atol=0.01)


@pytest.mark.parametrize(
    "override",
    [
        "model.kind=dcn_v2",
        "model.block.form=paper",
        "model.block={form: paper, norms: {inputs: false}}",
        "model.sharing=share_none",
    ],
)
def test_other_networks_are_refused(override):
    config = load_config("tiny", [override])
    with pytest.raises(ValueError, match="viewer once"):
        ViewerOnce(HeavyRanker(config), one_request(config)[1])
