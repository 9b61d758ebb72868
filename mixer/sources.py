"""Candidate sources: where candidates come from.

Source of the semantics: FRS ``EnrichedCandidateSource`` and the reusable bases beside it. ``gate`` works here
(it was declared and never implemented there), and every swallowed failure marks the result as degraded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from mixer.candidates import Candidates
from mixer.columns import Candidate
from mixer.component import Component, MaybeAwaitable, Wrapper, function_name, resolved
from mixer.concurrency import Failure, attempt, gather
from mixer.errors import ConfigurationError
from mixer.run import observing
from mixer.source_cache import SourceCache
from mixer.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from mixer.predicates import Predicate

T = TypeVar("T")
T2 = TypeVar("T2")
C = TypeVar("C", bound=Candidate)
C2 = TypeVar("C2", bound=Candidate)
T_contra = TypeVar("T_contra", contravariant=True)
C_co = TypeVar("C_co", bound=Candidate, covariant=True)


class CandidateSource(Component, Generic[T_contra, C_co]):
    """Answers with candidates for a target, best first. Exceptions propagate unless a policy is declared.

    A source may fill ``Candidate.source_score``; the flow stamps where each row came from.
    """

    __slots__ = ()

    def fetch(self, target: T_contra) -> MaybeAwaitable[Candidates[C_co]]:
        """The candidates of this source, in its own order."""
        raise NotImplementedError

    def named(self, name: str) -> CandidateSource[T_contra, C_co]:
        """The same source under another name."""
        return _Named(self, name)

    def map_target(self, function: Callable[[T2], T_contra]) -> CandidateSource[T2, C_co]:
        """A source for something from which the target can be computed."""
        return _MapTargets(self, lambda target: (function(target),))

    def map_targets(self, function: Callable[[T2], Sequence[T_contra]]) -> CandidateSource[T2, C_co]:
        """Fetch concurrently for several computed targets (none: empty) and concatenate in their order."""
        return _MapTargets(self, function)

    def map_candidates(
        self, function: Callable[[Candidates[C_co]], MaybeAwaitable[Candidates[C2]]]
    ) -> CandidateSource[T_contra, C2]:
        """A source whose answer is computed from this one's."""
        return _MapCandidates(self, function)

    def gate(self, gate: Predicate[T_contra]) -> CandidateSource[T_contra, C_co]:
        """Empty, without asking, unless ``gate`` is valid."""
        return _Gate(self, gate)

    def within(self, seconds: float) -> CandidateSource[T_contra, C_co]:
        """Empty and degraded if no answer comes in time; other failures propagate."""
        return _Guarded(self, seconds, errors=False)

    def fail_open(self, *, within_s: float | None = None) -> CandidateSource[T_contra, C_co]:
        """Empty and degraded if this source raises or, with ``within_s``, takes too long."""
        return _Guarded(self, within_s, errors=True)

    def fallback(self, other: CandidateSource[T_contra, C_co]) -> CandidateSource[T_contra, C_co]:
        """``other`` when this source raises or answers nothing; a failure still marks the result degraded."""
        return _Fallback(self, other)

    def limit(self, count: int, *, least_share: float = 1.0) -> CandidateSource[T_contra, C_co]:
        """At most the first ``count`` rows; with a ``least_share`` below 1, fewer under load.

        Under load means a quality factor below 1: then ``count`` times that factor, at least ``least_share`` of it.
        """
        return _Limit(self, count, least_share)

    def threshold(self, at_least: int, *, keep: bool = True) -> CandidateSource[T_contra, C_co]:
        """All rows if there are at least ``at_least``, else none; ``keep=False`` discards them even then.

        A clean experiment: both arms call the source and only users for whom it had enough are told apart.
        Source: FRS ExperimentalCandidateSource.
        """
        return _Threshold(self, at_least, keep)

    def cached(
        self, key: Callable[[T_contra], Hashable], *, ttl_s: float, max_size: int = 10_000
    ) -> CandidateSource[T_contra, C_co]:
        """Answers by ``key`` for ``ttl_s`` seconds of request time; concurrent misses on a key fetch once."""
        return _Cached(self, key, SourceCache(ttl_s, max_size))

    def observe(self, scope: str) -> CandidateSource[T_contra, C_co]:
        """Time this source, and count its rows, into the stats scope ``scope``."""
        return _Observe(self, scope)


@attrs.frozen
class _Wrapper(Wrapper, CandidateSource[T, C]):
    """A source around another that keeps its name."""

    inner: CandidateSource[T, C]


@attrs.frozen
class _Named(CandidateSource[T, C]):
    inner: CandidateSource[T, C]
    new_name: str

    @property
    def name(self) -> str:
        return self.new_name

    def fetch(self, target: T) -> MaybeAwaitable[Candidates[C]]:
        return self.inner.fetch(target)


@attrs.frozen
class _MapTargets(Wrapper, CandidateSource[T2, C], Generic[T, T2, C]):
    inner: CandidateSource[T, C]
    function: Callable[[T2], Sequence[T]]

    async def fetch(self, target: T2) -> Candidates[C]:
        parts = await gather(self.inner.fetch, self.function(target))
        return Candidates.concat(parts) if parts else Candidates.empty(Candidate)  # type: ignore[return-value]


@attrs.frozen
class _MapCandidates(Wrapper, CandidateSource[T, C2], Generic[T, C, C2]):
    inner: CandidateSource[T, C]
    function: Callable[[Candidates[C]], MaybeAwaitable[Candidates[C2]]]

    async def fetch(self, target: T) -> Candidates[C2]:
        return await resolved(self.function(await resolved(self.inner.fetch(target))))


@attrs.frozen
class _Gate(_Wrapper[T, C]):
    gate_: Predicate[T]

    async def fetch(self, target: T) -> Candidates[C]:
        if (await resolved(self.gate_.check(target))).valid:
            return await resolved(self.inner.fetch(target))
        return _nothing()


@attrs.frozen
class _Guarded(_Wrapper[T, C]):
    within_s: float | None
    errors: bool = attrs.field(kw_only=True)

    async def fetch(self, target: T) -> Candidates[C]:
        answer = await attempt(lambda: self.inner.fetch(target), target, self.within_s, errors=self.errors)
        if not isinstance(answer, Failure):
            return answer
        answer.report(self.name, "no candidates from this source")
        return _nothing()


@attrs.frozen
class _Fallback(_Wrapper[T, C]):
    other: CandidateSource[T, C]

    async def fetch(self, target: T) -> Candidates[C]:
        answer = await attempt(lambda: self.inner.fetch(target), target, None)
        if isinstance(answer, Failure):
            answer.report(self.name, f"{self.other.name} instead")
        elif len(answer):
            return answer
        return await resolved(self.other.fetch(target))


@attrs.frozen
class _Limit(_Wrapper[T, C]):
    count: int = attrs.field(validator=attrs.validators.ge(0))
    least_share: float = attrs.field(validator=[attrs.validators.ge(0.0), attrs.validators.le(1.0)])

    async def fetch(self, target: T) -> Candidates[C]:
        found = await resolved(self.inner.fetch(target))
        if self.least_share == 1.0 or not isinstance(target, Target):
            return found.head(self.count)
        return found.head(target.request.scaled(self.count, self.least_share))


@attrs.frozen
class _Threshold(_Wrapper[T, C]):
    at_least: int
    keep: bool

    async def fetch(self, target: T) -> Candidates[C]:
        found = await resolved(self.inner.fetch(target))
        return found if self.keep and len(found) >= self.at_least else found.head(0)


@attrs.frozen
class _Cached(_Wrapper[T, C]):
    key: Callable[[T], Hashable]
    cache: SourceCache[Candidates[C]]

    async def fetch(self, target: T) -> Candidates[C]:
        now_ms: int = getattr(target, "request").now_ms  # noqa: B009 - T is any Target
        return await self.cache.get(self.key(target), now_ms, lambda: self.inner.fetch(target))


@attrs.frozen
class _Observe(_Wrapper[T, C]):
    scope: str

    async def fetch(self, target: T) -> Candidates[C]:
        with observing(self.scope) as observation:
            found = await resolved(self.inner.fetch(target))
            observation.rows = len(found)
            return found


def _nothing() -> Candidates[Any]:
    return Candidates.empty(Candidate)


@attrs.frozen
class _Lifted(CandidateSource[T, C]):
    function: Callable[[T], MaybeAwaitable[Candidates[C]]]

    @property
    def name(self) -> str:
        return function_name(self.function)

    def fetch(self, target: T) -> MaybeAwaitable[Candidates[C]]:
        return self.function(target)


def candidate_source(function: Callable[[T], MaybeAwaitable[Candidates[C]]]) -> CandidateSource[T, C]:
    """Lift a sync or async function ``target -> Candidates`` to a source named after it."""
    return _Lifted(function)


class SourceRegistry(Component, Generic[T, C]):
    """Sources by name, in declared order.

    Raises:
        ConfigurationError: when built, if two sources share a name.
    """

    __slots__ = ("_sources",)

    def __init__(self, sources: Sequence[CandidateSource[T, C]]) -> None:
        names = [source.name for source in sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigurationError("source registry", [f"duplicate source name {name!r}" for name in twice])
        self._sources = dict(zip(names, sources, strict=True))

    def __len__(self) -> int:
        return len(self._sources)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in declared order."""
        return tuple(self._sources)

    def children(self) -> Iterator[Component]:
        yield from self._sources.values()

    def all(self) -> list[CandidateSource[T, C]]:
        """All sources in declared order."""
        return list(self._sources.values())

    def select(self, names: Sequence[str]) -> list[CandidateSource[T, C]]:
        """The named sources, in declared (not in the asked) order.

        Raises:
            ConfigurationError: a name is unknown.
        """
        unknown = sorted(set(names) - set(self._sources))
        if unknown:
            known = ", ".join(self._sources)
            raise ConfigurationError(
                "source registry", [f"unknown source {n!r}; known: {known}" for n in unknown]
            )
        wanted = set(names)
        return [source for name, source in self._sources.items() if name in wanted]
