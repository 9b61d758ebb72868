"""Pages of a timeline: a bottom cursor leads on without repeats, a top cursor to what is new."""

from __future__ import annotations

from typing import Any

from components.stores.types import Paging, Viewer
from mixer import Candidates, Cursor, CursorCodec, CursorError, Direction

REMEMBERED = 350
"""Ids that a cursor carries: ten pages of 35."""


def paging_of(codec: CursorCodec | None, cursor: str | None) -> Paging:
    """What a request's cursor asks for; the first page without one.

    Raises:
        CursorError: the cursor is not one of ours, or nobody gave out any.
    """
    if cursor is None:
        return Paging()
    if codec is None:
        raise CursorError("a timeline of one page", "one")
    state = codec.decode(cursor).state
    return Paging(tuple(state.get("shown", ())), int(state.get("newer_than_ms", 0)))


def after(codec: CursorCodec, viewer: Viewer, results: Candidates[Any]) -> str | None:
    """Leads behind the last of these results; None when there are none."""
    if not len(results):
        return None
    shown = [*viewer.paging.shown, *results.ids.tolist()][-REMEMBERED:]
    state = {"shown": shown, "newer_than_ms": viewer.paging.newer_than_ms}
    return codec.encode(Cursor(Direction.BOTTOM, state))


def since(codec: CursorCodec, viewer: Viewer) -> str:
    """Leads to what is posted from this request on."""
    return codec.encode(Cursor(Direction.TOP, {"newer_than_ms": viewer.request.now_ms}))
