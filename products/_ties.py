"""Who will probably interact with whom: a part that several products look up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from components.stores.stores import Stores

if TYPE_CHECKING:
    from components.models.real_graph.model import RealGraph
    from components.models.real_graph.scores import RealGraphScores
    from products._cli.application import Workshop


async def learned_ties(workshop: Workshop, past: Stores, now_ms: int, now: Stores) -> RealGraphScores | None:
    """RealGraph, learned from what was known before a moment, for the users of the stores that are served.

    None where follows have no dates, so that what is hidden from the past would be known to the log, and where too
    little happened to learn from.

    Args:
        workshop: keeps the part.
        past: the stores to learn from.
        now_ms: the moment.
        now: whose users are served.
    """
    from components.models import real_graph
    from components.models.real_graph.log import InteractionLog
    from components.models.real_graph.model import RealGraph, train_real_graph

    if (past.follows.time_ms == 0).any():
        return None
    log: InteractionLog = InteractionLog.of_dataset(workshop.past.data.as_of(now_ms))

    async def make(path: Path) -> RealGraph:
        with workshop.bars.step("learning who will interact with whom"):
            model = train_real_graph(log, now_ms)
        model.save(path)
        return model

    try:
        model = await workshop.part(
            "real-graph", (real_graph, now_ms, past.follows.edges), RealGraph.load, make
        )
    except ValueError:
        return None  # too little happened within the horizon
    return model.scores(log, now_ms, now.users)
