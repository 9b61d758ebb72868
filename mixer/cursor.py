"""Signed page cursors: where a page ended, in a string that clients can keep but not change."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

import attrs

from mixer.errors import CursorError
from mixer.signing import Signer

if TYPE_CHECKING:
    from collections.abc import Mapping


class Direction(Enum):
    """Which way a cursor leads."""

    TOP = "top"
    """To what is newer than the first page."""
    BOTTOM = "bottom"
    """To what comes after the last page."""
    GAP = "gap"
    """To what lies between two pages."""


@attrs.frozen
class Cursor:
    """Where to go on.

    Args:
        direction: which way.
        state: what the product needs to know; whatever JSON can say.
    """

    direction: Direction
    state: Mapping[str, Any] = attrs.field(factory=dict[str, Any])


@attrs.frozen
class CursorCodec(Signer):
    """Writes and reads the cursors of one product.

    A cursor is readable by anybody who holds it, so no secrets belong in it; but it cannot be changed, moved to
    another product, or outlive a change of ``version``, which is raised when the meaning of ``state`` changes.

    >>> codec = CursorCodec(b"sixteen or more!", "timeline")
    >>> codec.decode(codec.encode(Cursor(Direction.BOTTOM, {"served": [3]}))).state
    {'served': [3]}
    """

    what = "cursor"

    def encode(self, cursor: Cursor) -> str:
        """URL-safe text."""
        return self.signed(cursor.direction.value, dict(cursor.state))

    def decode(self, text: str) -> Cursor:
        """What ``encode`` was given.

        Raises:
            CursorError: damaged, signed with another key, of another product, or of another version.
        """
        try:
            document = self.read_signed(text)
        except ValueError as error:
            raise CursorError(self.product, f"text that is not base64: {text[:20]!r}") from error
        if document is None:
            raise CursorError(self.product, "one that was changed, or made by another product or key")
        version, direction, state = document
        if version != self.version:
            raise CursorError(self.product, f"one of version {version}, not {self.version}")
        return Cursor(Direction(direction), state)
