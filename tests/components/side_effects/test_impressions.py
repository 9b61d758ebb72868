from __future__ import annotations

import numpy as np

from components.side_effects.impressions import RecordImpressions
from components.stores.impressions import ImpressionStore
from components.stores.types import Account, Viewer
from mixer import (
    Candidates,
    DebugOptions,
    RecommendationFlow,
    Request,
    ResultsConfig,
    candidate_source,
)


@candidate_source
def three_accounts(viewer):
    return Candidates(Account, {Account.id: np.array([4, 5, 6])})


class Accounts(RecommendationFlow[Viewer, Account]):
    def __init__(self, store):
        self.store = store

    def candidate_sources(self, target):
        return [three_accounts]

    def results_config(self, target):
        return ResultsConfig(2)

    def side_effects(self):
        return [RecordImpressions((self.store,))]


async def test_what_was_shown_is_recorded_at_the_time_of_the_request():
    store = ImpressionStore()
    await Accounts(store).process(Viewer(1, request=Request(now_ms=100)))
    assert store.shown(1, 100).tolist() == [4, 5]
    assert store.shown(1, 99).tolist() == []
    assert store.shown(2, 100).tolist() == []


async def test_a_dark_read_leaves_no_impressions():
    store = ImpressionStore()
    debug = DebugOptions(skip_side_effects=True)
    await Accounts(store).process(Viewer(1, request=Request(now_ms=100, debug=debug)))
    assert store.shown(1, 100).tolist() == []
