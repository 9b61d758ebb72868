"""Runs the command line."""

from components.embeddings.simclusters.cli import main

main()
