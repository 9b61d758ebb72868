"""``ProducerTrial``: some accounts are ranked by another model, and stand where that one puts them."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from components.predicates.timeline import holdout_bucket
from components.rankers.sampling import Interleave
from components.stores.types import Account, setting
from mixer import Candidates, Ranker
from mixer.component import resolved
from mixer.params import Param
from mixer.rankers import KeepOrder
from mixer.run import observing
from mixer.transforms import noted

PRODUCTION, TRIAL = "production", "trial"
INTERLEAVE = Interleave(
    Account.ranked_by, {PRODUCTION: Account.production_score, TRIAL: Account.trial_score}, PRODUCTION
)


@attrs.frozen
class ProducerTrial(Ranker[Any, Account]):
    """Both models rank everybody; a fixed share of accounts, by hash of their id, stands where the trial puts it.

    So what being ranked anew does to those accounts can be told from what it does to the answer. Scores stay those of
    production. Fatigue comes afterwards, and moves what both have placed.

    Args:
        production: ranks all others.
        trial: ranks the accounts of the experiment.
        percent: of accounts; at 0 the trial is not asked.

    Source: FRS producer-side experiments and InterleaveRanker, off by default; there scores are replaced by ranks
    with fatigue, because interleaving comes after it.
    """

    production: Ranker[Any, Account]
    trial: Ranker[Any, Account]
    percent: float | Param[float] = 0.0

    @property
    def name(self) -> str:
        return self.production.name

    async def rank(self, target: Any, candidates: Candidates[Account]) -> Candidates[Account]:
        ours = await noted(self.production, candidates, lambda: self.production.rank(target, candidates))
        percent = setting(target, self.percent)
        if percent <= 0 or not len(ours):
            return ours
        with observing("ranker/interleave") as observation:
            observation.rows = len(ours)
            safe = self.trial.fallback(KeepOrder())  # a broken trial changes nothing
            theirs = await resolved(safe.rank(target, ours))
            place = np.empty(len(ours))
            place[np.argsort(ours.ids)] = np.argsort(theirs.ids)
            written = {
                Account.production_score: -np.arange(len(ours)),
                Account.trial_score: -place,
                Account.ranked_by: np.where(holdout_bucket(ours.ids, 0) < percent, TRIAL, PRODUCTION).astype(
                    object
                ),
            }
            marked = ours.with_columns(written)
            return await noted(INTERLEAVE, marked, lambda: INTERLEAVE.rank(target, marked))
