"""A clock that moves when a test says so."""

from __future__ import annotations

from typing import Any

from mixer.target import Request


class FakeClock:
    """Monotonic seconds that only :meth:`advance` moves; call it to read it.

    >>> clock = FakeClock()
    >>> clock.advance(2.5)
    >>> clock()
    2.5
    """

    def __init__(self, start_s: float = 0.0, epoch_ms: int = 1_700_000_000_000) -> None:
        self.seconds = start_s
        self.epoch_ms = epoch_ms

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        if seconds < 0:
            raise ValueError(f"expected seconds of at least 0, got {seconds}")
        self.seconds += seconds

    @property
    def now_ms(self) -> int:
        """Wall time in milliseconds: the epoch plus what has passed."""
        return self.epoch_ms + round(self.seconds * 1000)

    def request(self, **fields: Any) -> Request:
        """A request made now."""
        return Request(now_ms=self.now_ms, **fields)
