"""The command line of For You."""

from __future__ import annotations

from typing import TYPE_CHECKING

from products._cli import main as command_line
from products._cli.app import app_of

if TYPE_CHECKING:
    from products._cli.serve import Application


def application() -> Application:
    """For You; importing it takes a moment."""
    from products.for_you.product import FOR_YOU

    return FOR_YOU


app = app_of(application, "Show a timeline: posts from people one follows and people one might.")


def main() -> int:
    """Run the command line."""
    return command_line.run(app, "python -m products.for_you")
