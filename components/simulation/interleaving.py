"""Team-draft interleaving of two lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np


def team_draft(
    first: Sequence[int], second: Sequence[int], count: int, rng: np.random.Generator
) -> tuple[list[int], list[int]]:
    """Merge two lists so that neither is favoured: in each round both pick their best post left, in drawn order.

    Args:
        first: ids, best first; team 0.
        second: the same of team 1.
        count: how many are wanted; fewer when the lists have fewer.
        rng: draws who picks first in a round.

    Returns:
        The ids, and the team that picked each.

    Source: Radlinski, Kurup and Joachims 2008, "How does clickthrough data reflect retrieval quality?"
    """
    picks = (iter(first), iter(second))
    chosen: dict[int, int] = {}
    empty: set[int] = set()
    while len(chosen) < count and len(empty) < 2:
        start = int(rng.integers(2))
        for team in (start, 1 - start):
            if len(chosen) < count and not _pick(picks[team], team, chosen):
                empty.add(team)
    return list(chosen), list(chosen.values())


def _pick(ids: Iterator[int], team: int, chosen: dict[int, int]) -> bool:
    for one in ids:
        if one not in chosen:
            chosen[one] = team
            return True
    return False
