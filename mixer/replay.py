"""Replay: run a captured request again to the same bytes.

A request made with ``DebugOptions(capture=True)`` keeps what it depended on: the target as the flow updated it
(with clock, seed and parameters), what every source answered and what every hydrator fetched. The other stages
are functions of these. Replaying therefore gives the same bytes; a difference means that a stage reads a clock,
a random generator or a store of its own, or that the code has changed since.
"""

from __future__ import annotations

import pickle
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import attrs

from mixer.columns import Candidate
from mixer.component import Wrapper
from mixer.engine import run_request
from mixer.errors import ReplayError
from mixer.flow_stats import FlowStats
from mixer.hydrators import Hydrator
from mixer.sources import CandidateSource
from mixer.stats import StatsReceiver
from mixer.target import DebugOptions, Target

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from mixer.candidates import Candidates
    from mixer.columns import Column
    from mixer.flow import RecommendationFlow
    from mixer.result import RecommendationResult

T = TypeVar("T", bound=Target)
C = TypeVar("C", bound=Candidate)

_MAGIC = b"mixer capture 1\n"


@attrs.frozen
class Capture(Generic[T, C]):
    """Everything one answer depended on.

    Args:
        flow: name of the flow.
        target: the target as the flow updated it.
        sources: what each source answered, in declared order; one that failed open answered nothing.
        hydrated: what each hydrator fetched, by its name.
        fingerprint: digest of the candidates that were answered.
    """

    flow: str
    target: T
    sources: tuple[tuple[str, Candidates[C]], ...]
    hydrated: Mapping[str, Mapping[Column[Any, Any], object]]
    fingerprint: str

    @classmethod
    def of(cls, result: RecommendationResult[C], target: type[T] | None = None) -> Capture[T, C]:
        """The capture of an answered request.

        Raises:
            ReplayError: the request did not ask to be captured, or was not eligible.
        """
        recorded = result.trace.captured
        if recorded is None or "sources" not in recorded:
            raise ReplayError("nothing captured: ask with DebugOptions(capture=True) for an eligible target")
        captured: Any = recorded["target"]
        sources: Any = recorded["sources"]
        hydrated: Any = recorded["hydrated"]
        return cls(result.trace.flow, captured, sources, hydrated, fingerprint(result.candidates))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the capture; readable by the same Python classes only."""
        final = Path(path)
        partial = final.with_name(final.name + ".partial")
        partial.write_bytes(_MAGIC + pickle.dumps(self))
        partial.replace(final)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Capture[Any, Any]:
        """Read a capture. It is a pickle: load only files you trust.

        Raises:
            ReplayError: not a capture, or damaged.
        """
        data = Path(path).read_bytes()
        if not data.startswith(_MAGIC):
            raise ReplayError(
                f"{path}: expected a file that begins with {_MAGIC!r}, got {data[: len(_MAGIC)]!r}"
            )
        try:
            loaded = pickle.loads(data[len(_MAGIC) :])  # noqa: S301 - documented: trusted files only
        except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError) as error:
            raise ReplayError(f"{path}: the capture is damaged or its classes are gone: {error}") from error
        if not isinstance(loaded, Capture):
            raise ReplayError(f"{path}: expected a Capture, got {type(loaded).__name__}")
        return cast("Capture[Any, Any]", loaded)


def fingerprint(candidates: Candidates[Any]) -> str:
    """A digest of ids, order and every written column."""
    digest = blake2b(f"{candidates.kind.__name__}:{len(candidates)}".encode(), digest_size=16)
    for key in sorted(candidates.present, key=lambda key: key.name):
        values = candidates[key]
        digest.update(f"\n{key.name}:{values.dtype}:{values.shape}\n".encode())
        digest.update(repr(values.tolist()).encode() if values.dtype == object else values.tobytes())
    return digest.hexdigest()


@attrs.frozen
class _RecordedSource(CandidateSource[Any, C]):
    recorded: str
    answer: Candidates[C]

    @property
    def name(self) -> str:
        return self.recorded

    def fetch(self, target: object) -> Candidates[C]:
        return self.answer


@attrs.frozen
class _RecordedHydrator(Wrapper, Hydrator[Any, C]):
    inner: Hydrator[Any, C]
    columns: Mapping[Column[Any, Any], object]

    @property
    def writes(self) -> tuple[Column[Any, Any], ...]:  # type: ignore[override] - computed
        return tuple(self.columns)

    def hydrate(self, target: object, candidates: Candidates[C]) -> Mapping[Column[Any, Any], object]:
        return self.columns


async def replay(
    flow: RecommendationFlow[T, C], capture: Capture[T, C], *, trace: bool = True
) -> RecommendationResult[C]:
    """Answer a captured request again: same flow, recorded sources and hydrators, no deadline, no side effects.

    Raises:
        ReplayError: the capture belongs to another flow.
    """
    if capture.flow != flow.name:
        raise ReplayError(f"expected a capture of flow {flow.name!r}, got one of {capture.flow!r}")
    sources = [_RecordedSource(name, answer) for name, answer in capture.sources]

    def recorded(_: T) -> list[_RecordedSource[C]]:
        return sources

    plan = attrs.evolve(
        flow.plan,
        update_target=None,
        additional=None,
        candidate_sources=recorded,
        hydrators=[
            [_RecordedHydrator(one, capture.hydrated.get(one.name, {})) for one in layer]
            for layer in flow.plan.hydrators
        ],
        side_effects=(),
        budgets_s={},
    )
    request = attrs.evolve(capture.target.request, deadline=None, debug=DebugOptions(trace=trace))
    target = attrs.evolve(capture.target, request=request)
    result, _ = await run_request(plan, target, FlowStats(StatsReceiver()))
    return result


async def verify(flow: RecommendationFlow[T, C], capture: Capture[T, C]) -> None:
    """Replay and compare.

    Raises:
        ReplayError: the answer differs; a capture cut short by a deadline differs too.
    """
    again = await replay(flow, capture)
    found = fingerprint(again.candidates)
    if found != capture.fingerprint:
        raise ReplayError(
            f"flow {flow.name!r}, request {capture.target.request.id!r}: expected {capture.fingerprint}, got "
            f"{found} with ids {again.candidates.ids[:10].tolist()}"
        )
