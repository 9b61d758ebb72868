"""How a ranker's network is run: threads, and the runtime that suits the processor and the size of the network."""

from __future__ import annotations

import contextlib
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import attrs
import torch

from components.models.heavy_ranker.fused import fuse_towers
from components.models.heavy_ranker.predictor import Predictor, has_compiler
from components.models.heavy_ranker.quantize import load_int8

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.models.heavy_ranker.config import RankerConfig
    from components.models.heavy_ranker.model import HeavyRanker

BF16_UNITS, INT8_UNIT = ("amx_bf16", "avx512_bf16"), "amx_int8"
LARGE_PARAMETERS = 1_000_000
"""Below, a network's products are so small that rounding its inputs costs more than faster products bring."""

Choice = Literal["fp32", "bf16", "int8"]


@attrs.frozen
class Chosen:
    """A runtime, and why."""

    runtime: Choice
    why: str


def choose(parameters: int, units: tuple[str, ...] | None = None, *, int8: bool = False) -> Chosen:
    """The runtime for a network of so many parameters; fp32 is what it falls back to.

    Args:
        units: the processor's matrix units; looked up unless told.
        int8: take that where the processor has units for it, and bf16 where not.

    Source: ``python -m benchmarks.serving`` and ``python -m benchmarks.ranker``; the figures are in the how-to.
    """
    found = matrix_units() if units is None else units
    if int8 and INT8_UNIT in found and parameters >= LARGE_PARAMETERS:
        return Chosen("int8", f"it was asked for, and the processor has {INT8_UNIT}")
    narrow = [unit for unit in found if unit in BF16_UNITS]
    if not narrow:
        return Chosen("fp32", f"this processor has none of {', '.join(BF16_UNITS)}")
    if parameters < LARGE_PARAMETERS:
        return Chosen("fp32", f"{parameters:,} parameters are too few for bf16 to pay")
    return Chosen("bf16", f"the processor has {narrow[0]}" + (f" but no {INT8_UNIT}" if int8 else ""))


def matrix_units(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """Units of this processor that multiply narrow matrices; none where the operating system does not say."""
    if platform.machine() not in ("x86_64", "AMD64") or not cpuinfo.is_file():
        return ()
    flags = next((line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")), "")
    return tuple(unit for unit in (*BF16_UNITS, INT8_UNIT) if unit in flags.split())


def load_chosen(path: str | Path, *, int8: bool = False) -> tuple[Predictor, Chosen]:
    """A checkpoint in the runtime that suits it, and why that one; in fp32 its towers are fused.

    Args:
        int8: take that if the processor has units for it and ``load_int8`` does not refuse the checkpoint.
    """
    exact = Predictor.load(path)
    parameters = sum(parameter.numel() for parameter in exact.model.parameters())
    chosen = choose(parameters, int8=int8)
    if chosen.runtime == "int8":
        try:
            return _in_int8(path), chosen
        except (ValueError, FileNotFoundError) as refusal:
            chosen = choose(parameters)
            chosen = attrs.evolve(chosen, why=f"{chosen.why}; int8 was refused: {refusal}")
    if chosen.runtime == "bf16":
        return Predictor.load(path, "bf16"), chosen
    fuse_towers(cast("HeavyRanker", exact.model))
    return exact, chosen


def _in_int8(path: str | Path) -> Predictor:
    if not has_compiler():
        raise ValueError("there is no C++ compiler, and without one bf16 is faster")
    return load_int8(path).predictor


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
