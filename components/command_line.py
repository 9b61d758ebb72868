"""What the command lines of components share: common options, and errors in one line."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Override one setting: key.path=value; may be repeated.")
]


def run(app: typer.Typer, *errors: type[Exception]) -> None:
    """Runs a command line; these errors, wrong values and missing files end it without a traceback."""
    try:
        app()
    except (ValueError, OSError, *errors) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
