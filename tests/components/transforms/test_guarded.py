from __future__ import annotations

import numpy as np
import pytest

from components.stores.types import Account
from components.transforms.guarded import FailOpen
from mixer import Candidates, Deduplicate, Target, transform
from mixer.testing import failing, hanging
from mixer.transforms import Trait


@transform(traits=Trait.REORDERS)
def backwards(target, candidates):
    return candidates.take(range(len(candidates))[::-1])


BATCH = Candidates(Account, {Account.id: np.arange(3), Account.row: np.arange(3)})


async def test_what_works_is_left_alone():
    assert (await FailOpen(backwards).transform(Target(), BATCH)).ids.tolist() == [2, 1, 0]


@pytest.mark.parametrize("broken", [failing, hanging])
async def test_what_fails_or_hangs_changes_nothing(broken):
    assert (await FailOpen(broken(backwards), 0.01).transform(Target(), BATCH)).ids.tolist() == [0, 1, 2]


def test_what_drops_candidates_may_not_fail_open():
    with pytest.raises(ValueError, match="deduplicate: expected a transform that drops nothing"):
        FailOpen(Deduplicate())
