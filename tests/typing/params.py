"""What a type checker knows about parameters; ``make types`` reads this file, nothing runs it."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import assert_type

from mixer.params import DEFAULTS, Param, param


class Tier(Enum):
    LIGHT = 1
    HEAVY = 2


class Shuffler: ...


class Backwards(Shuffler): ...


cap = param("cap", default=100, minimum=50, maximum=600, doc=".")
decay = param("decay", default=0.5, minimum=0, maximum=1, doc=".")
enabled = param("enabled", default=True, doc=".")
tier = param("tier", default=Tier.LIGHT, doc=".")
budget = param("budget", default=timedelta(seconds=1), maximum=timedelta(seconds=2), doc=".")
name = param("name", default="a", choices=("a", "b"), doc=".")
weights: Param[tuple[float, ...]] = param("weights", default=(1.0, 2.0), doc=".")
shuffler: Param[Shuffler] = param("shuffler", default=Backwards(), kind=Shuffler, doc=".")

assert_type(DEFAULTS[cap], int)
assert_type(DEFAULTS[decay], float)
assert_type(DEFAULTS[enabled], bool)
assert_type(DEFAULTS[tier], Tier)
assert_type(DEFAULTS[budget], timedelta)
assert_type(DEFAULTS[name], str)
assert_type(DEFAULTS[weights], tuple[float, ...])
assert_type(DEFAULTS[shuffler], Shuffler)
param("wrong", default=1, minimum="a", kind=int, doc=".")  # pyright: ignore[reportArgumentType]
