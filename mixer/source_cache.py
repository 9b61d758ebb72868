"""A read-through cache with time-outs on request time and one fetch for concurrent misses."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from mixer.component import resolved
from mixer.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from mixer.component import MaybeAwaitable

V = TypeVar("V")


class SourceCache(Generic[V]):
    """Values by key, dropped ``ttl_s`` seconds after they were fetched, least recently used first.

    Time is the request's clock, so a replayed request finds what it found before only if the cache is warm;
    captures therefore record what the source answered, not what the cache held.
    """

    def __init__(self, ttl_s: float, max_size: int) -> None:
        if ttl_s <= 0 or max_size <= 0:
            raise ConfigurationError(
                "cache", [f"expected ttl_s and max_size above 0, got {ttl_s} and {max_size}"]
            )
        self.ttl_ms = ttl_s * 1000.0
        self.max_size = max_size
        self._values: OrderedDict[Hashable, tuple[float, V]] = OrderedDict()
        self._fetching: dict[Hashable, anyio.Event] = {}

    def __len__(self) -> int:
        return len(self._values)

    async def get(self, key: Hashable, now_ms: float, fetch: Callable[[], MaybeAwaitable[V]]) -> V:
        """The live value of ``key``, fetched if there is none. Failures are not cached."""
        while True:
            found = self._values.get(key)
            if found is not None and found[0] > now_ms:
                self._values.move_to_end(key)
                return found[1]
            busy = self._fetching.get(key)
            if busy is None:
                return await self._fetch(key, now_ms, fetch)
            await busy.wait()  # then look again: whoever fetched may have failed or been cancelled

    async def _fetch(self, key: Hashable, now_ms: float, fetch: Callable[[], MaybeAwaitable[V]]) -> V:
        done = self._fetching[key] = anyio.Event()
        try:
            value = await resolved(fetch())
            self._values[key] = (now_ms + self.ttl_ms, value)
            self._values.move_to_end(key)
            if len(self._values) > self.max_size:
                self._values.popitem(last=False)
            return value
        finally:
            del self._fetching[key]
            done.set()
