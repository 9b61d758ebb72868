"""How two towers are built and trained."""

from __future__ import annotations

from typing import Any

import attrs
from attrs.validators import ge, gt, instance_of, le


@attrs.frozen
class Towers:
    """Sizes.

    Args:
        dimensions: of every vector.
        buckets: that hashed values of all fields share.
        hidden: width of each tower's hidden layer.
        history: a user's newest engagements that the user tower looks at.
        temperature: scores are cosines divided by it.
    """

    dimensions: int = attrs.field(default=64, validator=[instance_of(int), ge(1)])
    buckets: int = attrs.field(default=2**17, validator=[instance_of(int), ge(16)])
    hidden: int = attrs.field(default=128, validator=[instance_of(int), ge(1)])
    history: int = attrs.field(default=16, validator=[instance_of(int), ge(0)])
    temperature: float = attrs.field(default=0.1, validator=gt(0.0))


@attrs.frozen
class HardNegatives:
    """What makes negatives harder than chance.

    Args:
        popular: posts drawn in proportion to engagements a batch, shared by its rows.
        hardest: of a row's negatives, how many count once more.
        weight: of the loss among those.
    """

    popular: int = attrs.field(default=256, validator=[instance_of(int), ge(0)])
    hardest: int = attrs.field(default=16, validator=[instance_of(int), ge(0)])
    weight: float = attrs.field(default=0.2, validator=ge(0.0))


@attrs.frozen
class TwoTowerConfig:
    """How to train.

    Args:
        id_dropout: share of training rows whose user id or post id is hidden, so that new ones can be served.
        frequency_rate: learning rate of the streaming estimate of how often a post occurs.
    """

    towers: Towers = Towers()
    negatives: HardNegatives = HardNegatives()
    epochs: int = attrs.field(default=5, validator=[instance_of(int), ge(1)])
    batch_size: int = attrs.field(default=512, validator=[instance_of(int), ge(2)])
    learning_rate: float = attrs.field(default=0.005, validator=gt(0.0))
    id_dropout: float = attrs.field(default=0.3, validator=[ge(0.0), le(1.0)])
    frequency_rate: float = attrs.field(default=0.05, validator=[gt(0.0), le(1.0)])
    seed: int = 0

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TwoTowerConfig:  # values as JSON gives them
        """The inverse of ``attrs.asdict``."""
        nested = {
            "towers": Towers(**values["towers"]),
            "negatives": HardNegatives(**values["negatives"]),
        }
        return cls(**(values | nested))
