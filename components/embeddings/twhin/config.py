"""What to learn from, and how."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from attrs.validators import ge, gt, in_, instance_of, le
from numpy.typing import NDArray

from components.graph.edges import checked_edges


@attrs.frozen(eq=False)
class Relation:
    """One kind of edge: its name, the types of its two ends, and ``(n, 2)`` ids of source and target.

    >>> Relation("like", "user", "post", [[7, 100], [8, 100]]).edges.shape
    (2, 2)
    """

    name: str
    source: str
    target: str
    edges: NDArray[np.int64] = attrs.field(converter=checked_edges)


@attrs.frozen
class Negatives:
    """What each positive edge is compared with, on either side.

    Args:
        count: negatives a batch, shared by its edges.
        popular_share: share drawn in proportion to degree; the rest is drawn evenly. Popularity is corrected
            for (log Q), so this moves where the model looks, not what it converges to.
    """

    count: int = attrs.field(default=512, validator=[instance_of(int), ge(1)])
    popular_share: float = attrs.field(default=0.5, validator=[ge(0.0), le(0.99)])


@attrs.frozen
class Optimisation:
    """Adam on the rows that a batch touches, with a learning rate that falls linearly to nothing."""

    epochs: int = attrs.field(default=30, validator=[instance_of(int), ge(1)])
    batch_size: int = attrs.field(default=1024, validator=[instance_of(int), ge(1)])
    learning_rate: float = attrs.field(default=0.01, validator=gt(0.0))
    relation_learning_rate: float = attrs.field(default=0.01, validator=gt(0.0))


@attrs.frozen
class TwhinConfig:
    """How to train.

    Args:
        dimensions: of every vector.
        objective: ``cosine`` ranks by the cosine of the translated source and the target, for search by inner
            product; ``distance`` by the sum of absolute differences, as TransE does for knowledge graphs.
        temperature: cosines are divided by it.
        margin: distances that count as near; of the objective ``distance``.
        hardness: how much more nearer negatives count there; 0 is evenly.
        checkpoint_every: epochs between checkpoints.
    """

    dimensions: int = attrs.field(default=128, validator=[instance_of(int), ge(1)])
    objective: str = attrs.field(default="cosine", validator=in_(("cosine", "distance")))
    temperature: float = attrs.field(default=0.05, validator=gt(0.0))
    margin: float = attrs.field(default=6.0, validator=gt(0.0))
    hardness: float = attrs.field(default=1.0, validator=ge(0.0))
    negatives: Negatives = Negatives()
    optimisation: Optimisation = Optimisation()
    checkpoint_every: int = attrs.field(default=5, validator=[instance_of(int), ge(1)])
    seed: int = 0

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TwhinConfig:  # values as JSON gives them
        """The inverse of ``attrs.asdict``."""
        nested = {
            "negatives": Negatives(**values["negatives"]),
            "optimisation": Optimisation(**values["optimisation"]),
        }
        return cls(**(values | nested))
