"""``python -m benchmarks [NAME ...] [--json]``: run benchmarks by name, or all; ``--list`` names them."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

_HELPERS = {"__main__", "asking", "machine", "peer_adapter", "steps"}


def main() -> int:
    known = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in _HELPERS)
    # Names come first; what follows the first option belongs to the options.
    given = sys.argv[1:]
    begin = next((at for at, argument in enumerate(given) if argument.startswith("-")), len(given))
    names = given[:begin] or known
    if begin == 0 and {"--help", "-h"} & set(given):
        print(f"{__doc__}\n\nThere are: {', '.join(known)}. Options of one: python -m benchmarks NAME --help")
        return 0
    if "--list" in sys.argv:
        print("\n".join(known))
        return 0
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(f"unknown benchmark {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    options = given[begin:]
    for name in names:
        print(f"== {name}", file=sys.stderr)
        sys.argv = [name, *options]
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
