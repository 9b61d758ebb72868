"""Runs the command line."""

import sys

from components.embeddings.simclusters.cli import main

if __name__ == "__main__":
    sys.exit(main())
