# pyright: reportOptionalSubscript=false, reportOperatorIssue=false, reportArgumentType=false, reportAssignmentType=false
# scipy ships no types, and what pyright infers from its source is wrong in these places.
"""The successor of Tweepcred: jumps land on eligible accounts and on those that earn engagement.

Source: the 2026 release (user-cred-v2); all constants are its own.
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from components.graph.edges import adjacency, checked_edges, scale_rows
from components.graph.pagerank import PageRank, PageRankConfig, pagerank

Vector = NDArray[np.float64]

USER_CRED = PageRankConfig(jump=0.2, max_iterations=50, tolerance=0.001)


@attrs.frozen(eq=False)
class UserCredInput:
    """A day's graph over rows ``0 .. n - 1``.

    Args:
        follows: ``(e, 2)`` who follows whom.
        engagements: ``(k, 2)`` who liked or reposted whose post in the last 7 days; repeats count.
        prior_mass: ``(n,)`` weight of each account before the walk, as of ``user_mass``.
        eligible: ``(n,)`` bool, premium accounts on which jumps land.
        near_zero: ``(n,)`` bool, accounts that receive but do not distribute, and never attract jumps.
        linked: ``(l, 2)`` pairs of accounts of one owner; edges between them do not count.
    """

    follows: NDArray[np.int64] = attrs.field(converter=checked_edges)
    engagements: NDArray[np.int64] = attrs.field(converter=checked_edges)
    prior_mass: Vector
    eligible: NDArray[np.bool_]
    near_zero: NDArray[np.bool_]
    linked: NDArray[np.int64] = attrs.field(converter=checked_edges, factory=list)

    def __attrs_post_init__(self) -> None:
        shapes = [array.shape for array in (self.prior_mass, self.eligible, self.near_zero)]
        if len(set(shapes)) != 1 or len(shapes[0]) != 1:
            raise ValueError(f"UserCredInput: expected three arrays of one length, got shapes {shapes}")


def user_cred(
    data: UserCredInput, yesterday: Vector | None = None, config: PageRankConfig = USER_CRED
) -> PageRank:
    """Shares of all accounts; begins from ``yesterday`` where there is one."""
    nodes = len(data.prior_mass)
    follows = adjacency(_without_linked(data.follows, data.linked), nodes)
    follows = scale_rows(follows, np.where(data.near_zero, 0.0, 1.0))
    return pagerank(follows, config, teleport=teleport(data), start=yesterday)


def teleport(data: UserCredInput) -> Vector:
    """Where jumps land, ``(n,)``: half evenly on eligible accounts, half by engagement received.

    An engagement weighs the engager's share of all prior mass. When one half has nobody to go to, the other takes
    it all.
    """
    nodes = len(data.prior_mass)
    even = (data.eligible & ~data.near_zero).astype(np.float64)
    counted = _without_linked(data.engagements, data.linked)
    received = sparse.csr_array(adjacency(counted, nodes, np.ones(len(counted))).T)
    earned = (received @ data.prior_mass) * ~data.near_zero
    halves = [half / half.sum() for half in (even, earned) if half.sum() > 0]
    return np.mean(halves, axis=0) if halves else np.zeros(nodes)


@attrs.frozen
class PublishGate:
    """Whether today's shares may replace yesterday's.

    Args:
        max_drift: of the number of accounts, and of the number of very important ones.
        mass: what all shares may sum to.
    """

    max_drift: float = 0.05
    mass: tuple[float, float] = (0.99, 1.005)

    def problems(self, shares: ArrayLike, counts: tuple[int, int], yesterday: tuple[int, int]) -> list[str]:
        """Reasons to hold back; none when all is well.

        Args:
            counts: accounts and very important accounts today.
            yesterday: the same of the last publication.
        """
        total, found = float(np.sum(np.asarray(shares, dtype=np.float64))), []
        if not self.mass[0] <= total <= self.mass[1]:
            found.append(f"total mass: expected {self.mass[0]} to {self.mass[1]}, got {total:.4f}")
        for name, new, old in zip(("accounts", "very important accounts"), counts, yesterday, strict=True):
            if abs(new - old) > self.max_drift * old:
                found.append(f"{name}: expected within {self.max_drift:.0%} of {old}, got {new}")
        return found


def _without_linked(edges: NDArray[np.int64], linked: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(edges) or not len(linked):
        return edges
    size = int(max(edges.max(), linked.max())) + 1
    pairs, links = np.sort(edges, axis=1), np.sort(linked, axis=1)
    same_owner = np.isin(pairs[:, 0] * size + pairs[:, 1], links[:, 0] * size + links[:, 1])
    return edges[~same_owner]
