"""``TwoHeads``: how likely a follow is, and what comes of it."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from components.models.logistic import LogisticModel
from components.rankers.light import LogisticRanker, feature_matrix
from components.scores import rescored
from components.stores.types import Account, setting
from mixer import Candidates, Ranker
from mixer.params import Param
from mixer.transforms import noted


@attrs.frozen
class TwoHeads(Ranker[Any, Account]):
    """Sorts by ``P(follow) * (1 + weight * P(engagement | follow)) / (1 + weight)``, which stays in [0, 1].

    Args:
        follow: writes the probability of a follow as the score.
        engagement: of the same inputs, trained on those who were followed.
        weight: what an engagement after the follow is worth; a follow is worth 1, and 0 leaves the second head out.

    Source: FRS sums P(follow | recommendation) and P(positive engagement | follow) by weight; here the second counts
    as often as it can happen: after a follow.
    """

    follow: LogisticRanker
    engagement: LogisticModel = attrs.field(repr=False)
    weight: float | Param[float] = 0.0

    @property
    def name(self) -> str:
        return self.follow.name

    async def rank(self, target: Any, candidates: Candidates[Account]) -> Candidates[Account]:
        likely = await noted(self.follow, candidates, lambda: self.follow.rank(target, candidates))
        weight = setting(target, self.weight)
        follow = likely[Account.score]
        engaged = self.engagement.predict_proba(feature_matrix(likely, self.follow.inputs)).astype(np.float32)
        worth = (follow * (1.0 + weight * engaged) / (1.0 + weight)).astype(np.float32)
        share = follow / np.float32(1.0 + weight)
        scores = {
            Account.score: worth,
            Account.follow_probability: follow,
            Account.engagement_probability: engaged,
        }
        terms = {"follow": share, "engagement_after_follow": worth - share}
        return rescored("two_heads", likely, scores, lambda: terms)
