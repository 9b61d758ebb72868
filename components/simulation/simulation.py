"""``Simulation``: days on which people come, are served, react, and are changed by what they saw."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
import attrs
import numpy as np
from numpy.typing import NDArray

from components.datasets.dataset import Dataset
from components.datasets.schema import EVENTS
from components.datasets.table import Table
from components.datasets.world import DAY_MS, HOUR_MS, HOURLY, World
from components.simulation.behaviour import Behaviour
from components.simulation.day import Sessions, SimulatedDay
from components.simulation.people import People, Reaction, Slates

Recommender = Callable[[int, int, int], Awaitable[Sequence[int]]]
"""``(viewer_id, now_ms, seed)`` to post ids, best first."""
Served = tuple[Sequence[int], Sequence[int]]
"""A slate, and the number of the recommender that each of its posts came from."""
Serve = Callable[[int, int, int], Awaitable[Served]]


class Simulation:
    """A closed loop over a world: the same seed, behaviour and recommenders give the same days, bit for bit.

    The events and follows of the world count until the simulation starts; from then on there are the simulated ones.
    Its posts appear when the world says; after its last day nothing new is written. People of all recommenders
    under comparison live in one world, though nobody's slate depends on what others saw unless a recommender makes
    it so.

    Args:
        world: whose truth decides.
        behaviour: how people behave.
        seed: of everything that is left to chance.
        start_ms: a moment; by default the middle of the world's days.
    """

    def __init__(
        self, world: World, behaviour: Behaviour | None = None, seed: int = 0, start_ms: int | None = None
    ) -> None:
        self.world = world
        self.behaviour = behaviour or Behaviour()
        self.seed = seed
        self.start_ms = _middle(world) if start_ms is None else start_ms
        self.people = People(world, self.behaviour, self.start_ms)
        self.days: list[SimulatedDay] = []
        self._created_ms = world.dataset.posts["created_ms"]

    @property
    def now_ms(self) -> int:
        """When the next day begins."""
        return self.start_ms + len(self.days) * DAY_MS

    def seen(self, viewer_id: int) -> NDArray[np.int64]:
        """Ids of posts that a viewer has looked at since the start, as a client tells its server."""
        row = int(np.searchsorted(self.world.truth.user_id, viewer_id))
        return self.world.truth.post_id[self.people.seen_by(row)]

    def dataset(self) -> Dataset:
        """Everything known by now: the world before the start, its posts, and what was simulated."""
        tables = dict(self.world.dataset.tables)
        for name in (*EVENTS, "follows"):
            clock = "created_ms" if name == "follows" else "time_ms"
            tables[name] = tables[name].between(clock, np.iinfo(np.int64).min, self.start_ms)
        simulated = [day.tables() for day in self.days]
        for name in ("impressions", "engagements", "follows"):
            tables[name] = Table.concat([tables[name], *(day[name] for day in simulated)])
        name = f"{self.world.dataset.name}-simulated"
        return Dataset(name, tables, self.now_ms, checked=True).as_of(self.now_ms)

    async def run_day(self, serve: Serve) -> SimulatedDay:
        """Live through a day, hour by hour.

        Raises:
            ValueError: a slate holds a post twice, or one that does not exist yet.
        """
        rng = np.random.default_rng([self.seed, len(self.days), 4])
        viewer, time_ms = self._visits(rng)
        hour = (time_ms - self.now_ms) // HOUR_MS
        parts: list[tuple[Slates, Reaction, NDArray[np.int64]]] = []
        for one in np.unique(hour):
            begin, end = np.searchsorted(hour, [one, one + 1])
            seeds = rng.integers(0, 2**63, end - begin)
            served = await self._serve(serve, viewer[begin:end], time_ms[begin:end], seeds)
            slates, team = self._slates(served, viewer, time_ms, int(begin))
            reaction = self.people.react(slates, rng)
            pleasure = np.bincount(slates.session - begin, reaction.engaged, int(end - begin)).astype(
                np.float64
            )
            self.people.please(viewer[begin:end], pleasure)
            parts.append((slates, reaction, team))
        day = self._day(parts, viewer, time_ms)
        self.people.sleep()
        self.days.append(day)
        return day

    def _visits(self, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row and time of every session of the day, in order of time; one a person and hour at most."""
        coming = self.people.coming(rng).nonzero()[0]
        count = 1 + rng.poisson(self.behaviour.visits.sessions - 1.0, len(coming))
        hour = rng.choice(24, int(count.sum()), p=HOURLY / HOURLY.sum())
        viewer, hour = np.divmod(np.unique(np.repeat(coming, count) * 24 + hour), 24)
        time_ms = self.now_ms + hour * HOUR_MS + rng.integers(0, HOUR_MS, len(viewer))
        order = np.argsort(time_ms, kind="stable")
        return viewer[order], time_ms[order]

    async def _serve(
        self,
        serve: Serve,
        viewer: NDArray[np.int64],
        time_ms: NDArray[np.int64],
        seeds: NDArray[np.int64],
    ) -> list[Served]:
        answers: list[Served] = [((), ())] * len(viewer)
        limiter = anyio.CapacityLimiter(self.behaviour.concurrency)
        ids = self.world.truth.user_id[viewer]

        async def ask(at: int) -> None:
            async with limiter:
                answers[at] = await serve(int(ids[at]), int(time_ms[at]), int(seeds[at]))

        async with anyio.create_task_group() as group:
            for at in range(len(viewer)):
                group.start_soon(ask, at)
        return answers

    def _slates(
        self, served: list[Served], viewer: NDArray[np.int64], time_ms: NDArray[np.int64], first: int
    ) -> tuple[Slates, NDArray[np.int64]]:
        limit = self.behaviour.visits.slate
        length = np.array([min(limit, len(ids)) for ids, _ in served], np.int64)
        session = first + np.repeat(np.arange(len(served)), length)
        ids = np.array([one for ids, _ in served for one in ids[:limit]], np.int64)
        team = np.array([one for _, teams in served for one in teams[:limit]], np.int64)
        position = np.arange(len(ids)) - np.repeat(np.cumsum(length) - length, length)
        slates = Slates(session, viewer[session], self._post_rows(ids), position, time_ms[session])
        self._check(slates)
        return slates, team

    def _post_rows(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        known = self.world.truth.post_id
        rows = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        strange = known[rows] != ids
        if strange.any():
            raise ValueError(f"slate: expected ids of the world's posts, got {ids[strange][0]}")
        return rows

    def _check(self, slates: Slates) -> None:
        early = (self._created_ms[slates.post] > slates.time_ms).nonzero()[0]
        if len(early):
            post, time_ms = self.world.truth.post_id[slates.post[early[0]]], slates.time_ms[early[0]]
            raise ValueError(f"slate: expected posts that exist at {time_ms}, got {post}, which is newer")
        _, first = np.unique(slates.session * len(self._created_ms) + slates.post, return_index=True)
        if len(first) < len(slates.post):
            twice = np.setdiff1d(np.arange(len(slates.post)), first)[0]
            post = self.world.truth.post_id[slates.post[twice]]
            raise ValueError(f"slate: expected each post once, got {post} twice")

    def _day(
        self,
        parts: list[tuple[Slates, Reaction, NDArray[np.int64]]],
        viewer: NDArray[np.int64],
        time_ms: NDArray[np.int64],
    ) -> SimulatedDay:
        nothing = np.zeros(0, np.int64)
        if not parts:
            empty = Slates(nothing, nothing, nothing, nothing, nothing)
            parts = [(empty, self.people.react(empty, np.random.default_rng(0)), nothing)]
        slates = Slates(*_stacked([attrs.astuple(part[0], recurse=False) for part in parts]))
        reaction = Reaction(*_stacked([attrs.astuple(part[1], recurse=False) for part in parts]))
        team = np.concatenate([part[2] for part in parts])
        shown = np.bincount(slates.session, minlength=len(viewer))
        sessions = Sessions(viewer, time_ms, shown)
        return SimulatedDay(len(self.days), sessions, slates, reaction, team, self.world.truth)


def _stacked(rows: list[tuple[NDArray[Any], ...]]) -> list[NDArray[Any]]:
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


def _middle(world: World) -> int:
    first = int(world.dataset.posts["created_ms"].min()) // DAY_MS * DAY_MS
    return first + (world.dataset.now_ms - first) // DAY_MS // 2 * DAY_MS
