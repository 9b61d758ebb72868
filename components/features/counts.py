"""``EventCounts``: how much happened under a key before a moment, for many keys and moments at once."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray


@attrs.frozen(eq=False)
class Moments:
    """When events happened.

    Args:
        times: ``(t,)`` distinct moments, ascending.
        code: ``(e,)`` the place of each event's moment there.
    """

    times: NDArray[np.int64]
    code: NDArray[np.int64]

    @classmethod
    def of(cls, time_ms: ArrayLike) -> Moments:
        times, code = np.unique(np.asarray(time_ms, np.int64), return_inverse=True)
        return cls(times, code)

    @property
    def stride(self) -> int:
        """How far apart keys are in a number of key and moment."""
        return len(self.times) + 1


@attrs.frozen(eq=False)
class EventCounts:
    """Dated events by key, with running totals of what each event adds to every channel.

    "Before" is strict: an event at a moment is not known to a request at that moment.

    Args:
        keys: ``(k,)`` distinct keys, ascending.
        starts: ``(k + 1,)`` where the events of each key begin.
        times: ``(t,)`` distinct moments, ascending.
        clock: ``(e,)`` key and moment of every event in one ascending number.
        totals: ``(e + 1, channels)`` sums over the events before.
        payload: ``(e,)`` what else each event carries; empty where they carry nothing.
    """

    keys: NDArray[np.int64]
    starts: NDArray[np.int64]
    times: NDArray[np.int64]
    clock: NDArray[np.int64]
    totals: NDArray[np.int32]
    payload: NDArray[np.int64]

    @classmethod
    def build(
        cls, key: ArrayLike, time_ms: ArrayLike, adds: ArrayLike, payload: ArrayLike | None = None
    ) -> EventCounts:
        """Counts of events.

        Args:
            key: ``(e,)`` whole numbers.
            time_ms: ``(e,)``.
            adds: ``(e, channels)`` what an event adds to each channel.
            payload: ``(e,)``.
        """
        return cls.at(Moments.of(time_ms), key, adds, payload)

    @classmethod
    def at(
        cls, moments: Moments, key: ArrayLike, adds: ArrayLike, payload: ArrayLike | None = None
    ) -> EventCounts:
        """The same for moments that other counts share."""
        asked, added = np.asarray(key, np.int64), np.asarray(adds)
        fits = np.abs(asked).max(initial=0) < np.iinfo(np.int64).max // (2 * moments.stride)
        row = asked if fits else np.unique(asked, return_inverse=True)[1]
        # Of events of one key and moment only payloads have an order to keep; unstable sorts are several times as fast.
        order = np.argsort(row * moments.stride + moments.code, kind=None if payload is None else "stable")
        ordered = asked[order]
        begins = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
        starts = np.append(begins, len(ordered))
        row = np.repeat(np.arange(len(begins)), np.diff(starts))
        totals = np.zeros((len(added) + 1, added.shape[1]), np.int32)
        np.add.accumulate(np.take(added, order, axis=0), axis=0, dtype=np.int32, out=totals[1:])
        carried = np.zeros(0, np.int64) if payload is None else np.asarray(payload, np.int64)[order]
        clock = row * moments.stride + moments.code[order]
        return cls(ordered[begins], starts, moments.times, clock, totals, carried)

    def spans(
        self, key: NDArray[np.int64], before_ms: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """``(n,)`` first and behind-last position of the events of each key before each moment.

        Args:
            key: ``(n,)``; a key without events has an empty span.
            before_ms: ``(n,)``, or ``(1,)`` for one moment.
        """
        row, known = self._rows(key)
        starts = self.starts[row]
        return starts, np.where(known, self._positions(row, before_ms), starts)

    def _rows(self, key: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        if not len(self.keys):
            return np.zeros(len(key), np.int64), np.zeros(len(key), np.bool_)
        row = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        return row, self.keys[row] == key

    def _positions(self, row: NDArray[np.int64], moment_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        code = np.searchsorted(self.times, moment_ms)
        return np.searchsorted(self.clock, row * (len(self.times) + 1) + code)

    def counts(
        self, key: NDArray[np.int64], before_ms: NDArray[np.int64], window_ms: int | None = None
    ) -> NDArray[np.int32]:
        """``(n, channels)`` what the events of each key in the window before each moment added up to."""
        return self.windows(key, before_ms, (window_ms,))[0]

    def windows(
        self, key: NDArray[np.int64], before_ms: NDArray[np.int64], windows_ms: Sequence[int | None]
    ) -> list[NDArray[np.int32]]:
        """The same for several windows; None is all time."""
        row, known = self._rows(key)
        until = self.totals[self._positions(row, before_ms)]
        found = []
        for window_ms in windows_ms:
            ever = window_ms is None
            begins = self.starts[row] if ever else self._positions(row, before_ms - window_ms)
            found.append(np.where(known[:, None], until - self.totals[begins], 0))
        return found
