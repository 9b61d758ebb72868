"""Pages of a timeline: a bottom cursor leads on without repeats, a top cursor to what is new, a gap cursor to its rest."""

from __future__ import annotations

from typing import Any

import attrs

from components.stores.types import Paging, Viewer
from mixer import Candidates, Cursor, CursorCodec, CursorError, Direction
from products.for_you import params

REMEMBERED = 350
"""Ids that a cursor carries: ten pages of 35."""
NEWER = (Direction.TOP, Direction.GAP)


def paging_of(codec: CursorCodec | None, viewer: Viewer) -> Paging:
    """What a request's cursor asks for; the first page without one.

    Raises:
        CursorError: the cursor is not one of ours, or nobody gave out any.
    """
    text = viewer.request.cursor
    if text is None:
        pushed = viewer.paging.pushed if viewer.request.params[params.PUSHED] else None
        return Paging(() if pushed is None else (pushed,), refresh=viewer.paging.refresh, pushed=pushed)
    if codec is None:
        raise CursorError("a timeline of one page", "one")
    cursor = codec.decode(text)
    shown, newer_than_ms = cursor.state.get("shown", ()), cursor.state.get("newer_than_ms", 0)
    return attrs.evolve(
        viewer.paging,
        shown=tuple(shown),
        newer_than_ms=int(newer_than_ms),
        direction=cursor.direction,
        pushed=None,
    )


def after(codec: CursorCodec, viewer: Viewer, results: Candidates[Any]) -> str | None:
    """Leads behind the last of these results; None when there are none.

    What is left of what is new lies in a gap: between these results and the page that the viewer had before.
    """
    if not len(results):
        return None
    shown = [*viewer.paging.shown, *results.ids.tolist()][-REMEMBERED:]
    direction = Direction.GAP if viewer.paging.direction in NEWER else Direction.BOTTOM
    return codec.encode(Cursor(direction, {"shown": shown, "newer_than_ms": viewer.paging.newer_than_ms}))


def since(codec: CursorCodec, viewer: Viewer) -> str:
    """Leads to what is posted from this request on."""
    return codec.encode(Cursor(Direction.TOP, {"newer_than_ms": viewer.request.now_ms}))
