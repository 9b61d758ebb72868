"""What a heavy ranker is made of: the typed form of its YAML file.

Every class validates its own values; ``load`` adds the names (unknown keys) and composes presets and overrides.
"""

from __future__ import annotations

from typing import Literal

import attrs
from attrs.validators import deep_iterable, ge, gt, le, lt, optional

Fraction = attrs.validators.and_(ge(0.0), lt(1.0))
Rate = attrs.validators.and_(gt(0.0), le(1.0))
Widths = deep_iterable(gt(0))


@attrs.frozen
class NormConfig:
    """Double-norm-log: sign(x)·log(1+|x|), batch norm, clip, layer norm.

    Attributes:
        vectors: where set, continuous columns are not normed: each value multiplies a learned vector of this width.

    Source: recap 2023 (momentum 0.01, clip 5). Its layer-norm epsilon of 0 divides by zero on constant rows; ours
    is 1e-6.
    """

    momentum: float = attrs.field(default=0.01, validator=Rate)
    batch_epsilon: float = attrs.field(default=1e-5, validator=gt(0.0))
    clip: float = attrs.field(default=5.0, validator=gt(0.0))
    layer_epsilon: float = attrs.field(default=1e-6, validator=gt(0.0))
    vectors: int | None = attrs.field(default=None, validator=optional(gt(0)))


@attrs.frozen
class IdConfig:
    """One embedding table for an id feature; several values of one row are averaged.

    Attributes:
        kind: ``plain`` ids are row numbers of the table; ``hashed`` ids are any int64.
        size: rows of the table.
        hashes: hash functions per id whose rows are added, so that two ids rarely share all of them.
        length: values a row holds at most; -1 marks a missing one.
        spread: standard deviation of the initial vectors; 1 / sqrt(dim) when absent.
    """

    size: int = attrs.field(validator=gt(0))
    dim: int = attrs.field(default=16, validator=gt(0))
    kind: Literal["plain", "hashed"] = "hashed"
    hashes: int = attrs.field(default=1, validator=ge(1))
    length: int = attrs.field(default=1, validator=ge(1))
    spread: float | None = attrs.field(default=None, validator=optional(gt(0.0)))

    def __attrs_post_init__(self) -> None:
        if self.kind == "plain" and self.hashes != 1:
            raise ValueError(f"hashes: a plain id feature has no hash functions, got {self.hashes}")


@attrs.frozen
class FeatureConfig:
    """Inputs of one (viewer, post) pair.

    Attributes:
        continuous: columns that pass double-norm-log, or become vectors; NaN marks a missing value.
        binary: columns of 0 and 1.
        embeddings: width of each pre-trained embedding; a row that starts with NaN is missing.
        ids: learned embeddings.
        missing: ``zero`` feeds zeros (recap); ``mask`` adds one input a column that says "missing", and learns a
            default vector for each embedding.
    """

    continuous: int = attrs.field(default=0, validator=ge(0))
    binary: int = attrs.field(default=0, validator=ge(0))
    embeddings: dict[str, int] = attrs.field(factory=dict)
    ids: dict[str, IdConfig] = attrs.field(factory=dict)
    missing: Literal["zero", "mask"] = "zero"
    norm: NormConfig = attrs.field(factory=NormConfig)

    def __attrs_post_init__(self) -> None:
        if not (self.continuous or self.binary or self.embeddings or self.ids):
            raise ValueError("features: expected at least one of continuous, binary, embeddings, ids")
        for name, width in self.embeddings.items():
            if width < 1:
                raise ValueError(f"embeddings.{name}: expected a width of at least 1, got {width}")


@attrs.frozen
class BackboneNormConfig:
    """Which norms the network has between inputs and heads.

    Attributes:
        inputs: layer norm of each embedding before the first multiplication (``paper`` mask blocks).
        blocks: layer norm in each mask block.
        mlp: batch norm between the linear layers of ``mlp`` and their ReLU.
    """

    inputs: bool = True
    blocks: bool = True
    mlp: bool = False


@attrs.frozen
class BlockConfig:
    """One mask block, or one cross layer.

    Attributes:
        width: outputs of a mask block; rank of a cross layer in the ``recap`` form.
        aggregation: units of the mask's inner layer; exactly one of it and ``reduction`` is set.
        reduction: the same as a multiple of the mask's width.
        form: ``recap``: no activation after the hidden layer, inputs as they are, low-rank crosses; ``paper``:
            embeddings pass a layer norm each, ReLU follows the block's layer norm, and crosses have a full matrix.
        dropout: after every block and every hidden layer of ``mlp``.
    """

    width: int = attrs.field(default=1024, validator=gt(0))
    aggregation: int | None = attrs.field(default=None, validator=optional(gt(0)))
    reduction: float | None = attrs.field(default=None, validator=optional(gt(0.0)))
    form: Literal["recap", "paper"] = "recap"
    dropout: float = attrs.field(default=0.0, validator=Fraction)
    norms: BackboneNormConfig = attrs.field(factory=BackboneNormConfig)

    def __attrs_post_init__(self) -> None:
        if self.aggregation is not None and self.reduction is not None:
            raise ValueError("block: expected one of aggregation and reduction, got both; null unsets one")

    def aggregation_for(self, mask_width: int) -> int:
        """Units of the mask's inner layer for a mask of this width."""
        if self.reduction is not None:
            return max(1, int(mask_width * self.reduction))
        return self.aggregation or self.width


@attrs.frozen
class TowerConfig:
    """What each head owns: hidden layers (linear, batch norm without affine, ReLU, dropout), then one output."""

    hidden: tuple[int, ...] = attrs.field(default=(256, 128), validator=Widths)
    batch_norm: bool = True


@attrs.frozen
class ModelConfig:
    """The network between inputs and heads.

    Attributes:
        sharing: towers read the backbone (``share_all``), the inputs (``share_none``), or both (``share_partial``).
        mlp: hidden layers with ReLU on top of the blocks (beside the crosses for ``dcn_v2``).
    """

    kind: Literal["parallel_masknet", "serial_masknet", "dcn_v2", "dnn"] = "parallel_masknet"
    blocks: int = attrs.field(default=4, validator=ge(1))
    block: BlockConfig = attrs.field(factory=BlockConfig)
    mlp: tuple[int, ...] = attrs.field(default=(2048,), validator=Widths)
    tower: TowerConfig = attrs.field(factory=TowerConfig)
    sharing: Literal["share_all", "share_none", "share_partial"] = "share_all"

    def __attrs_post_init__(self) -> None:
        if self.kind == "dnn" and not self.mlp:
            raise ValueError("mlp: a dnn needs at least one hidden layer")


@attrs.frozen
class ScheduleConfig:
    """Learning rate by step.

    Attributes:
        ramp_steps: the rate grows linearly from 0 over these steps (the linear_ramp kinds).
        final_step: where the cosine reaches 0.
        boundaries, values: ``piecewise_constant``: ``values[i]`` holds until step ``boundaries[i]``; one value more
            than boundaries.

    Source: recap 2023 optimiser configuration.
    """

    kind: Literal["constant", "piecewise_constant", "linear_ramp_to_constant", "linear_ramp_to_cosine"] = (
        "constant"
    )
    learning_rate: float = attrs.field(default=1e-3, validator=gt(0.0))
    ramp_steps: int = attrs.field(default=1000, validator=ge(1))
    final_step: int | None = attrs.field(default=None, validator=optional(gt(0)))
    boundaries: tuple[int, ...] = ()
    values: tuple[float, ...] = ()

    def __attrs_post_init__(self) -> None:
        if self.kind == "piecewise_constant" and len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"values: expected {len(self.boundaries) + 1}, one more than boundaries, got {len(self.values)}"
            )
        if list(self.boundaries) != sorted(set(self.boundaries)):
            raise ValueError(f"boundaries: expected increasing steps, got {self.boundaries}")
        if self.kind == "linear_ramp_to_cosine" and (self.final_step or 0) <= self.ramp_steps:
            raise ValueError(
                f"final_step: expected a step after ramp_steps={self.ramp_steps}, got {self.final_step}"
            )


@attrs.frozen
class RatesConfig:
    """Which share of a head's positive and negative rows the training data holds."""

    positive: float = attrs.field(default=1.0, validator=Rate)
    negative: float = attrs.field(default=1.0, validator=Rate)


@attrs.frozen
class HeadConfig:
    """One engagement.

    Attributes:
        label: the column of the data; the head's own name when absent.
        schedule: learning rate of the head's tower; the backbone's when absent.
    """

    label: str | None = None
    loss_weight: float = attrs.field(default=1.0, validator=gt(0.0))
    dropout: float = attrs.field(default=0.0, validator=Fraction)
    schedule: ScheduleConfig | None = None
    rates: RatesConfig = attrs.field(factory=RatesConfig)


@attrs.frozen
class SamplingConfig:
    """How down-sampling is done, and undone.

    Attributes:
        where: ``upstream``: the data comes sampled at each head's rates; ``trainer``: the trainer samples.
        correction: ``weights``: rows count 1/rate in the loss; ``logit``: ln(negative rate / positive rate) is added
            to the trained logit; ``none``: left to the calibration. One setting, because applying two corrects twice.
        ignored_labels: label columns of the data that no head learns, on purpose.
    """

    where: Literal["upstream", "trainer"] = "upstream"
    correction: Literal["none", "weights", "logit"] = "none"
    ignored_labels: tuple[str, ...] = ()


@attrs.frozen
class OptimizerConfig:
    """Adam.

    Attributes:
        clip_norm: largest gradient norm; no clipping when absent.
        embedding_l2: penalty of half this times the squared norm of the id embedding tables and number vectors.
        plateau_factor: multiplies every learning rate after an evaluation that did not improve.

    Source: recap 2023 (betas 0.95 and 0.999, epsilon 1e-7, no weight decay, no clipping).
    """

    schedule: ScheduleConfig = attrs.field(factory=ScheduleConfig)
    betas: tuple[float, float] = attrs.field(default=(0.95, 0.999), validator=deep_iterable(Fraction))
    epsilon: float = attrs.field(default=1e-7, validator=gt(0.0))
    clip_norm: float | None = attrs.field(default=None, validator=optional(gt(0.0)))
    embedding_l2: float = attrs.field(default=0.0, validator=ge(0.0))
    plateau_factor: float = attrs.field(default=1.0, validator=Rate)


@attrs.frozen
class EvaluationConfig:
    """When to evaluate, and when to stop.

    Attributes:
        every: steps between evaluations; 0 = once an epoch.
        metric: the mean over heads that early stopping and the plateau look at.
        patience: evaluations without improvement before training stops; 0 = never.
    """

    every: int = attrs.field(default=200, validator=ge(0))
    metric: Literal["auc", "pr_auc", "rce", "log_loss", "auc_less_log_loss"] = "auc"
    patience: int = attrs.field(default=0, validator=ge(0))
    min_delta: float = attrs.field(default=0.0, validator=ge(0.0))


@attrs.frozen
class CheckpointConfig:
    """Steps between checkpoints (0 = at each evaluation), and how many are kept besides the best."""

    every: int = attrs.field(default=0, validator=ge(0))
    keep: int = attrs.field(default=2, validator=ge(1))


@attrs.frozen
class TrainingConfig:
    """The loop.

    Attributes:
        precision: ``bf16`` runs matrix products in bfloat16 (weights, optimiser and loss stay float32).
    """

    batch_size: int = attrs.field(default=1024, validator=ge(2))
    steps: int = attrs.field(default=1000, validator=ge(1))
    evaluation: EvaluationConfig = attrs.field(factory=EvaluationConfig)
    checkpoints: CheckpointConfig = attrs.field(factory=CheckpointConfig)
    precision: Literal["fp32", "bf16"] = "fp32"
    seed: int = attrs.field(default=0, validator=ge(0))


@attrs.frozen
class RankerConfig:
    """A heavy ranker and how it is trained; the YAML file has this shape."""

    features: FeatureConfig
    heads: dict[str, HeadConfig]
    model: ModelConfig = attrs.field(factory=ModelConfig)
    optimizer: OptimizerConfig = attrs.field(factory=OptimizerConfig)
    training: TrainingConfig = attrs.field(factory=TrainingConfig)
    sampling: SamplingConfig = attrs.field(factory=SamplingConfig)

    def __attrs_post_init__(self) -> None:
        if not self.heads:
            raise ValueError("heads: expected at least one")

    @property
    def head_names(self) -> tuple[str, ...]:
        """Heads in the order of the network's outputs."""
        return tuple(self.heads)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The label column of each head, in the same order."""
        return tuple(head.label or name for name, head in self.heads.items())
