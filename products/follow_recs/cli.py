"""The command line of follow recommendations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from products._cli import main as command_line
from products._cli.app import app_of

if TYPE_CHECKING:
    from products._cli.serve import Application


def application() -> Application:
    """Follow recommendations; importing it takes a moment."""
    from products.follow_recs.product import FOLLOW_RECS

    return FOLLOW_RECS


app = app_of(
    application,
    "Recommend accounts to follow: friends of friends, people of like interests, and popular ones.",
)


def main() -> int:
    """Run the command line."""
    return command_line.run(app, "python -m products.follow_recs")
