"""``Signer``: text that clients can keep and read but not change."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import attrs

_SIGNATURE_BYTES = 16


@attrs.frozen
class Signer:
    """Signs what one product hands out.

    Args:
        key: at least 16 secret bytes, the same on all servers.
        product: the only one that accepts the text.
        version: raised when the meaning of what is signed changes.
    """

    key: bytes = attrs.field(repr=False)
    product: str
    version: int = 1
    what = "text"
    context = b""

    def __attrs_post_init__(self) -> None:
        if len(self.key) < 16:
            raise ValueError(f"{self.what} key: expected at least 16 bytes, got {len(self.key)}")

    def signed(self, *document: Any, ensure_ascii: bool = False) -> str:
        """URL-safe text with the version and what JSON can say."""
        body = json.dumps(
            [self.version, *document], separators=(",", ":"), ensure_ascii=ensure_ascii
        ).encode()
        return base64.urlsafe_b64encode(self._signature(body) + body).rstrip(b"=").decode()

    def read_signed(self, text: str) -> Any:
        """Version and document as they were signed; None for what was changed, or made by another product or key.

        Raises:
            ValueError: the text is not base64.
        """
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        signature, body = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        return json.loads(body) if hmac.compare_digest(signature, self._signature(body)) else None

    def _signature(self, body: bytes) -> bytes:
        signed = self.context + self.product.encode() + b"\0" + body
        return hmac.digest(self.key, signed, "sha256")[:_SIGNATURE_BYTES]
