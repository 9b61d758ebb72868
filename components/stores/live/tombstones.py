"""``Tombstones``: what was taken back, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_NEVER = np.iinfo(np.int64).min


class Tombstones:
    """The latest deletion of each key, so that an older record that comes afterwards stays out.

    Args:
        width: how many ids a key has.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._when: dict[tuple[int, ...], int] = {}

    def __len__(self) -> int:
        return len(self._when)

    def add(self, keys: list[NDArray[Any]], times: NDArray[np.int64]) -> None:
        """Remember deletions: a column for each id of a key, and when."""
        for *key, time in zip(*(column.tolist() for column in (*keys, times)), strict=True):
            self._when[tuple(key)] = max(time, self._when.get(tuple(key), _NEVER))

    def spare(self, keys: list[NDArray[Any]], times: NDArray[np.int64]) -> NDArray[np.bool_]:
        """``(n,)`` which records are newer than their deletion, or were never deleted."""
        if not self._when:
            return np.ones(len(times), dtype=np.bool_)
        rows = zip(*(column.tolist() for column in keys), strict=True)
        deleted = np.fromiter((self._when.get(key, _NEVER) for key in rows), np.int64, len(times))
        return times > deleted

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What :meth:`load_arrays` takes."""
        keys = np.array(list(self._when), dtype=np.int64).reshape(-1, self.width)
        return {"keys": keys, "times": np.fromiter(self._when.values(), np.int64, len(self._when))}

    def load_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what :meth:`arrays` told."""
        keys = map(tuple, arrays["keys"].tolist())
        self._when = dict(zip(keys, arrays["times"].tolist(), strict=True))
