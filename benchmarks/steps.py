"""Steps of a benchmark, each in a process of its own, so that its peak of memory is its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Steps = Sequence[Callable[[Any], dict[str, Any]]]


def ran_step(steps: Steps, read: Callable[[str], object] = Path) -> bool:
    """Run the step that the command line names and print what it found; False where it names none."""
    if "--step" not in sys.argv:
        return False
    name, argument = sys.argv[-2:]
    result = {step.__name__: step for step in steps}[name](read(argument))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kilobytes on Linux
    print(json.dumps({**result, "peak_mb": round(peak / 1024)}))
    return True


def measured(benchmark: str, step: str, argument: str) -> dict[str, Any]:
    """What a step of a benchmark finds, with the most memory that it held."""
    command = [sys.executable, "-m", f"benchmarks.{benchmark}", "--step", step, argument]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603


def all_measured(benchmark: str, steps: Steps) -> list[dict[str, Any]]:
    """What the steps find, one after the other, over one folder."""
    names = [step.__name__ for step in steps]
    with tempfile.TemporaryDirectory() as folder:
        return [{"step": name, **measured(benchmark, name, folder)} for name in names]
