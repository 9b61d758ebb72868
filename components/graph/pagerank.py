# pyright: reportOptionalSubscript=false, reportOperatorIssue=false, reportArgumentType=false, reportAssignmentType=false
# scipy ships no types, and what pyright infers from its source is wrong in these places.
"""PageRank by power iteration: the stationary share of a walk that now and then jumps."""

from __future__ import annotations

import attrs
import numpy as np
from attrs.validators import ge, gt, le, lt
from numpy.typing import NDArray
from scipy import sparse

from components.graph.edges import inverse, scale_rows

Vector = NDArray[np.float64]


@attrs.frozen
class PageRankConfig:
    """When to jump and when to stop.

    Args:
        jump: probability of a jump at each step.
        max_iterations: at most so many steps.
        tolerance: stop when a step moves less mass (L1) than this.
    """

    jump: float = attrs.field(default=0.15, validator=[gt(0.0), le(1.0)])
    max_iterations: int = attrs.field(default=100, validator=ge(1))
    tolerance: float = attrs.field(default=1e-8, validator=[ge(0.0), lt(1.0)])


@attrs.frozen(eq=False)
class PageRank:
    """``(nodes,)`` shares, the number of steps taken, and the mass that the last one moved."""

    shares: Vector
    iterations: int
    change: float


def pagerank(
    weights: sparse.csr_array,
    config: PageRankConfig | None = None,
    *,
    teleport: Vector | None = None,
    start: Vector | None = None,
    dead_ends: Vector | None = None,
) -> PageRank:
    """Iterates ``x' = (1 - jump) (x W + dead * dead_ends) + jump * teleport``.

    Args:
        weights: ``(nodes, nodes)``, not negative, from row to column; rows are scaled to sum to 1 here. ``dead``
            is the mass on rows without an edge.
        teleport: ``(nodes,)`` where jumps land; evenly when absent or all zero.
        start: ``(nodes,)`` to begin with, such as yesterday's answer; ``teleport`` when absent.
        dead_ends: ``(nodes,)`` where walks go on from rows without edges; evenly when absent.
    """
    config, nodes = config or PageRankConfig(), weights.shape[0]
    if not nodes:
        return PageRank(np.zeros(0), 0, 0.0)
    totals = np.asarray(weights.sum(axis=1)).ravel()
    backwards = scale_rows(weights, inverse(totals)).T.tocsr()
    dead, even = totals == 0, np.full(nodes, 1.0 / nodes)
    jumps, restart = _shares(teleport, even, "teleport"), _shares(dead_ends, even, "dead_ends")
    shares, change, iterations = _shares(start, jumps, "start"), np.inf, 0
    while iterations < config.max_iterations and change >= config.tolerance:
        walked = backwards @ shares + shares[dead].sum() * restart
        new = (1.0 - config.jump) * walked + config.jump * jumps
        change, shares, iterations = float(np.abs(new - shares).sum()), new, iterations + 1
    return PageRank(shares, iterations, change)


def _shares(values: Vector | None, default: Vector, name: str) -> Vector:
    if values is None:
        return default
    array = np.asarray(values, dtype=np.float64)
    if array.shape != default.shape or (array < 0).any() or not np.isfinite(array).all():
        raise ValueError(f"{name}: expected {default.shape} finite values >= 0, got shape {array.shape}")
    total = array.sum()
    return array / total if total > 0 else default
