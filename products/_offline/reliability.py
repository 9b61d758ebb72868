"""Does the ranker's probability mean what it says? Candidates of logged requests, and what happened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import numpy as np

from components.evaluation import Bootstrap, Row, model_report, plot_reliability
from components.evaluation import reliability as bins_of
from components.models.logistic import LogisticModel
from components.rankers.logistic import feature_matrix
from products._offline.measure import Settings
from products._offline.trial import Offline, Trial, viewer_of

REQUESTS = 200
"""So many requests suffice; each has hundreds of candidates."""


async def reliability(
    offline: Offline, trial: Trial, model: LogisticModel, settings: Settings, folder: Path
) -> list[Row]:
    """Model metrics over all candidates that the ranker would get, and ``reliability.png``."""
    flow, inputs, key = offline.examples(trial.stores)
    labels, scores, users = [], [], []
    for case in trial.cases[:REQUESTS]:
        candidates = (await flow.process(viewer_of(case, settings.params, settings.seed, None))).candidates
        if len(candidates):
            labels.append(np.isin(candidates[key], case.relevant))
            scores.append(model.predict_proba(feature_matrix(candidates, inputs)))
            users.append(np.full(len(candidates), case.user_id))
    label, score, user = (np.concatenate(parts) for parts in (labels, scores, users))
    plot_reliability({"ranker": bins_of(label, score)}, folder / "reliability.png")
    judged = model_report(label, {"ranker": score}, user=user, bootstrap=Bootstrap(100, seed=settings.seed))
    return list(_within("ranked candidates", judged.rows))


def _within(segment: str, rows: tuple[Row, ...]) -> Iterator[Row]:
    for row in rows:
        yield attrs.evolve(row, segment=segment)
