"""How a ranker's network is run: threads, and the runtime that suits the processor and the size of the network."""

from __future__ import annotations

import contextlib
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import attrs
import torch

from components.models.heavy_ranker.fused import fuse_towers
from components.models.heavy_ranker.predictor import Predictor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.models.heavy_ranker.config import RankerConfig

BF16_UNITS = ("amx_bf16", "avx512_bf16")
LARGE_PARAMETERS = 1_000_000
"""Below, a network's products are so small that rounding its inputs costs more than faster products bring."""

Choice = Literal["fp32", "bf16"]


@attrs.frozen
class Chosen:
    """A runtime, and why."""

    runtime: Choice
    why: str


def choose(parameters: int, units: tuple[str, ...] | None = None) -> Chosen:
    """The runtime for a network of so many parameters; fp32 is what it falls back to.

    Args:
        units: the processor's bf16 matrix units; looked up unless told.

    Source: ``python -m benchmarks.serving`` and ``python -m benchmarks.ranker``; the figures are in the how-to.
    """
    found = bf16_units() if units is None else units
    if not found:
        return Chosen("fp32", f"this processor has none of {', '.join(BF16_UNITS)}")
    if parameters < LARGE_PARAMETERS:
        return Chosen("fp32", f"{parameters:,} parameters are too few for bf16 to pay")
    return Chosen("bf16", f"the processor has {found[0]}")


def bf16_units(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """Units of this processor that multiply bf16 matrices; none where the operating system does not say."""
    if platform.machine() not in ("x86_64", "AMD64") or not cpuinfo.is_file():
        return ()
    flags = next((line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")), "")
    return tuple(unit for unit in BF16_UNITS if unit in flags.split())


def load_chosen(path: str | Path) -> tuple[Predictor, Chosen]:
    """A checkpoint in the runtime that suits it, and why that one; in fp32 its towers are fused."""
    exact = Predictor.load(path)
    chosen = choose(sum(parameter.numel() for parameter in exact.model.parameters()))
    if chosen.runtime != "fp32":
        return Predictor.load(path, chosen.runtime), chosen
    fuse_towers(exact.model)
    return exact, chosen


def one_thread_pays(config: RankerConfig) -> bool:
    """Is the network so small that threads wait for each other longer than they work?"""
    return config.model.block.width <= 128


@contextlib.contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Limits torch to so many threads while the block runs; None leaves it alone."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
