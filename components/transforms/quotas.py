"""Balance between posts of followed people and of strangers, without making a slate shorter."""

from __future__ import annotations

import attrs
import numpy as np

from components.stores.types import Controls, Post, Viewer, setting
from mixer import Candidates, Transform, note, tracing
from mixer.params import Param
from mixer.provenance import found_first_by
from mixer.transforms import Trait


@attrs.frozen
class NetworkQuotas(Transform[Viewer, Post]):
    """Puts what is over the quota of posts in network, or of those out of it, behind everything within.

    The viewer's slider of discovery moves both quotas, see :func:`shares`. What only ``exempt`` sources found counts
    towards no quota.

    Args:
        in_network: how many posts by followed people stand in front.
        out_of_network: how many by others.
        exempt: names of sources.

    Source: home-mixer 2023: the best 60 of each, backfill exempt; there the rest is dropped.
    """

    in_network: int | Param[int] = 60
    out_of_network: int | Param[int] = 60
    exempt: frozenset[str] = frozenset()
    traits = Trait.REORDERS

    def transform(self, target: Viewer, candidates: Candidates[Post]) -> Candidates[Post]:
        followed, strange = shares(target.controls)
        inside = candidates[Post.in_network]
        counted = ~found_first_by(candidates, self.exempt)
        over = np.zeros(len(candidates), dtype=np.bool_)
        for group, quota in (
            (inside & counted, int(setting(target, self.in_network) * followed)),
            (~inside & counted, int(setting(target, self.out_of_network) * strange)),
        ):
            over[np.flatnonzero(group)[quota:]] = True
        order = np.argsort(over, kind="stable")
        balanced = candidates.pick(order)
        if tracing():
            note(self.name, candidates, balanced, terms={"over_quota": over[order].astype(np.float64)})
        return balanced


def shares(wishes: Controls) -> tuple[float, float]:
    """What the slider of discovery leaves of followed people and of strangers; all of both in the middle.

    >>> shares(Controls(discovery=0.25)), shares(Controls(discovery=1.0))
    ((1.0, 0.5), (0.0, 1.0))
    """
    return min(1.0, 2 - 2 * wishes.discovery), min(1.0, 2 * wishes.discovery)
