"""Runs the command line."""

from __future__ import annotations

import sys

from components.models.heavy_ranker.cli import main

if __name__ == "__main__":
    sys.exit(main())
