"""Tracking tokens: what a client sends back with a click, so that it can be told which answer it came from."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np

from components.stores.types import Viewer
from mixer import Candidates, Column, Transform

SIGNATURE_BYTES, KEY_BYTES = 16, 16


class TokenError(ValueError):
    """A token that was damaged, changed, or made by another product, version or key."""


@attrs.frozen
class TokenCodec:
    """Writes and reads the tokens of one product; anybody can read them, nobody can change them.

    Args:
        key: at least 16 secret bytes, the same on all servers.
        product: the only one that accepts these tokens.
        version: raised when the meaning of the facts changes.

    >>> codec = TokenCodec(b"sixteen or more!", "people")
    >>> codec.read(codec.write({"id": 3}))
    {'id': 3}
    """

    key: bytes = attrs.field(repr=False)
    product: str
    version: int = 1

    def __attrs_post_init__(self) -> None:
        if len(self.key) < KEY_BYTES:
            raise ValueError(f"token key: expected at least {KEY_BYTES} bytes, got {len(self.key)}")

    def write(self, facts: Mapping[str, Any]) -> str:
        """URL-safe text."""
        body = json.dumps([self.version, dict(facts)], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._signature(body) + body).rstrip(b"=").decode()

    def read(self, token: str) -> Mapping[str, Any]:
        """What ``write`` was given.

        Raises:
            TokenError: says what is wrong.
        """
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise TokenError(f"{self.product}: expected a token, got {token[:20]!r}") from error
        signature, body = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(body)):
            raise TokenError(f"{self.product}: a token that was changed, or made by another product or key")
        version, facts = json.loads(body)
        if version != self.version:
            raise TokenError(f"{self.product}: expected a token of version {self.version}, got {version}")
        return facts

    def _signature(self, body: bytes) -> bytes:
        what = b"token\0" + self.product.encode() + b"\0"
        return hmac.digest(self.key, what + body, "sha256")[:SIGNATURE_BYTES]


@attrs.frozen
class TrackingToken(Transform[Viewer, Any]):
    """Writes a signed token to each result: request, viewer, time, candidate, place, and the source it came from.

    Source: FRS TrackingTokenTransform: trace id, display location, algorithm of the primary source.

    Args:
        codec: of the product.
        token: the column to write.
    """

    codec: TokenCodec
    token: Column[Any, Any]

    def transform(self, viewer: Viewer, candidates: Candidates[Any]) -> Candidates[Any]:
        provenance, request = candidates.provenance, viewer.request
        common = {"request": request.id, "viewer": viewer.user_id, "ms": request.now_ms}
        sources = [""] * len(candidates)
        if provenance is not None:
            sources = [provenance.names[at] for at in provenance.primary_of(candidates.handles).tolist()]
        tokens = np.empty(len(candidates), dtype=object)
        for place, (one, source) in enumerate(zip(candidates.ids.tolist(), sources, strict=True)):
            tokens[place] = self.codec.write({**common, "id": one, "place": place, "source": source})
        return candidates.with_columns({self.token: tokens})
