# pyright: reportOptionalSubscript=false, reportOperatorIssue=false, reportArgumentType=false, reportAssignmentType=false
# scipy ships no types, and what pyright infers from its source is wrong in these places.
"""Tweepcred: reputation of accounts by PageRank over follows, and the adjustments around it.

Source: the published batch job (weighted PageRank, user mass, reputation); all constants are its own.
"""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from components.graph.pagerank import PageRank, PageRankConfig, pagerank

Vector = NDArray[np.float64]

TWEEPCRED = PageRankConfig(jump=0.1, max_iterations=20, tolerance=0.001)

_RATIO_LIMIT = 0.6


def _flags(values: ArrayLike) -> NDArray[np.bool_]:
    return np.asarray(values, dtype=np.bool_)


def _numbers(values: ArrayLike) -> Vector:
    return np.asarray(values, dtype=np.float64)


@attrs.frozen(eq=False)
class AccountFacts:
    """What the prior knows of each account; all ``(n,)``, in one order."""

    age_days: Vector = attrs.field(converter=_numbers)
    has_valid_device: NDArray[np.bool_] = attrs.field(converter=_flags)
    is_restricted: NDArray[np.bool_] = attrs.field(converter=_flags)
    is_suspended: NDArray[np.bool_] = attrs.field(converter=_flags)
    is_verified: NDArray[np.bool_] = attrs.field(converter=_flags)

    def __attrs_post_init__(self) -> None:
        shapes = {field.name: getattr(self, field.name).shape for field in attrs.fields(AccountFacts)}
        if len(set(shapes.values())) != 1 or len(self.age_days.shape) != 1:
            raise ValueError(f"AccountFacts: expected arrays of one length, got {shapes}")


@attrs.frozen(eq=False)
class Tweepcred:
    """Raw shares after the adjustment, and reputations from 0 to 100."""

    shares: Vector
    reputations: NDArray[np.int64]
    walk: PageRank


def tweepcred(
    follows: sparse.csr_array, accounts: AccountFacts, config: PageRankConfig = TWEEPCRED
) -> Tweepcred:
    """Reputations of all accounts.

    Args:
        follows: ``(n, n)`` who follows whom, from row to column, ones or tie strengths; made by ``adjacency``.
        accounts: facts of the ``n`` accounts.
    """
    if follows.shape != (len(accounts.age_days),) * 2:
        raise ValueError(f"follows: expected {len(accounts.age_days)} rows and columns, got {follows.shape}")
    followings, followers = degrees(follows)
    prior = user_mass(accounts, followings, followers)
    walk = pagerank(follows, config, teleport=prior)
    shares = walk.shares / follow_penalty(followings, followers)
    return Tweepcred(shares, reputation(shares), walk)


def degrees(follows: sparse.csr_array) -> tuple[Vector, Vector]:
    """How many each account follows, and by how many it is followed; both ``(n,)``."""
    followers = np.bincount(follows.indices, minlength=follows.shape[1])
    return np.diff(follows.indptr).astype(np.float64), followers.astype(np.float64)


def user_mass(accounts: AccountFacts, followings: Vector, followers: Vector) -> Vector:
    """The prior, ``(n,)`` from 0 to 100: what an account weighs before anybody follows it.

    A valid device adds 0.5 to 0.05; accounts of up to 30 days weigh ``ln(1 + days / 15)`` of that, restricted
    ones a tenth. Verified accounts weigh 100, suspended ones nothing. Who follows more than 500 accounts, and more
    than 0.6 for each follower, is divided by ``exp(5 (ratio - 0.6))``.
    """
    score = 0.05 + 0.5 * accounts.has_valid_device
    youth = np.minimum(1.0, np.log1p(np.maximum(accounts.age_days, 0.0) / 15.0))
    score = np.maximum(score * np.where(accounts.age_days > 30.0, 1.0, youth), 0.01)
    mass = 100.0 * np.clip(score * np.where(accounts.is_restricted, 0.1, 1.0), 0.0, 1.0)
    mass = np.where(accounts.is_suspended, 0.0, np.where(accounts.is_verified, 100.0, mass))
    excess = np.maximum(_ratio(followings, followers) - _RATIO_LIMIT, 0.0)
    return mass * np.exp(-5.0 * np.where(followings > 500, excess, 0.0))


def follow_penalty(followings: Vector, followers: Vector) -> Vector:
    """What shares are divided by, ``(n,)`` from 1 to 50; 1 for those who follow up to 2,500 accounts."""
    many = np.maximum(followings, 2501.0)
    exponent = 3.0 * (_ratio(followings, followers) - _RATIO_LIMIT) * np.log(np.log(many))
    return np.where(followings > 2500, np.exp(np.clip(exponent, 0.0, np.log(50.0))), 1.0)


def reputation(shares: ArrayLike) -> NDArray[np.int64]:
    """The share on the scale that people see: ``round(130 + 5.21 ln share)`` within 0 and 100.

    >>> reputation([1e-10, 1e-8, 1e-6, 1e-4, 1e-3]).tolist()
    [10, 34, 58, 82, 94]
    """
    positive = np.maximum(np.asarray(shares, dtype=np.float64), 1e-300)
    return np.clip(np.rint(130.0 + 5.21 * np.log(positive)), 0, 100).astype(np.int64)


def _ratio(followings: Vector, followers: Vector) -> Vector:
    return (1.0 + followings) / (1.0 + followers)
