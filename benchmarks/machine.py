"""What every benchmark prints first: the machine and the versions."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any


def describe(*packages: str) -> dict[str, Any]:
    """Processor, cores, load, interpreter and package versions."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "load_1m": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{package: version(package) for package in ("mixer", *packages)},
    }


def emit(report: dict[str, Any]) -> None:
    """Print a report: JSON with ``--json``, else indented for people."""
    if "--json" in sys.argv:
        print(json.dumps(report))
        return
    for name, value in report.items():
        print(f"\n{name}")
        rows = value if isinstance(value, list) else [value]
        for row in rows:
            print(
                "  " + (", ".join(f"{k} {v}" for k, v in row.items()) if isinstance(row, dict) else str(row))
            )
