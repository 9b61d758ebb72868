"""How simulated people behave: when they come, what tires them, and what changes them."""

from __future__ import annotations

import attrs
from attrs.validators import ge, gt, le

_SHARE = [ge(0.0), le(1.0)]


@attrs.frozen
class Visits:
    """When people come, and what makes them come back.

    Args:
        slate: how many posts a session shows at most.
        sessions: mean sessions on a day on which somebody comes, at least one.
        least: probability that somebody whom nothing pleased comes on a day.
        most: the same of somebody whom every session pleased.
        memory: weight of what was before against the newest session in how pleased somebody is.
    """

    slate: int = attrs.field(default=10, validator=ge(1))
    sessions: float = attrs.field(default=1.5, validator=ge(1.0))
    least: float = attrs.field(default=0.3, validator=_SHARE)
    most: float = attrs.field(default=0.95, validator=_SHARE)
    memory: float = attrs.field(default=0.8, validator=_SHARE)


@attrs.frozen
class Fatigue:
    """How repetition wears off: each earlier post of the topic or author multiplies the affinity by exp(-rate).

    Args:
        topic: rate of a topic.
        author: rate of an author.
        left: share of the fatigue that is left the next day.
    """

    topic: float = attrs.field(default=0.05, validator=ge(0.0))
    author: float = attrs.field(default=0.15, validator=ge(0.0))
    left: float = attrs.field(default=0.5, validator=_SHARE)


@attrs.frozen
class Change:
    """How what was shown changes people.

    Args:
        drift: how far the taste moves towards the topic of a post that somebody liked.
        follow: probability of following the author of a post that somebody liked, if not followed yet.
    """

    drift: float = attrs.field(default=0.01, validator=_SHARE)
    follow: float = attrs.field(default=0.05, validator=_SHARE)


@attrs.frozen
class Behaviour:
    """Everything about how simulated people behave; the numbers are ours, there are no published ones."""

    visits: Visits = Visits()
    fatigue: Fatigue = Fatigue()
    change: Change = Change()
    concurrency: int = attrs.field(default=16, validator=gt(0))
    """How many requests are under way at once; it changes no result."""
