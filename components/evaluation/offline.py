"""Runs a recommender over logged users: bounded, resumable, the same numbers every time."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Generic, Literal, TypeVar

import anyio
import attrs
import numpy as np
from anyio import to_thread
from anyio.lowlevel import checkpoint
from numpy.typing import NDArray

from components.evaluation import _checks
from components.evaluation.errors import InvalidInputError, require
from components.evaluation.journal import Journal, Served
from components.evaluation.judged import Judged, judge_lists

__all__ = ["OfflineResult", "OfflineRun", "user_seed"]

T = TypeVar("T")


@attrs.frozen
class OfflineResult:
    """Everyone's list, in the order in which users were given.

    `resumed` is how many came from an earlier run's file, `path` that file (None when nothing was kept).
    """

    served: tuple[Served, ...]
    resumed: int = 0
    path: Path | None = None

    @property
    def failures(self) -> tuple[Served, ...]:
        """Users whose request raised, with the error; their lists are empty."""
        return tuple(one for one in self.served if one.error)

    @property
    def elapsed_ms(self) -> NDArray[np.float64]:
        """Time of each request, shape (U,)."""
        return np.array([one.elapsed_ms for one in self.served])

    def judge(self, relevant: Mapping[int, Iterable[int] | Mapping[int, float]]) -> Judged:
        """Joins the lists with `{user: {item, ...}}` or `{user: {item: gain}}`; other users are ignored."""
        lists = {one.user: one.ids for one in self.served}
        return judge_lists(lists, {user: items for user, items in relevant.items() if user in lists})


@attrs.frozen
class OfflineRun(Generic[T]):
    """How to run a recommender over logged users.

    Args:
        recommend: the system: a target in, item ids out, best first.
        target_for: makes the target from a user id and that user's seed; called just before the request.
        config: what identifies the system and its settings; with the seed it names the results file.
        seed: from which every user's seed derives.
        concurrency: how many requests run at once.
        on_error: "raise" stops at the first failing request (finished users are kept); "record" notes the
            error, counts the user's list as empty and tries that user again on the next start.
    """

    recommend: Callable[[T], Awaitable[Sequence[int] | NDArray[np.int64]]]
    target_for: Callable[[int, int], T]
    config: Mapping[str, object] = attrs.field(factory=dict)
    seed: int = attrs.field(default=0, converter=lambda n: _checks.at_least(n, 0, "seed"))
    concurrency: int = attrs.field(default=8, converter=lambda n: _checks.at_least(n, 1, "concurrency"))
    on_error: Literal["raise", "record"] = attrs.field(
        default="raise", validator=attrs.validators.in_(("raise", "record"))
    )

    async def run(
        self,
        users: Sequence[int],
        folder: Path | None = None,
        *,
        batch: int = 64,
        progress: bool | None = None,
    ) -> OfflineResult:
        """Serves every user once.

        Args:
            users: distinct user ids.
            folder: where results are kept; a restart with the same config and seed skips finished users. None
                keeps nothing.
            batch: how many finished users are written at once.
            progress: whether to draw a bar on stderr; None draws one on a terminal with rich installed.

        Raises:
            InvalidInputError: a user comes twice, or the system returned something other than integer ids.
            JournalError: the results file cannot be continued.
            Exception: whatever the system raised, with a note naming the user, unless `on_error` is "record".
        """
        ids = _distinct(users)
        journal = Journal.open(folder, {"config": dict(self.config), "seed": self.seed}) if folder else None
        kept = journal.served if journal else {}
        done = {user: kept[user] for user in ids if user in kept and not kept[user].error}
        resumed = len(done)
        buffer = _Buffer(journal, _checks.at_least(batch, 1, "batch"))
        with _bar(len(ids), resumed, progress) as advance, buffer.kept_on_exit():
            await self._serve_all(iter([user for user in ids if user not in done]), done, buffer, advance)
        return OfflineResult(tuple(done[user] for user in ids), resumed, journal.path if journal else None)

    async def _serve_all(
        self, pending: Iterator[int], done: dict[int, Served], buffer: _Buffer, advance: Callable[[], None]
    ) -> None:
        async def worker() -> None:
            # Workers share one iterator, so a slow user never holds up a batch.
            for user in pending:
                done[user] = await self._serve(user)
                await buffer.add(done[user])
                advance()
                # A recommender that never waits still leaves room for others and for cancellation.
                await checkpoint()

        try:
            async with anyio.create_task_group() as group:
                for _ in range(self.concurrency):
                    group.start_soon(worker)
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _serve(self, user: int) -> Served:
        target = self.target_for(user, user_seed(self.seed, user))
        started_s = _now_s()
        try:
            ids = await self.recommend(target)
        except Exception as error:
            # Declared policy: see on_error.
            if self.on_error == "raise":
                error.add_note(f"while serving user {user}")
                raise
            return Served(user, (), _since(started_s), f"{type(error).__name__}: {error}")
        return Served(user, _checks.ids(ids, f"ids for user {user}").tolist(), _since(started_s))


@attrs.define
class _Buffer:
    """Finished users on their way to the file."""

    journal: Journal | None
    size: int
    waiting: list[Served] = attrs.field(factory=list)

    async def add(self, served: Served) -> None:
        self.waiting.append(served)
        if self.journal and len(self.waiting) >= self.size:
            full, self.waiting = self.waiting, []
            # Shielded: what is finished is kept, even if the run is cancelled in this moment.
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(self.journal.append, full)

    @contextmanager
    def kept_on_exit(self) -> Iterator[None]:
        try:
            yield
        finally:
            if self.journal and self.waiting:
                self.journal.append(self.waiting)


def user_seed(seed: int, user: int) -> int:
    """A seed in [0, 2^63) for one user, independent of who else is served and in what order."""
    sequence = np.random.SeedSequence(seed, spawn_key=(user % 2**64,))
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


def _now_s() -> float:
    return anyio.current_time()


def _since(started_s: float) -> float:
    return (_now_s() - started_s) * 1000.0


def _distinct(users: Sequence[int]) -> list[int]:
    ids = _checks.ids(users, "users")
    known, count = np.unique(ids, return_counts=True)
    if (count > 1).any():
        raise InvalidInputError(f"users: expected distinct ids, got {known[np.argmax(count > 1)]} twice")
    return ids.tolist()


@contextmanager
def _bar(total: int, finished: int, wanted: bool | None) -> Iterator[Callable[[], None]]:
    if wanted is None:
        wanted = sys.stderr.isatty() and find_spec("rich") is not None
    if not wanted:
        yield lambda: None
        return
    console = require("rich.console", "a progress bar").Console(stderr=True)
    with require("rich.progress", "a progress bar").Progress(console=console) as bar:
        task = bar.add_task("serving users", total=total, completed=finished)
        yield lambda: bar.advance(task)
