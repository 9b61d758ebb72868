"""``python -m components.simulation``."""

import sys

from components.simulation.cli import main

if __name__ == "__main__":
    sys.exit(main())
