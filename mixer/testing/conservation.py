"""Conservation: every candidate that a source found is in the answer, or left for a stated reason."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from mixer.result import Outcome, RecommendationResult
from mixer.run import Step


def check_conservation(result: RecommendationResult[Any]) -> Counter[str]:
    """Check a traced result and count the fates: ``shown``, ``dropped``, ``merged``, ``cut``, ``not_examined``.

    Raises:
        AssertionError: a candidate appeared from nowhere, vanished between two stages, or is counted wrongly.
    """
    trace = result.trace
    if result.outcome is Outcome.INELIGIBLE:
        assert not len(result.candidates), "an ineligible target got candidates"
        return Counter()
    assert trace.steps, "conservation needs DebugOptions(trace=True)"
    alive = trace.steps[0][1].after.handles
    found = len(alive)
    fates: Counter[str] = Counter()
    for stage, step in trace.steps[1:]:
        before, after = step.before.handles, step.after.handles
        assert np.array_equal(np.sort(before), np.sort(alive)), (
            f"{stage}/{step.component}: rows vanished before it"
        )
        assert np.isin(after, before).all(), f"{stage}/{step.component}: rows appeared"
        assert len(np.unique(after)) == len(after), f"{stage}/{step.component}: a row appears twice"
        fates += _fates_of(step)
        alive = after
    shown = result.candidates.handles
    assert np.isin(shown, alive).all(), "the answer holds rows that had left"
    fates["cut"] += len(alive) - len(shown)
    fates["shown"] += len(shown)
    assert sum(fates.values()) == found, f"{found} found, but fates are {dict(fates)}"
    assert trace.stages[-1].count_out == len(result.candidates), "the last stage counted other rows"
    return +fates


def _fates_of(step: Step) -> Counter[str]:
    gone = len(step.before) - len(step.after)
    if step.verdicts is None:
        provenance = step.after.provenance
        lead = provenance.lead if provenance is not None else None
        lost = np.setdiff1d(step.before.handles, step.after.handles)
        merged = int((lead[lost] != lost).sum()) if lead is not None else 0
        return Counter(merged=merged, dropped=gone - merged)
    dropped = len(step.verdicts) - int(np.count_nonzero(step.verdicts.keep))
    unseen = len(step.before) - len(step.verdicts)
    return Counter(dropped=dropped, not_examined=unseen, cut=gone - dropped - unseen)
