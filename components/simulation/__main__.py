"""``python -m components.simulation``."""

from components.simulation.cli import main

if __name__ == "__main__":
    main()
