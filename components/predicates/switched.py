"""``Switched``: a predicate that a parameter turns off."""

from __future__ import annotations

from typing import Any

import attrs

from mixer import CandidatePredicate, Candidates, Verdicts
from mixer.component import MaybeAwaitable, Wrapper
from mixer.params import Param


@attrs.frozen
class Switched(Wrapper, CandidatePredicate[Any, Any]):
    """Asks the inner predicate while the request's parameter says so; else every candidate stays."""

    inner: CandidatePredicate[Any, Any]
    switch: Param[bool]

    def check(self, target: Any, candidates: Candidates[Any]) -> MaybeAwaitable[Verdicts]:
        if target.request.params[self.switch]:
            return self.inner.check(target, candidates)
        return Verdicts.keep_all(len(candidates))
