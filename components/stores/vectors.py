"""``RecentVectors``: where users and young posts are in a learned space, at the moment of a request."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import attrs
import numpy as np

from components.stores.stores import Stores
from components.stores.types import Viewer, setting
from components.units import HOUR_MS
from mixer.params import Param

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Encoder(Protocol):
    """Users and posts in one space; zeros are unknown, and nothing from ``at_ms`` on is looked at."""

    @property
    def name(self) -> str: ...

    def user_vectors(self, user_ids: NDArray[np.int64]) -> NDArray[np.float32]: ...

    def post_vectors(self, post_rows: NDArray[np.int64], at_ms: int) -> NDArray[np.float32]: ...


@attrs.frozen(eq=False)
class Shelf:
    """Vectors of some posts, in ascending order of their rows; unknown ones are left out."""

    rows: NDArray[np.int64]
    vectors: NDArray[np.float32]

    def products(self, rows: NDArray[np.int64], wanted: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(n,)`` inner products with a vector; NaN for posts that are not here."""
        products = np.full(len(rows), np.nan, dtype=np.float32)
        if len(self.rows):
            at = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
            here = np.flatnonzero(self.rows[at] == rows)
            products[here] = self.vectors[at[here]] @ wanted
        return products


class RecentVectors:
    """Vectors as of a request: those of all young posts are made once an hour, those of posts that came since, anew.

    So a post has a vector from the moment it exists, and no request looks into its future. What encoders know about
    users does not change from request to request, and is kept.

    Args:
        stores: where posts are.
        encoder: makes the vectors.
        max_age_h: of posts; older ones have no vector here.
        kept: how many hours' vectors are kept, the latest used.
        users: how many users' vectors are kept, likewise.
    """

    def __init__(
        self,
        stores: Stores,
        encoder: Encoder,
        max_age_h: float | Param[float] = 48.0,
        kept: int = 4,
        users: int = 10_000,
    ) -> None:
        self.stores = stores
        self.encoder = encoder
        self.max_age_h = max_age_h
        self._user = lru_cache(users)(lambda user: encoder.user_vectors(np.array([user]))[0])
        self._hour = lru_cache(kept)(self._made)
        self._now = lru_cache(kept)(self._made)
        self._lock = Lock()

    def wanted(self, viewer: Viewer) -> NDArray[np.float32]:
        """``(d,)`` where the viewer's posts are expected; zeros for who is unknown or wants nothing personal."""
        vector = self._user(viewer.user_id)
        return vector if viewer.controls.personalised else np.zeros_like(vector)

    def young(self, viewer: Viewer) -> tuple[Shelf, Shelf]:
        """Posts from before the hour of the request began, and those of the hour itself."""
        now_ms = viewer.history.now_ms
        hour_ms = now_ms - now_ms % HOUR_MS
        begin_ms = hour_ms - int(setting(viewer, self.max_age_h) * HOUR_MS)
        # Waiting requests want the vectors that are being made; made twice, they would only take longer.
        with self._lock:
            before = self._hour(begin_ms, hour_ms, hour_ms)
        return before, self._now(hour_ms, now_ms, now_ms)

    def products(self, viewer: Viewer, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """``(n,)`` inner products with the viewer's vector; NaN where one is unknown, and for older posts."""
        wanted = self.wanted(viewer)
        if not wanted.any():
            return np.full(len(rows), np.nan, dtype=np.float32)
        before, since = self.young(viewer)
        return np.fmax(before.products(rows, wanted), since.products(rows, wanted))

    def _made(self, begin_ms: int, end_ms: int, at_ms: int) -> Shelf:
        rows = np.sort(self.stores.posts.made_between(begin_ms, end_ms))
        vectors = self.encoder.post_vectors(rows, at_ms)
        known = vectors.any(axis=1)
        return Shelf(rows[known], np.ascontiguousarray(vectors[known]))
