"""What can be set about the heavy ranker's score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import attrs

from components.models.weighted_score import APRIL_2023, WEIGHT_SETS, WeightSet
from components.rankers.heavy import on_recap_heads
from components.stores.types import Viewer
from mixer.params import Param, param

SETS: Mapping[str, WeightSet] = MappingProxyType(
    {name: on_recap_heads(weights) for name, weights in WEIGHT_SETS.items()}
)
WEIGHT_SET = param(
    "for_you.heavy.weights", APRIL_2023.name, choices=tuple(SETS), doc="Published weights of the heads."
)
WEIGHTS: Mapping[str, Param[float]] = MappingProxyType(
    {
        head: param(
            f"for_you.heavy.weight.{head}", math.nan, doc=f"Weight of {head}; NaN is that of the set."
        )
        for head in APRIL_2023.weights
    }
)


def chosen_weights(viewer: Viewer) -> WeightSet:
    """The weights that the request's parameters say."""
    settings = viewer.request.params
    weights = SETS[settings[WEIGHT_SET]]
    own = {head: settings[key] for head, key in WEIGHTS.items()}
    changed = {head: value for head, value in own.items() if not math.isnan(value)}
    if not changed:
        return weights
    return attrs.evolve(weights, name=f"{weights.name}, changed", weights={**weights.weights, **changed})
