"""Run a command line so that every foreseeable error is one line on standard error, and exit code 2."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer
from typer.main import get_command

from products._cli.options import TOP

FAILED, INTERRUPTED = 2, 130
_UsageError: type[Exception] = next(
    one for one in typer.BadParameter.__mro__ if one.__name__ == "ClickException"
)
# Typer carries its own copy of click; its errors are found by way of the one that it exports.


def run(app: typer.Typer, program: str, argv: Sequence[str] | None = None) -> int:
    """Run an app and give its exit code; unforeseen exceptions are bugs and keep their traceback."""
    from mixer.errors import MixerError

    arguments = with_default_explain(sys.argv[1:] if argv is None else list(argv))
    try:
        return int(get_command(app).main(arguments, prog_name=program, standalone_mode=False) or 0)
    except _UsageError as error:
        return _failed(getattr(error, "format_message", error.__str__)())
    except (MixerError, ValueError) as error:
        return _failed(str(error))
    except BrokenPipeError:  # whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _failed(str(error))
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED


def with_default_explain(arguments: Sequence[str]) -> list[str]:
    """Arguments in which an ``--explain`` without a value asks about the first result."""
    complete: list[str] = []
    for index, argument in enumerate(arguments):
        complete.append(argument)
        following = arguments[index + 1 : index + 2]
        if argument in ("--explain", "-e") and (not following or following[0].startswith("-")):
            complete.append(TOP)
    return complete


def _failed(message: str) -> int:
    line = "; ".join(part.strip().removeprefix("- ") for part in message.splitlines() if part.strip())
    print(f"error: {line}", file=sys.stderr)  # noqa: T201 - a command line speaks
    return FAILED
