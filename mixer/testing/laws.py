"""The laws of each stage kind, checked for any stage in one call."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Generator, Sequence
from functools import partial
from typing import Any, TypeVar, cast

import anyio
import numpy as np
from hypothesis import given, reproduce_failure, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mixer.candidate_predicates import CandidatePredicate
from mixer.candidates import Candidates
from mixer.columns import Candidate, Column
from mixer.component import Component, resolved
from mixer.hydrators import Hydrator
from mixer.predicates import Predicate
from mixer.rankers import Ranker
from mixer.sources import CandidateSource
from mixer.transforms import Trait, Transform
from mixer.verdicts import PredicateResult, Verdicts

T = TypeVar("T")
AnyBatch = Candidates[Any]
Law = Callable[[Any, Any, AnyBatch], Awaitable[None]]


class LawError(AssertionError):
    """A stage broke a law of its kind."""

    def __init__(self, law: str, component: str, detail: str, batch: AnyBatch | None = None) -> None:
        self.law = law
        rows = "" if batch is None else f"\n  batch: {_shown(batch)}"
        super().__init__(f"{component} breaks the law {law!r}: {detail}{rows}")


def check_laws(
    stage: Component,
    *,
    target: Any,
    batches: st.SearchStrategy[AnyBatch] | None = None,
    examples: int | None = None,
    backend: str = "asyncio",
    scores: Sequence[Column[Any, Any]] = (),
    reproduce: tuple[str, bytes] | None = None,
) -> None:
    """Check every law of the stage's kind; call it from an ordinary, not async, test.

    Args:
        stage: a predicate, candidate predicate, source, hydrator, ranker or transform.
        target: what to ask for, or a hypothesis strategy of targets.
        batches: where batches come from, see :func:`mixer.testing.batches`; predicates on targets and sources need none.
        examples: how many to try; the hypothesis profile's number if None.
        backend: ``asyncio`` or ``trio``.
        scores: columns in which the stage must not leave NaN, whatever the batch holds.
        reproduce: the two arguments of the ``@reproduce_failure`` line of an earlier failure, to see it again.

    Raises:
        LawError: names the law, the component and the smallest batch that breaks it.
        TypeError: not a stage with laws, or batches are missing.
    """
    laws = [*laws_of(stage), *([partial(scores_are_numbers, scores=scores)] if scores else ())]
    needs_batches = not isinstance(stage, Predicate | CandidateSource)
    if needs_batches and batches is None:
        raise TypeError(f"{stage.name}: check_laws needs batches=... for a {type(stage).__name__}")
    targets: st.SearchStrategy[Any] = (
        cast("st.SearchStrategy[Any]", target) if isinstance(target, st.SearchStrategy) else st.just(target)
    )

    async def check(one: Any, batch: AnyBatch) -> None:
        for law in laws:
            await law(stage, one, batch)

    @given(targets, batches if batches is not None else st.just(None))
    def property_(one: Any, batch: Any) -> None:
        anyio.run(check, one, batch, backend=backend)

    # One failure at a time, so that it is a LawError and no group of errors.
    more: dict[str, Any] = {} if examples is None else {"max_examples": examples}
    chosen = settings(deadline=None, print_blob=True, report_multiple_bugs=False, **more)
    if reproduce is not None:
        property_ = reproduce_failure(*reproduce)(property_)
    chosen(property_)()


def laws_of(stage: Component) -> Sequence[Law]:
    """The laws for stages of this kind, each an async function ``(stage, target, batch)``."""
    for kind, laws in _LAWS.items():
        if isinstance(stage, kind):
            return laws
    raise TypeError(f"expected a stage that has laws, got {type(stage).__name__}")


# -- candidate predicates ----------------------------------------------------------------------------------


async def one_verdict_a_row(stage: CandidatePredicate[Any, Any], target: Any, batch: AnyBatch) -> None:
    """As many verdicts as rows, and a kept row has no reasons."""
    verdicts = await _unchanged(stage, batch, lambda: stage.check(target, batch))
    if not isinstance(verdicts, Verdicts):
        raise LawError(
            "one verdict a row", stage.name, f"expected Verdicts, got {type(verdicts).__name__}", batch
        )
    if len(verdicts) != len(batch):
        raise LawError(
            "one verdict a row", stage.name, f"{len(verdicts)} verdicts for {len(batch)} rows", batch
        )
    for row in verdicts.keep.nonzero()[0].tolist():
        if verdicts.reasons_of(row):
            raise LawError(
                "one verdict a row", stage.name, f"kept row {row} has {verdicts.reasons_of(row)}", batch
            )


async def batching_never_changes_an_answer(
    stage: CandidatePredicate[Any, Any], target: Any, batch: AnyBatch
) -> None:
    """Row by row, in halves and backwards, each row gets the verdict it gets in the whole batch."""
    whole = _by_row(await resolved(stage.check(target, batch)))
    middle = len(batch) // 2
    for order in (
        range(middle),
        range(middle, len(batch)),
        range(len(batch) - 1, -1, -1),
        range(min(1, len(batch))),
    ):
        part = _by_row(await resolved(stage.check(target, batch.take(order))))
        expected = [whole[row] for row in order]
        if part != expected:
            row = next(
                index for index, (one, two) in enumerate(zip(part, expected, strict=True)) if one != two
            )
            detail = f"row {order[row]} is {part[row]} among rows {list(order)}, {expected[row]} among all"
            raise LawError("batching never changes an answer", stage.name, detail, batch)


def _by_row(verdicts: Verdicts) -> list[tuple[bool, frozenset[str]]]:
    keep = verdicts.keep.tolist()
    return [(kept, frozenset(verdicts.reasons_of(row))) for row, kept in enumerate(keep)]


# -- hydrators ---------------------------------------------------------------------------------------------


async def exactly_the_declared_columns(stage: Hydrator[Any, Any], target: Any, batch: AnyBatch) -> None:
    """The declared columns, no more and no less, with a value a row that fits the column."""
    columns = await _unchanged(stage, batch, lambda: stage.hydrate(target, batch))
    if set(columns) != set(stage.writes):
        detail = f"declares {sorted(map(repr, stage.writes))}, returned {sorted(map(repr, columns))}"
        raise LawError("exactly the declared columns", stage.name, detail, batch)
    batch.with_columns(columns)


async def each_row_for_itself(stage: Hydrator[Any, Any], target: Any, batch: AnyBatch) -> None:
    """Backwards and alone, each row gets the values that it gets in the whole batch, up to rounding."""
    whole = await resolved(stage.hydrate(target, batch))
    for order in (range(len(batch) - 1, -1, -1), range(min(1, len(batch)))):
        part = await resolved(stage.hydrate(target, batch.take(order)))
        for key in whole:
            if not _alike(key.coerce(part[key]), key.coerce(whole[key])[list(order)]):
                detail = f"column {key!r} of a row depends on the other rows, or on their order"
                raise LawError("each row for itself", stage.name, detail, batch)


def _alike(one: NDArray[Any], two: NDArray[Any]) -> bool:
    if one.dtype.kind != "f":
        return one.tolist() == two.tolist()
    return np.allclose(one, two, rtol=1e-4, atol=1e-6, equal_nan=True)


# -- rankers and transforms --------------------------------------------------------------------------------


async def honours_its_traits(
    stage: Ranker[Any, Any] | Transform[Any, Any], target: Any, batch: AnyBatch
) -> None:
    """Rows are only annotated, reordered or dropped as the traits say; none is added or repeated."""
    law = "honours its traits"
    answer = await _unchanged(stage, batch, lambda: _ask(stage, target, batch))
    if not isinstance(answer, Candidates):
        raise LawError(law, stage.name, f"expected Candidates, got {type(answer).__name__}", batch)
    after = cast("AnyBatch", answer)
    if len(batch) and batch.provenance is not None and after.provenance is None and len(after):
        raise LawError(law, stage.name, "rows were built anew instead of derived from the batch", batch)
    before, rows = batch.handles.tolist(), after.handles.tolist()
    if batch.provenance is None:
        before, rows = batch.ids.tolist(), after.ids.tolist()
    if not _is_sub_multiset(rows, before):
        raise LawError(law, stage.name, "rows were added or repeated", batch)
    if Trait.DROPS not in stage.traits and len(rows) != len(before):
        raise LawError(
            law, stage.name, f"{len(before) - len(rows)} rows dropped without the DROPS trait", batch
        )
    if Trait.REORDERS not in stage.traits and not _is_subsequence(rows, before):
        raise LawError(law, stage.name, "rows reordered without the REORDERS trait", batch)
    if Trait.ANNOTATES not in stage.traits and len(rows) == len(set(rows)):
        where = [before.index(row) for row in rows]
        if not batch.take(where).equals(after):
            raise LawError(law, stage.name, "columns changed without the ANNOTATES trait", batch)


async def scores_are_numbers(
    stage: Component, target: Any, batch: AnyBatch, *, scores: Sequence[Column[Any, Any]]
) -> None:
    """No NaN in a score: it sorts anywhere, so that a single one spoils an order without an error."""
    answer = await _ask(stage, target, batch)
    for key in scores:
        if np.isnan(answer[key]).any():
            raise LawError("scores are numbers", stage.name, f"left NaN in column {key!r}", batch)


def _is_sub_multiset(part: list[int], whole: list[int]) -> bool:
    left = list(whole)
    try:
        for row in part:
            left.remove(row)
    except ValueError:
        return False
    return True


def _is_subsequence(part: list[int], whole: list[int]) -> bool:
    rest = iter(whole)
    return all(row in rest for row in part)


# -- sources and predicates --------------------------------------------------------------------------------


async def answers_with_candidates(
    stage: CandidateSource[Any, Any], target: Any, batch: AnyBatch | None
) -> None:
    """A batch, whose every column can be read."""
    found = await resolved(stage.fetch(target))
    if not isinstance(found, Candidates):  # pyright: ignore[reportUnnecessaryIsInstance] - users' code
        raise LawError("answers with candidates", stage.name, f"got {type(found).__name__}")
    for key in found.present:
        if len(found[key]) != len(found):
            raise LawError(
                "answers with candidates", stage.name, f"column {key!r} has {len(found[key])} rows"
            )
    if Candidate.source_score in found.present and np.isnan(found[Candidate.source_score]).any():
        raise LawError("answers with candidates", stage.name, "a source_score is NaN")


async def answers_with_a_result(stage: Predicate[Any], target: Any, batch: AnyBatch | None) -> None:
    """Valid without reasons, or invalid."""
    result = await resolved(stage.check(target))
    if not isinstance(result, PredicateResult):  # pyright: ignore[reportUnnecessaryIsInstance] - users' code
        raise LawError("answers with a result", stage.name, f"got {type(result).__name__}")
    if result.valid and result.reasons:
        raise LawError("answers with a result", stage.name, f"valid, yet for {sorted(result.reasons)}")


# -- all ---------------------------------------------------------------------------------------------------


async def same_request_same_answer(stage: Component, target: Any, batch: AnyBatch) -> None:
    """Asked twice, it answers the same: clock and randomness come from the request."""
    one, two = [_comparable(await _ask(stage, target, batch)) for _ in range(2)]
    if one != two:
        raise LawError("same request, same answer", stage.name, "two calls answered differently", batch)


MOST_WAITS = 100


async def lets_itself_be_cancelled(stage: Component, target: Any, batch: AnyBatch) -> None:
    """Cancelled while it waits, it ends at once instead of answering; deadlines rest on that."""
    answer = _asked(stage, target, batch)
    if not isinstance(answer, Awaitable):
        return
    waiting = _Counted(cast("Awaitable[Any]", answer), stage.name)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await waiting
    if waiting.waits and not scope.cancelled_caught:
        raise LawError(
            "lets itself be cancelled", stage.name, "was cancelled, and answered all the same", batch
        )


async def leaves_no_task_behind(stage: Component, target: Any, batch: AnyBatch) -> None:
    """When it has answered, every task that it started has ended."""
    before = {task.id for task in anyio.get_running_tasks()}
    await resolved(_asked(stage, target, batch))
    left = [task.name for task in anyio.get_running_tasks() if task.id not in before]
    if left:
        raise LawError(
            "leaves no task behind", stage.name, f"still running: {', '.join(map(str, left))}", batch
        )


class _GaveUp(BaseException):
    """Passes through stages that catch every Exception, and their own cancellation."""


class _Counted:
    """An awaitable that counts how often another one waits, and gives up on one that never ends."""

    def __init__(self, awaitable: Awaitable[Any], name: str) -> None:
        self.awaitable, self.name, self.waits = awaitable, name, 0

    def __await__(self) -> Generator[Any, Any, Any]:
        steps: Any = self.awaitable.__await__()
        go, argument = steps.send, None
        while True:
            try:
                waiting_for = go(argument)
            except StopIteration as done:
                return done.value
            except _GaveUp:
                said = f"waited {MOST_WAITS} times after it was cancelled"
                raise LawError("lets itself be cancelled", self.name, said) from None
            self.waits += 1
            if self.waits == MOST_WAITS:
                go, argument = steps.throw, _GaveUp()  # and not left behind, for it may be within scopes
                continue
            try:
                go, argument = steps.send, (yield waiting_for)
            except BaseException as error:  # noqa: BLE001 - passed on to whom it is meant for
                go, argument = steps.throw, error


async def _ask(stage: Component, target: Any, batch: AnyBatch) -> Any:
    answer = await resolved(_asked(stage, target, batch))
    return batch.with_columns(answer) if isinstance(stage, Hydrator) else answer


def _asked(stage: Component, target: Any, batch: AnyBatch) -> Any:
    return next(ask for kind, ask in _ASK.items() if isinstance(stage, kind))(stage, target, batch)


_ASK: dict[type[Component], Callable[[Any, Any, AnyBatch], Any]] = {
    CandidatePredicate: lambda stage, target, batch: stage.check(target, batch),
    Hydrator: lambda stage, target, batch: stage.hydrate(target, batch),
    Ranker: lambda stage, target, batch: stage.rank(target, batch),
    Transform: lambda stage, target, batch: stage.transform(target, batch),
    CandidateSource: lambda stage, target, batch: stage.fetch(target),
    Predicate: lambda stage, target, batch: stage.check(target),
}


def _comparable(answer: Any) -> Any:
    if isinstance(answer, Candidates):
        return [(key.name, _cells(answer[key])) for key in sorted(answer.present, key=repr)]
    return _by_row(answer) if isinstance(answer, Verdicts) else answer


def _cells(values: Any) -> Any:
    return values.tolist() if values.dtype == object else values.tobytes()


async def _unchanged(stage: Component, batch: AnyBatch, ask: Callable[[], Any]) -> Any:
    before = {key: copy.deepcopy(np.asarray(batch[key])) for key in batch.present}
    answer = await resolved(ask())
    for key, values in before.items():
        if _cells(values) != _cells(batch[key]):
            raise LawError("the input is not changed", stage.name, f"column {key!r} changed", batch)
    return answer


def _shown(batch: AnyBatch) -> str:
    columns = {key.name: batch[key].tolist() for key in batch.present}
    return f"{len(batch)} rows, {columns}"


_OF_ALL = (same_request_same_answer, lets_itself_be_cancelled, leaves_no_task_behind)
_LAWS: dict[type[Component], tuple[Any, ...]] = {
    CandidatePredicate: (one_verdict_a_row, batching_never_changes_an_answer, *_OF_ALL),
    Hydrator: (exactly_the_declared_columns, *_OF_ALL, each_row_for_itself),
    Ranker: (honours_its_traits, *_OF_ALL),
    Transform: (honours_its_traits, *_OF_ALL),
    CandidateSource: (answers_with_candidates, *_OF_ALL),
    Predicate: (answers_with_a_result, *_OF_ALL),
}


async def check_algebra(
    a: CandidatePredicate[Any, Any],
    b: CandidatePredicate[Any, Any],
    c: CandidatePredicate[Any, Any],
    target: Any,
    batch: AnyBatch,
) -> None:
    """The laws of the operators, on three predicates and a batch.

    Raises:
        LawError: names the law.
    """
    from mixer.candidate_predicates import DropAll, KeepAll, all_of, any_of

    async def keep(predicate: CandidatePredicate[Any, Any]) -> list[bool]:
        return (await resolved(predicate.check(target, batch))).keep.tolist()

    async def same(law: str, one: CandidatePredicate[Any, Any], two: CandidatePredicate[Any, Any]) -> None:
        if await keep(one) != await keep(two):
            raise LawError(law, f"{a.name}, {b.name}, {c.name}", "the two sides keep different rows", batch)

    await same("and_then is associative", a.and_then(b).and_then(c), a.and_then(b.and_then(c)))
    await same("or_ is associative", a.or_(b).or_(c), a.or_(b.or_(c)))
    await same("keeping all is the identity of and_then", a, KeepAll().and_then(a))
    await same("dropping all is the identity of or_", a, DropAll().or_(a))
    await same("dropping all absorbs and_then", DropAll(), a.and_then(DropAll()))
    await same("all_of keeps what and_then keeps", all_of(a, b, c), a.and_then(b).and_then(c))
    await same("any_of keeps what or_ keeps", any_of(a, b, c), a.or_(b).or_(c))
    await same("negating twice changes nothing", a, a.negate("x").negate("y"))
    await same("De Morgan", a.and_then(b).negate("x"), a.negate("x").or_(b.negate("x")))
    await same("a gate that keeps all changes nothing", a, a.gate(KeepAll()))
    await same("a gate that drops all keeps all", KeepAll(), a.gate(DropAll()))
