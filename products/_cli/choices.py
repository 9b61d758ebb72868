"""``Choices``: how a flow is to be built."""

from __future__ import annotations

import attrs


@attrs.frozen
class Choices:
    """How a flow is to be built.

    Args:
        ranker: by name.
        embeddings: with the sources that need trained embeddings.
        seed: of every random choice.
    """

    ranker: str = "logistic"
    embeddings: bool = False
    seed: int = 0
