"""What stats and parameters cost a request: microseconds a call, the best of several runs.

Limits: one process and one thread; a loop that calls a function is part of what is measured.
"""

from __future__ import annotations

import timeit
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.machine import describe, emit
from mixer.experiments import Arm, Experiment
from mixer.param_registry import ParamRegistry
from mixer.params import param
from mixer.stats import StatsReceiver

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = 200_000
RUNS = 5


def cost_us(call: Callable[[], object], calls: int = CALLS) -> float:
    """Microseconds a call."""
    return round(min(timeit.repeat(call, number=calls, repeat=RUNS)) / calls * 1e6, 3)


def stats() -> dict[str, float]:
    receiver = StatsReceiver()
    scope = receiver.scope("flow", "ranker")
    counter, distribution = scope.counter("requests"), scope.distribution("latency_ms")
    numbers = iter(np.random.default_rng(0).lognormal(size=CALLS * RUNS).tolist())
    return {
        "counter.incr()": cost_us(counter.incr),
        "distribution.add(x), folding included": cost_us(lambda: distribution.add(next(numbers))),
        "scope(...).counter(...), known": cost_us(
            lambda: receiver.scope("flow", "ranker").counter("requests")
        ),
    }


def params() -> dict[str, float]:
    keys = [param(f"group.p{number}", default=number, doc="A number.") for number in range(100)]
    tested = Experiment("tested", "layer", "salt", [Arm("control", 0.5), Arm("treatment", 0.5, {keys[1]: 7})])
    resolver = ParamRegistry(keys).resolver(environ={"MIXER_PARAM_GROUP_P2": "5"}, experiments=[tested])
    resolved = resolver.resolve(unit=42)
    return {
        "params[default]": cost_us(lambda: resolved[keys[0]]),
        "params[set]": cost_us(lambda: resolved[keys[2]]),
        "params[under experiment], read before": cost_us(lambda: resolved[keys[1]]),
        "resolve(unit)": cost_us(lambda: resolver.resolve(42)),
        "resolve(unit) and first read under experiment": cost_us(
            lambda: resolver.resolve(42)[keys[1]], 20_000
        ),
        "resolve(forced)": cost_us(lambda: resolver.resolve(42, {keys[1]: 7}), 20_000),
    }


if __name__ == "__main__":
    emit({"machine": describe("numpy"), "stats, µs": stats(), "params, µs": params()})
