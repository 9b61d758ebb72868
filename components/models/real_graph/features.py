"""What is known of a pair of accounts at a moment.

Source: the published RealGraph, both products: the features of the model's query, and the daily rollup with decay
0.955. The published query hands the two ids to the trees as well; they are left out here. Added: decayed mean and
variance of the interactions a period, the way back, and how active both accounts are.
"""

from __future__ import annotations

import attrs
import numpy as np
from attrs.validators import ge, gt, lt
from numpy.typing import NDArray

from components.models.real_graph.log import KINDS, InteractionLog, Ints, Pairs
from components.units import DAY_MS

Floats = NDArray[np.float64]


@attrs.frozen
class FeatureConfig:
    """Windows and decay.

    Args:
        period_ms: length of a "day"; shorter for short logs.
        window: periods that counts look back.
        decay: what the rollup keeps of a count from one period to the next (0.955: half in 15 periods).
        history: periods that the rollup looks back; less than ``decay ** history`` (0.063) counts as none.
        max_targets: pairs a source, those with most active periods first, then most recent.
    """

    period_ms: int = attrs.field(default=DAY_MS, validator=ge(1))
    window: int = attrs.field(default=30, validator=ge(1))
    decay: float = attrs.field(default=0.955, validator=[gt(0.0), lt(1.0)])
    history: int = attrs.field(default=60, validator=ge(1))
    max_targets: int = attrs.field(default=2000, validator=ge(1))


@attrs.frozen(eq=False)
class PairFeatures:
    """Pairs and what is known of them: ``values`` is ``(pairs, features)``, named by ``names``."""

    pairs: Pairs
    values: Floats
    names: tuple[str, ...]

    def column(self, name: str) -> Floats:
        """``(pairs,)`` values of one feature."""
        return self.values[:, self.names.index(name)]

    def where(self, mask: NDArray[np.bool_]) -> PairFeatures:
        """Those pairs whose mask is true."""
        return PairFeatures(self.pairs.where(mask), self.values[mask], self.names)


def rollup(log: InteractionLog, pairs: Pairs, at_ms: int, config: FeatureConfig) -> Floats:
    """``(pairs,)`` interactions of all kinds with decay: ``new = count of the period + decay * old``.

    The running period is not discounted.
    """
    recent = log.between(at_ms - config.history * config.period_ms, at_ms)
    position = pairs.positions(recent.source, recent.target)
    age = (at_ms - 1 - recent.time_ms) // config.period_ms
    known = position >= 0
    summed = np.bincount(position[known], config.decay ** age[known], minlength=len(pairs))
    return np.where(summed >= config.decay**config.history, summed, 0.0)


def candidate_pairs(log: InteractionLog, at_ms: int, config: FeatureConfig) -> Pairs:
    """Pairs that interacted within the window, either way, and followed pairs; none that the source avoids."""
    recent = log.between(at_ms - config.window * config.period_ms, at_ms)
    followed = log.followed(at_ms)
    parts = (
        (recent.source, recent.target),
        (recent.target, recent.source),
        (followed.source, followed.target),
    )
    pairs = Pairs.of(*parts)
    return pairs.where(log.avoided(at_ms).positions(pairs.source, pairs.target) < 0)


def pair_features(log: InteractionLog, pairs: Pairs, at_ms: int, config: FeatureConfig) -> PairFeatures:
    """Features of pairs as of a moment; what happens at that moment or later is not seen."""
    recent = log.between(at_ms - config.window * config.period_ms, at_ms)
    columns = _own(recent, pairs, at_ms, config)
    backwards = Pairs.of((pairs.target, pairs.source))
    there = backwards.positions(pairs.target, pairs.source)
    back = _own(recent, backwards, at_ms, config)
    columns["decayed"] = rollup(log, pairs, at_ms, config)
    columns["decayed_back"] = rollup(log, backwards, at_ms, config)[there]
    columns |= {f"{name}_back": back[name][there] for name in ("active_periods", "periods_since_last")}
    for name, ends, wanted in (
        ("source_acts", recent.source, pairs.source),
        ("source_is_met", recent.target, pairs.source),
        ("target_acts", recent.source, pairs.target),
        ("target_is_met", recent.target, pairs.target),
    ):
        count, idle = _account(ends, recent.time_ms, wanted, at_ms, config)
        columns |= {name: count, f"{name}_periods_ago": idle}
    values = np.stack([np.asarray(column, dtype=np.float64) for column in columns.values()], axis=1)
    return PairFeatures(pairs, values, tuple(columns))


def strongest(features: PairFeatures, max_targets: int) -> NDArray[np.bool_]:
    """``(pairs,)`` whether a pair is among its source's first: most active periods, then recency, then lower id."""
    pairs = features.pairs
    since, active = features.column("periods_since_last"), features.column("active_periods")
    order = np.lexsort((pairs.target, since, -active, pairs.source))
    owners = pairs.source[order]
    keep = np.empty(len(pairs), dtype=np.bool_)
    keep[order] = np.arange(len(pairs)) - np.searchsorted(owners, owners) < max_targets
    return keep


def features_of(
    log: InteractionLog, at_ms: int, config: FeatureConfig, sources: Ints | None = None
) -> PairFeatures:
    """Features of the strongest candidate pairs, of all accounts or of some, as of a moment."""
    pairs = candidate_pairs(log, at_ms, config)
    if sources is not None:
        pairs = pairs.where(np.isin(pairs.source, sources))
    features = pair_features(log, pairs, at_ms, config)
    return features.where(strongest(features, config.max_targets))


def labels(log: InteractionLog, pairs: Pairs, at_ms: int, horizon_ms: int) -> NDArray[np.bool_]:
    """``(pairs,)`` whether a pair interacts at ``at_ms`` or later, before the horizon ends."""
    future = log.between(at_ms, at_ms + horizon_ms)
    happened = np.zeros(len(pairs), dtype=np.bool_)
    position = pairs.positions(future.source, future.target)
    happened[position[position >= 0]] = True
    return happened


def _own(
    recent: InteractionLog, pairs: Pairs, at_ms: int, config: FeatureConfig
) -> dict[str, NDArray[np.generic]]:
    """What a pair did itself within the window."""
    position = pairs.positions(recent.source, recent.target)
    known = position >= 0
    rows, kinds, ages = position[known], recent.kind[known], (at_ms - 1 - recent.time_ms)[known]
    counts = np.bincount(kinds * len(pairs) + rows, minlength=len(KINDS) * len(pairs))
    by_kind = counts.reshape(len(KINDS), len(pairs))
    last = np.full(len(pairs), config.window * config.period_ms)
    np.minimum.at(last, rows, ages)
    active, mean, variance = _moments(rows, ages // config.period_ms, len(pairs), config)
    return {
        "active_periods": active,
        "periods_since_last": last / config.period_ms,
        "kinds": (by_kind > 0).sum(axis=0),
        "mean": mean,
        "variance": variance,
        **{f"count_{name}": by_kind[kind] for kind, name in enumerate(KINDS)},
    }


def _moments(rows: Ints, ages: Ints, pairs: int, config: FeatureConfig) -> tuple[Ints, Floats, Floats]:
    """Active periods, and mean and variance of the interactions a period, weighted by decay to the age."""
    keys, counts = np.unique(rows * config.window + ages, return_counts=True)
    owner, weight = keys // config.window, config.decay ** (keys % config.window)
    total = (config.decay ** np.arange(config.window)).sum()
    mean = np.bincount(owner, weight * counts, minlength=pairs) / total
    squares = np.bincount(owner, weight * counts**2, minlength=pairs) / total
    return np.bincount(owner, minlength=pairs), mean, np.maximum(squares - mean**2, 0.0)


def _account(
    ends: Ints, times_ms: Ints, wanted: Ints, at_ms: int, config: FeatureConfig
) -> tuple[Ints, Floats]:
    """How often each wanted account stands at that end of an interaction, and periods since it last did."""
    ids, rows, counts = np.unique(ends, return_inverse=True, return_counts=True)
    if not len(ids):
        return np.zeros(len(wanted), dtype=np.int64), np.full(len(wanted), float(config.window))
    last = np.empty(len(ids), dtype=np.int64)
    last[rows] = times_ms  # in order of time, so that the latest stays
    found = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    known = ids[found] == wanted
    idle = np.where(known, (at_ms - 1 - last[found]) / config.period_ms, config.window)
    return np.where(known, counts[found], 0), idle
