"""New scores for candidates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixer import Candidates, Column, note, tracing


def rescored(
    component: str,
    candidates: Candidates[Any],
    scores: Mapping[Column[Any, Any], NDArray[Any]],
    terms: Callable[[], Mapping[str, NDArray[Any]]],
) -> Candidates[Any]:
    """The candidates by their new scores, best first; equal ones keep their order, NaN comes last.

    Args:
        component: whose scores they are.
        candidates: ``n`` of them.
        scores: ``(n,)`` by column, the one that decides first; all are written.
        terms: what the scores are made of, ``(n,)`` by name; asked only for a traced request.
    """
    written = {column: values.astype(np.float32) for column, values in scores.items()}
    order = np.argsort(-next(iter(written.values())), kind="stable")
    ranked = candidates.with_columns(written).pick(order)
    if tracing():
        note(component, candidates, ranked, terms={name: term[order] for name, term in terms().items()})
    return ranked
