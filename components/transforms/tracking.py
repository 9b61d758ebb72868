"""Tracking tokens: what a client sends back with a click, so that it can be told which answer it came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np

from components.stores.types import Viewer
from mixer import Candidates, Column, Transform
from mixer.signing import Signer


class TokenError(ValueError):
    """A token that was damaged, changed, or made by another product, version or key."""


@attrs.frozen
class TokenCodec(Signer):
    """Writes and reads the tokens of one product; anybody can read them, nobody can change them.

    >>> codec = TokenCodec(b"sixteen or more!", "people")
    >>> codec.read(codec.write({"id": 3}))
    {'id': 3}
    """

    what = "token"
    context = b"token\0"

    def write(self, facts: Mapping[str, Any]) -> str:
        """URL-safe text."""
        return self.signed(dict(facts), ensure_ascii=True)

    def read(self, token: str) -> Mapping[str, Any]:
        """What ``write`` was given.

        Raises:
            TokenError: says what is wrong.
        """
        try:
            document = self.read_signed(token)
        except ValueError as error:
            raise TokenError(f"{self.product}: expected a token, got {token[:20]!r}") from error
        if document is None:
            raise TokenError(f"{self.product}: a token that was changed, or made by another product or key")
        version, facts = document
        if version != self.version:
            raise TokenError(f"{self.product}: expected a token of version {self.version}, got {version}")
        return facts


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
