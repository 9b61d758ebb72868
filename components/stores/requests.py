"""``PeopleRequest``: a viewer to whom accounts are recommended, with all that must be known before a source is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs
import numpy as np

from components.stores.impressions import ImpressionStore
from components.stores.stores import BLOCK, DISMISSED, MUTE, History, Stores
from components.stores.types import Viewer
from components.units import DAY_MS
from mixer.component import Deferred, MaybeAwaitable
from mixer.concurrency import Failure, attempt, gather
from mixer.run import Cause

if TYPE_CHECKING:
    from numpy.typing import NDArray

V = TypeVar("V")
NOBODY: NDArray[np.int32] = np.zeros(0, dtype=np.int32)


@attrs.frozen
class PeopleRequest(Viewer):
    """Who accounts are recommended to; all but the first two fields are looked up by the flow.

    Rows are rows among users; None where they could not be looked up, which means nobody where a mistake is a
    nuisance, and possibly anybody where it would break a promise.

    Args:
        excluded: ids that the client does not want in the answer.
        recommended: ids that the client got before, such as on the pages before.
        followed: whom the viewer follows, wanted by sources or not.
        dismissed: whom the viewer did not want recommended.
        avoided: whom the viewer blocks or mutes.
        avoiding: who blocks or mutes the viewer.
        shown: ids that the viewer was shown lately, once an impression.
    """

    excluded: frozenset[int] = frozenset()
    recommended: frozenset[int] = frozenset()
    followed: NDArray[np.int32] | None = attrs.field(default=None, repr=False, eq=False)
    dismissed: NDArray[np.int32] | None = attrs.field(default=None, repr=False, eq=False)
    avoided: NDArray[np.int32] | None = attrs.field(default=None, repr=False, eq=False)
    avoiding: NDArray[np.int32] | None = attrs.field(default=None, repr=False, eq=False)
    shown: NDArray[np.int64] | None = attrs.field(default=None, repr=False, eq=False)


@attrs.frozen
class Lookup(Generic[V]):
    """One thing to find out about a viewer.

    Args:
        name: the field of the request, and the name in degradations.
        ask: ``(row, viewer)`` to the answer.
        effect: what a request does without it, in words.
    """

    name: str
    ask: Callable[[int, Viewer], MaybeAwaitable[V]]
    effect: str


@attrs.frozen
class RequestBuilder:
    """Looks everything up concurrently; what fails or takes too long is None in the request.

    Args:
        users: where the viewer is found.
        lookups: what to find out.
        within_s: time for each.

    Source: FRS PostNuxMlRequestBuilder: concurrent look-ups, 200 ms [80, 400], each rescued.
    """

    stores: Stores = attrs.field(repr=False)
    lookups: Sequence[Lookup[Any]]
    within_s: float = 0.2

    async def build(self, viewer: Viewer) -> PeopleRequest:
        """The request of a viewer, known or not."""
        row = self.stores.users.row_of(viewer.user_id)

        def look_up(one: Lookup[Any]) -> Any:
            try:
                answer = one.ask(row, viewer)
            except Exception as error:  # noqa: BLE001 - the declared policy: what fails is unknown
                return self._unknown(one, Failure(Cause.ERROR, error))
            if isinstance(answer, Awaitable):
                return Deferred(answer, lambda waiting: self._awaited(one, waiting, viewer))
            return answer  # at once, as from memory: not worth a task

        answers = await gather(look_up, self.lookups)
        found = dict(zip([one.name for one in self.lookups], answers, strict=True))
        return self._request(viewer, row, found)

    async def _awaited(self, one: Lookup[Any], answer: Awaitable[Any], viewer: Viewer) -> Any:
        # At most half of what is left, so that there can still be an answer.
        within_s = min(self.within_s, viewer.request.time_left_s() / 2)
        found = await attempt(lambda: answer, viewer, within_s)
        return self._unknown(one, found) if isinstance(found, Failure) else found

    @staticmethod
    def _unknown(one: Lookup[Any], failure: Failure) -> None:
        failure.report(f"request/{one.name}", one.effect)

    def _request(self, viewer: Viewer, row: int, found: Mapping[str, Any]) -> PeopleRequest:
        wanted = found.get("followed") if viewer.controls.personalised else None
        known = History(
            self.stores,
            row,
            viewer.request.now_ms,
            follows=NOBODY if wanted is None else wanted,
            engaged=NOBODY,
            blocked_by=NOBODY,
        )
        if not isinstance(viewer, PeopleRequest):
            fields = [field.name for field in attrs.fields(Viewer)]
            viewer = PeopleRequest(**{name: getattr(viewer, name) for name in fields})
        return attrs.evolve(viewer, known=known, **found)


def people_lookups(
    stores: Stores, impressions: ImpressionStore, dismissed_days: float = 180.0
) -> tuple[Lookup[Any], ...]:
    """What follow recommendations must know of a viewer.

    Args:
        stores: where follows and decisions are.
        impressions: what was shown.
        dismissed_days: how long a dismissal counts; one without a date counts forever.

    Source: FRS: dismissals of 180 days.
    """

    def followed(row: int, viewer: Viewer) -> NDArray[np.int32]:
        return stores.follows.of(row, viewer.request.now_ms)

    def dismissed(row: int, viewer: Viewer) -> NDArray[np.int32]:
        now_ms, graph = viewer.request.now_ms, stores.decisions[DISMISSED]
        times = graph.times_of(row, now_ms)
        return graph.of(row, now_ms)[(times >= now_ms - int(dismissed_days * DAY_MS)) | (times == 0)]

    def avoided(row: int, viewer: Viewer) -> NDArray[np.int32]:
        kinds = (stores.decisions[BLOCK], stores.decisions[MUTE])
        return np.concatenate([one.of(row, viewer.request.now_ms) for one in kinds])

    def avoiding(row: int, viewer: Viewer) -> NDArray[np.int32]:
        kinds = (stores.decisions[BLOCK].reverse, stores.decisions[MUTE].reverse)
        return np.concatenate([one.of(row, viewer.request.now_ms) for one in kinds])

    def shown(row: int, viewer: Viewer) -> NDArray[np.int64]:
        return impressions.shown(viewer.user_id, viewer.request.now_ms)

    return (
        Lookup("followed", followed, "as if the viewer followed nobody"),
        Lookup("dismissed", dismissed, "dismissed accounts may be among the answer"),
        Lookup("avoided", avoided, "no account is known to be safe to show"),
        Lookup("avoiding", avoiding, "no account is known to be safe to show"),
        Lookup("shown", shown, "as if nothing had been shown before"),
    )
