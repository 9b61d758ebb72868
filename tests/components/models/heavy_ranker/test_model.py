"""The network: published shape, candidate isolation, naive twins of every formula."""

from __future__ import annotations

from unittest import mock

import attrs
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from components.models.heavy_ranker.batch import Inputs, Labels
from components.models.heavy_ranker.config import (
    BackboneNormConfig,
    BlockConfig,
    FeatureConfig,
    IdConfig,
    ModelConfig,
    NormConfig,
)
from components.models.heavy_ranker.features import (
    DoubleNormLog,
    IdEmbedding,
    InputLayer,
    PretrainedEmbedding,
    signed_log,
)
from components.models.heavy_ranker.load import load_config
from components.models.heavy_ranker.loss import head_losses
from components.models.heavy_ranker.masknet import FieldNorm, MaskBlock, ParallelMaskNet, SerialMaskNet
from components.models.heavy_ranker.model import HeavyRanker, parameter_count, to_bfloat16
from components.models.heavy_ranker.rivals import CrossLayer
from components.models.heavy_ranker.synthetic import World

KINDS = ("parallel_masknet", "serial_masknet", "dcn_v2", "dnn")
SHARING = ("share_all", "share_none", "share_partial")


def layer_norm(x: np.ndarray, epsilon: float) -> np.ndarray:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon)


def arrays(*layers: torch.nn.Linear) -> list[np.ndarray]:
    return [layer.weight.detach().numpy() for layer in layers]


def test_recap_2023_has_the_published_shape() -> None:
    with torch.device("meta"):
        model = HeavyRanker(load_config("recap_2023"))
    assert parameter_count(model) == 48_115_108
    assert model.inputs.width == 2776
    assert len(model.heads) == 10


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sharing", SHARING)
def test_every_kind_and_sharing_mode_gives_one_logit_a_head(kind: str, sharing: str, rows_for) -> None:
    config = load_config("tiny", [f"model.kind={kind}", f"model.sharing={sharing}"])
    logits = HeavyRanker(config)(Inputs.of(rows_for(config, 5)))
    assert logits.shape == (5, 10)
    assert torch.isfinite(logits).all()


@settings(max_examples=12)
@given(
    kind=st.sampled_from(KINDS),
    form=st.sampled_from(["recap", "paper"]),
    order=st.permutations(list(range(12))),
    size=st.integers(1, 12),
)
def test_a_rows_answer_depends_on_that_row_alone(kind: str, form: str, order: list[int], size: int) -> None:
    config = load_config("tiny", [f"model.kind={kind}", f"model.block.form={form}"])
    torch.manual_seed(1)
    model = HeavyRanker(config).eval()
    rows = World(config, seed=3).rows(12, 0)[0]
    chosen = np.array(order[:size])
    with torch.inference_mode():
        together = model(Inputs.of(rows)).numpy()
        apart = model(Inputs.of(rows.take(chosen))).numpy()
    np.testing.assert_allclose(apart, together[chosen], atol=1e-5)


@pytest.mark.parametrize("form", ["recap", "paper"])
def test_mask_block_equals_its_formula(form: str) -> None:
    torch.manual_seed(0)
    block = MaskBlock(6, 5, BlockConfig(width=4, aggregation=3, form=form)).eval()  # type: ignore[arg-type]
    x, v = np.random.default_rng(0).normal(size=(2, 7, 6)).astype(np.float32), None
    x, v = x[0], x[1][:, :5]
    w1, w2, wh = arrays(block.aggregate, block.project, block.hidden)
    expected = layer_norm((x * (np.maximum(v @ w1.T, 0) @ w2.T)) @ wh.T, 1e-5)
    expected = np.maximum(expected, 0) if form == "paper" else expected
    with torch.inference_mode():
        found = block(torch.from_numpy(x), torch.from_numpy(v)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_exactly_one_of_aggregation_and_reduction_sizes_the_mask() -> None:
    assert BlockConfig(width=8, reduction=0.5).aggregation_for(100) == 50
    assert BlockConfig(width=8, aggregation=3).aggregation_for(100) == 3
    with pytest.raises(ValueError, match="got both"):
        BlockConfig(aggregation=3, reduction=0.5)


def test_cross_layer_equals_its_formula() -> None:
    torch.manual_seed(0)
    cross = CrossLayer(5, 2)
    first, x = np.random.default_rng(0).normal(size=(2, 3, 5)).astype(np.float32)
    v, u = arrays(cross.reduce, cross.expand)
    with torch.inference_mode():
        found = cross(torch.from_numpy(first), torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, first * (x @ v.T @ u.T) + x, atol=1e-5)


def test_double_norm_log_equals_its_formula_and_learns_running_statistics() -> None:
    rng = np.random.default_rng(0)
    continuous = (rng.normal(size=(50, 3)) * 1000).astype(np.float32)
    continuous[0] = [np.nan, np.inf, -np.inf]
    binary = (rng.random((50, 2)) < 0.5).astype(np.float32)
    layer = DoubleNormLog(3, 2, NormConfig(momentum=1.0))
    found = layer(torch.from_numpy(continuous), torch.from_numpy(binary)).detach().numpy()
    clean = np.where(np.isfinite(continuous), continuous, 0.0)
    logged = np.sign(clean) * np.log1p(np.abs(clean))
    normed = np.clip((logged - logged.mean(0)) / np.sqrt(logged.var(0) + 1e-5), -5, 5)
    np.testing.assert_allclose(found, layer_norm(np.concatenate([normed, binary], 1), 1e-6), atol=1e-4)
    np.testing.assert_allclose(layer.batch_norm.running_mean.numpy(), logged.mean(0), rtol=1e-4)


def test_constant_rows_stay_finite() -> None:
    layer = DoubleNormLog(3, 2, NormConfig()).eval()
    assert torch.isfinite(layer(torch.zeros(4, 3), torch.zeros(4, 2))).all()


def test_a_missing_embedding_takes_the_learned_default_and_says_so() -> None:
    layer = PretrainedEmbedding(3, mask=True, epsilon=1e-6)
    torch.nn.init.normal_(layer.default)
    vectors = torch.tensor([[1.0, 2.0, 3.0], [torch.nan, torch.nan, torch.nan]])
    found = layer(vectors)
    torch.testing.assert_close(found[1, :3], layer.layer_norm(layer.default))
    assert found[:, 3].tolist() == [0.0, 1.0]
    zeroed = PretrainedEmbedding(3, mask=False, epsilon=1e-6)(vectors)
    assert zeroed[1].tolist() == [0.0, 0.0, 0.0]


def test_missing_continuous_values_reach_the_network_as_a_mask(tiny, rows_for) -> None:
    rows = rows_for(tiny, 30)
    layer = InputLayer(tiny.features).eval()
    mask = layer(Inputs.of(rows)).detach().numpy()[:, -tiny.features.continuous :]
    np.testing.assert_array_equal(mask, np.isnan(rows.continuous))
    assert 0 < mask.mean() < 1


@pytest.mark.parametrize("kind", ["plain", "hashed"])
def test_several_ids_of_a_row_are_averaged_and_missing_ones_left_out(kind: str) -> None:
    layer = IdEmbedding(IdConfig(size=50, dim=4, kind=kind, length=3))  # type: ignore[arg-type]
    one, two = layer(torch.tensor([[4, -1, -1]])), layer(torch.tensor([[9, -1, -1]]))
    torch.testing.assert_close(layer(torch.tensor([[4, -1, 9]])), (one + two) / 2)
    assert layer(torch.tensor([[-1, -1, -1]])).abs().sum() == 0.0


def test_hashed_ids_spread_over_the_table_also_when_they_share_low_bits() -> None:
    layer = IdEmbedding(IdConfig(size=1024, dim=2, hashes=2))
    ids = torch.arange(4096) << 40
    for which in range(2):
        rows = layer._hashed(ids, which)
        assert rows.min() >= 0
        assert rows.max() < 1024
        # 4096 balls into 1024 bins leave about 1024/e^4 = 19 bins empty.
        assert len(rows.unique()) > 950
    assert (layer._hashed(ids, 0) == layer._hashed(ids, 1)).float().mean() < 0.02


def test_a_plain_id_beyond_the_table_is_an_error(tiny, rows_for) -> None:
    rows = rows_for(tiny, 4)
    ids = {**rows.ids, "topic_ids": np.full((4, 3), 16)}
    with pytest.raises(IndexError):
        HeavyRanker(tiny)(Inputs.of(attrs.evolve(rows, ids=ids)))


def test_each_heads_tower_learns_from_its_own_label_only(tiny, rows_for) -> None:
    torch.manual_seed(0)
    rows = rows_for(tiny, 32)
    model = HeavyRanker(tiny).eval()
    logits = model(Inputs.of(rows))
    base = Labels(torch.zeros(32, 10), tiny.head_names)
    for place in range(10):
        one_hot = torch.zeros(32, 10)
        one_hot[:, place] = 1.0
        moved = head_losses(logits, model.heads, Labels(one_hot, tiny.head_names)) - head_losses(
            logits, model.heads, base
        )
        assert (moved != 0).nonzero().flatten().tolist() == [place]
        gradient = torch.autograd.grad(
            moved[place], list(model.towers.parameters()), retain_graph=True, allow_unused=True
        )
        touched = {
            name.split(".")[0]
            for (name, _), g in zip(model.towers.named_parameters(), gradient, strict=True)
            if g is not None and g.abs().sum() > 0
        }
        assert touched == {tiny.head_names[place]}


def test_bfloat16_weights_move_probabilities_little_and_leave_the_last_layer_exact(tiny, rows_for) -> None:
    torch.manual_seed(0)
    model = HeavyRanker(tiny).eval()
    inputs = Inputs.of(rows_for(tiny, 200))
    with torch.inference_mode():
        exact = model(inputs).sigmoid()
        rounded = to_bfloat16(model)(inputs).sigmoid()
    assert 0 < (exact - rounded).abs().max() < 0.02
    assert all(tower[-1].weight.dtype == torch.float32 for tower in model.towers.values())
    assert model.backbone.blocks[0].hidden.weight.dtype == torch.bfloat16


def test_number_vectors_equal_their_formula_and_are_one_field_each() -> None:
    features = FeatureConfig(2, binary=1, ids={"item": IdConfig(5, 3, "plain")}, norm=NormConfig(vectors=3))
    layer = InputLayer(features).eval()
    assert layer.field_widths == (1, 3, 3, 3)
    continuous = torch.tensor([[2.0, torch.nan], [0.0, -1.0]])
    ids = {"item": torch.tensor([[4], [-1]])}
    found = layer(Inputs(continuous, torch.ones(2, 1), {}, ids)).detach()
    vectors = layer.numbers.vectors.detach()
    torch.testing.assert_close(found[0, 1:7], torch.cat([2 * vectors[0], torch.zeros(3)]))
    torch.testing.assert_close(found[1, 1:7], torch.cat([torch.zeros(3), -vectors[1]]))


def test_a_cross_of_the_papers_form_has_a_full_matrix() -> None:
    torch.manual_seed(0)
    cross = CrossLayer(5)
    first, x = np.random.default_rng(0).normal(size=(2, 3, 5)).astype(np.float32)
    with torch.inference_mode():
        found = cross(torch.from_numpy(first), torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, first * (x @ cross.expand.weight.detach().numpy().T) + x, atol=1e-5)


def test_norms_can_be_left_out_and_put_in() -> None:
    def modules(**norms: bool) -> set[type]:
        block = BlockConfig(width=4, reduction=1.0, form="paper", norms=BackboneNormConfig(**norms))
        net = ParallelMaskNet((2, 3), ModelConfig(blocks=2, block=block, mlp=(4,)))
        return {type(module) for module in net.modules()}

    assert {FieldNorm, torch.nn.LayerNorm} <= modules()
    assert torch.nn.BatchNorm1d not in modules()
    bare = modules(inputs=False, blocks=False, mlp=True)
    assert bare.isdisjoint({FieldNorm, torch.nn.LayerNorm})
    assert torch.nn.BatchNorm1d in bare


def test_a_serial_blocks_mask_is_sized_by_the_block_it_multiplies() -> None:
    block = BlockConfig(width=8, reduction=2.0, form="paper")
    net = SerialMaskNet((3, 3), ModelConfig("serial_masknet", 2, block, mlp=()))
    assert [layer.aggregate.out_features for layer in net.blocks] == [12, 16]


@given(st.lists(st.floats(width=32), min_size=1))
def test_the_signed_log_is_the_same_in_generated_code(values: list[float]) -> None:
    exact = signed_log(torch.tensor(values))
    with mock.patch("torch.compiler.is_compiling", return_value=True):
        generated = signed_log(torch.tensor(values))
    torch.testing.assert_close(generated, exact, atol=2e-7, rtol=2e-7)
