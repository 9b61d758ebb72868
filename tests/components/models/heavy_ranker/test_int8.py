"""The network in 8-bit integers against the exact one."""

from __future__ import annotations

import functools
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from components.evaluation import auc
from components.models import runtimes
from components.models.heavy_ranker.batch import Inputs
from components.models.heavy_ranker.cli import app
from components.models.heavy_ranker.datasets import MemoryDataset, write_shard
from components.models.heavy_ranker.int8 import Code, Int8Linear, Int8Ranker, has_int8
from components.models.heavy_ranker.load import load_config
from components.models.heavy_ranker.model import HeavyRanker
from components.models.heavy_ranker.predictor import Predictor
from components.models.heavy_ranker.quantize import load_int8, quantize, store_sample
from components.models.heavy_ranker.synthetic import World
from components.models.heavy_ranker.trainer import Data, Trainer
from components.models.runtimes import choose, load_chosen

BOUND = 0.1
"""Networks of a few columns move further than those that int8 is for, whose roundings cancel."""
CPUINFO = Path("/proc/cpuinfo")
needs_int8 = pytest.mark.skipif(
    not (has_int8() and CPUINFO.is_file() and "vnni" in CPUINFO.read_text()),
    reason="needs oneDNN, and a processor that adds products of 8 bits in 32 (elsewhere they overflow)",
)


@pytest.fixture(scope="module")
def config():
    return load_config(
        "tiny", ["training.steps=150", "model.block.width=64", "model.block.aggregation=64", "model.mlp=[64]"]
    )


@pytest.fixture(scope="module")
def world(config):
    return World(config, seed=7)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, config, world) -> Path:
    """A network that was trained until it tells rows apart."""
    folder = tmp_path_factory.mktemp("int8") / "run"
    train, valid = (MemoryDataset(world.rows(count, stream)[0]) for stream, count in enumerate((4000, 400)))
    Trainer(config, Data(train, valid), folder).run()
    return folder


@pytest.fixture(autouse=True)
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same without a compiler, which takes long."""
    monkeypatch.setenv("CXX", "no-such-compiler")


@given(seed=st.integers(0, 2**31), positive=st.booleans())
def test_a_coded_value_is_off_by_half_a_step_at_most(seed: int, positive: bool) -> None:
    rng = np.random.default_rng(seed)
    values = torch.from_numpy(rng.normal(size=(50, 6)) * 10.0 ** rng.integers(-3, 3, 6))
    values = values.relu() if positive else values
    code = Code.of(values, torch.from_numpy(rng.normal(size=(4, 6))), positive=positive)
    codes = (values / code.step + code.zero).round()
    assert 0 <= codes.min() <= codes.max() <= 255
    assert bool((((codes - code.zero) * code.step - values).abs() <= code.step * 0.5001).all())


@needs_int8
@pytest.mark.parametrize("zero", [0, 128])
def test_a_product_equals_that_of_what_the_codes_stand_for(zero: int) -> None:
    torch.manual_seed(0)
    codes = torch.randint(0, 256, (33, 70), dtype=torch.uint8)
    weight, bias = torch.randn(19, 70), torch.randn(19)
    code, divisor = Code(torch.rand(70) / 100 + 0.01, zero), torch.rand(19) + 0.5
    exact = ((codes.float() - zero) * code.step) @ weight.T + bias
    found = Int8Linear(weight, bias, code)(codes).float()
    # A weight is off by 1/254 of its row's largest, an output by another 1/256 of itself.
    assert float((found - exact).norm() / exact.norm()) < 0.015
    steps = Int8Linear(weight, bias, code, divisor)(codes, positive=True).float()
    assert float((steps - (exact / divisor).clamp(0, 255)).abs().max()) < 1.0


@needs_int8
def test_int8_keeps_order_and_moves_probabilities_little(run: Path, world) -> None:
    exact, rows = Predictor.load(run), world.rows(3000, 10)[0]
    found = quantize(exact, world.rows(1000, 11)[0], BOUND)
    before, after = exact.probabilities(rows), found.predictor.probabilities(rows)
    assert 0.0 < found.mean < found.largest <= BOUND
    assert np.abs(after - before).max() < BOUND
    for place, label in enumerate(world.config.label_names):
        assert auc(rows.labels[label], after[:, place]) == pytest.approx(
            auc(rows.labels[label], before[:, place]), abs=0.005
        )
        assert np.corrcoef(after[:, place], before[:, place])[0, 1] > 0.99


@needs_int8
@pytest.mark.parametrize("hidden", [[], [8, 4]])
@pytest.mark.parametrize("mlp", [[], [16, 8]])
def test_any_depth_of_mlp_and_towers_stays_near_the_model(hidden: list[int], mlp: list[int]) -> None:
    config = load_config("tiny", [f"model.mlp={mlp}", f"model.tower.hidden={hidden}"])
    torch.manual_seed(0)
    model, world = HeavyRanker(config).eval(), World(config, 0)
    rows = Inputs.of(world.rows(200, 1)[0])
    narrow = Int8Ranker(model, Inputs.of(world.rows(500, 0)[0]))
    with torch.inference_mode():
        exact, found = model(rows), narrow(rows)
    assert found.dtype == torch.float32
    assert float((found - exact).norm() / exact.norm()) < 0.05


@needs_int8
def test_the_answer_for_a_row_depends_on_that_row_alone(run: Path, world) -> None:
    rows = world.rows(64, 12)[0]
    predictor = quantize(Predictor.load(run), world.rows(500, 11)[0], BOUND).predictor
    alone = [predictor.probabilities(rows.take(slice(place, place + 1))) for place in range(5)]
    np.testing.assert_allclose(np.concatenate(alone), predictor.probabilities(rows)[:5], atol=1e-5)


@needs_int8
def test_weights_that_move_probabilities_too_far_are_refused(run: Path, world) -> None:
    with pytest.raises(ValueError, match="at most 1e-06, one moved by"):
        quantize(Predictor.load(run), world.rows(500, 11)[0], bound=1e-6)


@pytest.mark.parametrize(
    "override",
    [
        "model.kind=dcn_v2",
        "model.block.form=paper",
        "model.sharing=share_none",
        "model.block.norms.blocks=false",
        "model.block.norms.mlp=true",
    ],
)
def test_other_networks_are_refused(override: str) -> None:
    config = load_config("tiny", [override])
    with pytest.raises(ValueError, match="int8: expected"):
        Int8Ranker(HeavyRanker(config).eval(), Inputs.of(World(config, 0).rows(10, 0)[0]))


def test_int8_is_chosen_only_where_asked_for_and_there_are_units_for_it() -> None:
    units, large = ("amx_bf16", "amx_int8"), 48_115_108
    assert choose(large, units).runtime == "bf16"
    assert choose(large, units, int8=True).runtime == "int8"
    assert choose(large, ("amx_bf16",), int8=True) == runtimes.Chosen(
        "bf16", "the processor has amx_bf16 but no amx_int8"
    )
    assert choose(80_000, units, int8=True).runtime == "fp32"
    assert choose(large, (), int8=True).runtime == "fp32"


@pytest.fixture
def suited(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the processor and the network were those that int8 is for."""
    monkeypatch.setattr(runtimes, "matrix_units", lambda: ("amx_bf16", "amx_int8"))
    monkeypatch.setattr(runtimes, "LARGE_PARAMETERS", 0)


@pytest.mark.usefixtures("suited")
@pytest.mark.parametrize(("compiler", "why"), [(True, "quantize stores one"), (False, "no C.. compiler")])
def test_where_int8_is_refused_bf16_is_served_and_the_reason_told(
    run: Path, compiler: bool, why: str, monkeypatch
) -> None:
    monkeypatch.setattr(runtimes, "has_compiler", lambda: compiler)
    _, chosen = load_chosen(run, int8=True)
    assert chosen.runtime == "bf16"
    assert re.search(f"int8 was refused: .*{why}", chosen.why)


@needs_int8
@pytest.mark.usefixtures("suited")
def test_the_command_stores_the_sample_that_serving_needs(
    run: Path, world, tmp_path: Path, monkeypatch
) -> None:
    run = Path(shutil.copytree(run, tmp_path / "run"))
    write_shard(world.rows(600, 13)[0], tmp_path / "rows", 0)
    arguments = ["--checkpoint", str(run), "--data", str(tmp_path / "rows")]
    refused = CliRunner().invoke(app, ["quantize", *arguments, "--bound", "0"])
    assert isinstance(refused.exception, ValueError)
    assert not (run / "best" / "sample").exists()
    done = CliRunner().invoke(
        app, ["quantize", *arguments, "--rows", "500", "--bound", str(BOUND)], catch_exceptions=False
    )
    assert "probabilities move by" in done.stdout
    within = functools.partial(load_int8, bound=BOUND)
    monkeypatch.setattr(runtimes, "load_int8", within)
    monkeypatch.setattr(runtimes, "has_compiler", lambda: True)
    predictor, chosen = load_chosen(run, int8=True)
    assert chosen.runtime == "int8"
    rows = world.rows(100, 14)[0]
    np.testing.assert_array_equal(predictor.probabilities(rows), within(run).predictor.probabilities(rows))
    store_sample(run, rows)  # in place of those before
    assert not np.array_equal(predictor.probabilities(rows), within(run).predictor.probabilities(rows))
