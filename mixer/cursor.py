"""Signed page cursors: where a page ended, in a string that clients can keep but not change."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from enum import Enum
from typing import TYPE_CHECKING, Any

import attrs

from mixer.errors import CursorError

if TYPE_CHECKING:
    from collections.abc import Mapping

_SIGNATURE_BYTES = 16


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
class CursorCodec:
    """Writes and reads the cursors of one product.

    A cursor is readable by anybody who holds it, so no secrets belong in it; but it cannot be changed, moved to
    another product, or outlive a change of ``version``, which is raised when the meaning of ``state`` changes.

    Args:
        key: at least 16 secret bytes, the same on all servers.
        product: the only product that accepts these cursors.
        version: of the state's form.

    >>> codec = CursorCodec(b"sixteen or more!", "timeline")
    >>> codec.decode(codec.encode(Cursor(Direction.BOTTOM, {"served": [3]}))).state
    {'served': [3]}
    """

    key: bytes = attrs.field(repr=False)
    product: str
    version: int = 1

    def __attrs_post_init__(self) -> None:
        if len(self.key) < 16:
            raise ValueError(f"cursor key: expected at least 16 bytes, got {len(self.key)}")

    def encode(self, cursor: Cursor) -> str:
        """URL-safe text."""
        document = [self.version, cursor.direction.value, dict(cursor.state)]
        body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
        return base64.urlsafe_b64encode(self._signature(body) + body).rstrip(b"=").decode()

    def decode(self, text: str) -> Cursor:
        """What ``encode`` was given.

        Raises:
            CursorError: damaged, signed with another key, of another product, or of another version.
        """
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise CursorError(self.product, f"text that is not base64: {text[:20]!r}") from error
        signature, body = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(body)):
            raise CursorError(self.product, "one that was changed, or made by another product or key")
        version, direction, state = json.loads(body)
        if version != self.version:
            raise CursorError(self.product, f"one of version {version}, not {self.version}")
        return Cursor(Direction(direction), state)

    def _signature(self, body: bytes) -> bytes:
        return hmac.digest(self.key, self.product.encode() + b"\0" + body, "sha256")[:_SIGNATURE_BYTES]
