"""Who we recommend for, and under which circumstances.

A stage is a function of a target and candidates. Everything else that may influence an answer (clock, random
numbers, parameters, time left) comes from the target's request, so that a request can be replayed.
"""

from __future__ import annotations

import itertools
import os
import time
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from mixer.params import DEFAULTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mixer.params import Params

_PROCESS = os.urandom(6).hex()
_COUNTER = itertools.count()


def _next_id() -> str:
    return f"{_PROCESS}-{next(_COUNTER):x}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@attrs.frozen
class DebugOptions:
    """What a developer may ask of one request.

    Args:
        trace: keep the story of every candidate, so that ``result.explain(id)`` can tell it.
        capture: record what sources and hydrators answered, so that the request can be replayed.
        skip_side_effects: leave no trace in stores; for dark reads and debugging.
        ignore_load: answer as at rest, and do not count as load; so that an evaluation does not depend on the machine.
    """

    trace: bool = False
    capture: bool = False
    skip_side_effects: bool = False
    ignore_load: bool = False


_NO_DEBUG = DebugOptions()


@attrs.frozen(slots=False)  # a third faster to make
class Request:
    """The circumstances of one request.

    Args:
        id: appears in logs, traces and answers.
        now_ms: the clock of the request, milliseconds since 1970; nothing reads another clock.
        seed: the root of every random choice.
        deadline: monotonic seconds (``time.monotonic``) after which only partial answers count; None for no limit.
        params: resolved parameters.
        debug: what a developer asked for.
        quality_factor: the load factor that the flow read when the request began, 1.0 at rest.
        cursor: where the previous page ended, as that page gave it; None for the first page.
    """

    id: str = attrs.field(factory=_next_id)
    now_ms: int = attrs.field(factory=_now_ms)
    seed: int = 0
    deadline: float | None = None
    params: Params = DEFAULTS
    debug: DebugOptions = _NO_DEBUG
    quality_factor: float = 1.0
    cursor: str | None = None

    @classmethod
    def within(cls, seconds: float, **fields: Any) -> Request:
        """A request that must be answered within ``seconds`` from now."""
        return cls(deadline=time.monotonic() + seconds, **fields)

    def time_left_s(self, clock: Callable[[], float] = time.monotonic) -> float:
        """Seconds until the deadline, never negative; infinite without one."""
        return np.inf if self.deadline is None else max(0.0, self.deadline - clock())

    def scaled(self, count: int, least_share: float = 0.3) -> int:
        """How many of ``count`` the load allows: its product with the quality factor, at least ``least_share`` of it.

        Never none where some are wanted: a factor of 0.95 at rest must not make 0 of 1.

        Source: FRS FirstNRanker, ``int(count * max(quality factor, 0.3))``, whose smallest count is 50.
        """
        return max(int(count * max(self.quality_factor, least_share)), min(count, 1))

    def rng(self, component: str) -> np.random.Generator:
        """A generator of its own for a component: same seed and name, same numbers."""
        return np.random.default_rng(self.seed_for(component))

    def seed_for(self, component: str) -> int:
        """A 64-bit seed derived from the request's seed and a component's name."""
        digest = blake2b(f"{self.seed}:{component}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big")


@attrs.frozen(slots=False)
class Target:
    """Base of what a flow recommends for; subclass it and add what your stages need to know."""

    request: Request = attrs.field(factory=Request, kw_only=True)

    def summary(self) -> Mapping[str, object]:
        """What identifies the target in a log line; override it to add a user id."""
        return {}
