"""Run the command line of a product."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from components import command_line
from products._cli.options import TOP


def run(app: typer.Typer, program: str, argv: Sequence[str] | None = None) -> int:
    """Run an app and give its exit code; see :func:`components.command_line.run`."""
    arguments = sys.argv[1:] if argv is None else argv
    return command_line.run(app, program, with_default_explain(arguments))


def with_default_explain(arguments: Sequence[str]) -> list[str]:
    """Arguments in which an ``--explain`` without a value asks about the first result."""
    complete: list[str] = []
    for index, argument in enumerate(arguments):
        complete.append(argument)
        following = arguments[index + 1 : index + 2]
        if argument in ("--explain", "-e") and (not following or following[0].startswith("-")):
            complete.append(TOP)
    return complete
