"""Hypothesis strategies for batches, requests and predicates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mixer.candidate_predicates import CandidatePredicate
from mixer.candidates import Candidates
from mixer.columns import Candidate, Column
from mixer.provenance import Provenance
from mixer.target import DebugOptions, Request
from mixer.verdicts import Verdicts

if TYPE_CHECKING:
    from collections.abc import Callable

C = TypeVar("C", bound=Candidate)
Override = tuple[float, float] | st.SearchStrategy[Any]


def batches(
    kind: type[C],
    *,
    min_size: int = 0,
    max_size: int = 30,
    unique_ids: bool = False,
    overrides: Mapping[Column[Any, Any], Override] | None = None,
    stamped: bool = True,
) -> st.SearchStrategy[Candidates[C]]:
    """Batches of any candidate type.

    Columns without default are always there, others sometimes; floats include NaN and infinities unless bounded;
    some batches were filtered and reordered, so that their columns are gathered when read.

    Args:
        kind: the candidate type.
        min_size: fewest rows.
        max_size: most rows.
        unique_ids: no id twice.
        overrides: by column, bounds of its values or a strategy for one value.
        stamped: give rows provenance from one to three sources, as within a flow.
    """
    return _batches(kind, min_size, max_size, unique_ids, overrides or {}, stamped)


@st.composite
def _batches(
    draw: Callable[[st.SearchStrategy[Any]], Any],
    kind: type[C],
    min_size: int,
    max_size: int,
    unique_ids: bool,
    overrides: Mapping[Column[Any, Any], Override],
    stamped: bool,
) -> Candidates[C]:
    size: int = draw(st.integers(min_size, max_size))
    written = [
        key
        for key in kind.columns
        if key.required or key in overrides or (key is not Candidate.source_score and draw(st.booleans()))
    ]
    columns = {key: draw(_values(key, size, overrides.get(key), unique_ids)) for key in written}
    batch = Candidates(kind, columns)
    if stamped:
        names = tuple(f"source_{number}" for number in range(draw(st.integers(1, 3))))
        cuts: list[int] = sorted(
            draw(st.lists(st.integers(0, size), min_size=len(names) - 1, max_size=len(names) - 1))
        )
        lengths = np.diff([0, *cuts, size]).tolist()
        batch = batch.stamped(Provenance.of(names, lengths, batch))
    if size > min_size and draw(st.booleans()):
        kept: int = draw(st.integers(min_size, size))
        order: list[int] = draw(st.permutations(range(size)))
        batch = batch.take(order[:kept])
    return batch


def _values(
    key: Column[Any, Any], size: int, override: Override | None, unique_ids: bool
) -> st.SearchStrategy[Any]:
    if isinstance(override, st.SearchStrategy):
        return st.lists(override, min_size=size, max_size=size).map(key.coerce)
    if key is Candidate.id:
        low, high = override or (0, max(2 * size, 8))
        return st.lists(st.integers(int(low), int(high)), min_size=size, max_size=size, unique=unique_ids)
    if key.dtype == np.object_:
        return st.lists(st.text(max_size=5), min_size=size, max_size=size).map(key.coerce)
    return hnp.arrays(key.dtype, (size, *key.shape), elements=_elements(key.dtype, override))


def _elements(dtype: np.dtype[Any], bounds: tuple[float, float] | None) -> st.SearchStrategy[Any] | None:
    if bounds is None:
        # Values near zero: sums of products of arbitrary integers overflow, which is no fault of a stage.
        return st.integers(0 if dtype.kind == "u" else -100, 100) if dtype.kind in "iu" else None
    if dtype.kind in "iu":
        return st.integers(int(bounds[0]), int(bounds[1]))
    return st.floats(*bounds, width=32 if dtype == np.float32 else 64)


def requests(*, trace: bool = False, **fields: Any) -> st.SearchStrategy[Request]:
    """Requests with any seed and clock and without a deadline; ``fields`` fixes others."""
    return st.builds(
        Request,
        id=st.just("request"),
        now_ms=st.integers(0, 2**41),
        seed=st.integers(0, 2**63 - 1),
        debug=st.just(DebugOptions(trace=trace)),
        **{name: st.just(value) for name, value in fields.items()},
    )


@attrs.frozen
class _Residue(CandidatePredicate[Any, Any]):
    modulus: int
    residues: frozenset[int]
    reason: str

    def check(self, target: object, candidates: Candidates[Any]) -> Verdicts:
        return Verdicts.keep_where(np.isin(candidates.ids % self.modulus, list(self.residues)), self.reason)


def row_predicates() -> st.SearchStrategy[CandidatePredicate[Any, Any]]:
    """Predicates that decide by id, each with a reason of its own, from keeping nothing to keeping all."""

    def made(modulus: int, residues: set[int], name: str) -> CandidatePredicate[Any, Any]:
        return _Residue(modulus, frozenset(residues), f"reason_{name}")

    return st.builds(made, st.integers(1, 5), st.sets(st.integers(0, 4)), st.sampled_from("abcdef"))
