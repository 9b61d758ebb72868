"""Does the ranker's probability mean what it says? Candidates of logged requests, and what happened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from components.evaluation import Bootstrap, Row, model_report, plot_reliability
from components.evaluation import reliability as bins_of
from products._offline.measure import Settings
from products._offline.trial import Offline, Trial, viewer_of

REQUESTS = 200
"""So many requests suffice; each has hundreds of candidates."""


async def reliability(
    offline: Offline, trial: Trial, ours: Any, settings: Settings, folder: Path
) -> list[Row]:
    """Model metrics over all candidates that the ranker gets, and ``reliability.png``.

    A ranker whose score is no probability (a weighted sum) gets none.
    """
    flow = offline.ranked(ours)
    labels, scores, users = [], [], []
    for case in trial.cases[:REQUESTS]:
        candidates = (await flow.process(viewer_of(case, settings.params, settings.seed, None))).candidates
        if len(candidates):
            labels.append(np.isin(candidates.ids, case.relevant))
            scores.append(candidates[offline.score].astype(np.float64))
            users.append(np.full(len(candidates), case.user_id))
    label, score, user = (np.concatenate(parts) for parts in (labels, scores, users))
    if score.max(initial=0.0) > 1.0:
        return []
    plot_reliability({"ranker": bins_of(label, score)}, folder / "reliability.png")
    judged = model_report(label, {"ranker": score}, user=user, bootstrap=Bootstrap(100, seed=settings.seed))
    return list(_within("ranked candidates", judged.rows))


def _within(segment: str, rows: tuple[Row, ...]) -> Iterator[Row]:
    for row in rows:
        yield attrs.evolve(row, segment=segment)
