"""What command lines share: common options, and every foreseeable error in one line, with exit code 2."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer.main import get_command

FAILED, INTERRUPTED = 2, 130
_UsageError: type[Exception] = next(
    one for one in typer.BadParameter.__mro__ if one.__name__ == "ClickException"
)
# Typer carries its own copy of click; its errors are found by way of the one that it exports.


def file_to_write(path: Path | None) -> Path | None:
    """The callback of options that name a file to write: minutes of work should not end at a wrong name.

    Raises:
        BadParameter: it is a folder, or nothing can be written beside it.
    """
    if path is None:
        return None
    if path.is_dir():
        raise typer.BadParameter(f"expected a file to write, got the folder {path}")
    _check_writable(path.parent)
    return path


def folder_to_write(path: Path | None) -> Path | None:
    """The same for folders.

    Raises:
        BadParameter: it is a file, or nothing can be written there.
    """
    if path is not None:
        _check_writable(path)
    return path


def _check_writable(folder: Path) -> None:
    # Whoever may do everything is told that everything may be written; only trying tells.
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise typer.BadParameter(f"expected a folder to write to, got {folder} ({error.strerror})") from error


JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
DataOption = Annotated[
    str,
    typer.Option(
        "--data",
        "-d",
        help="The folder or file of a data set, or world:SIZE, which is made: tiny, small, medium or large.",
    ),
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Override one setting: key.path=value; may be repeated.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of every random choice.")]


def app_of(summary: str) -> typer.Typer:
    """An app whose help fits a narrow terminal and names every value in full."""
    return typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, help=summary)


def run(app: typer.Typer, program: str, argv: Sequence[str] | None = None) -> int:
    """Run an app and give its exit code; unforeseen exceptions are bugs and keep their traceback.

    Args:
        app: the command line.
        program: what its usage calls it, such as ``python -m products.for_you``.
        argv: the arguments; those of the process if None.
    """
    try:
        from mixer.errors import MixerError

        arguments = sys.argv[1:] if argv is None else list(argv)
        code = get_command(app).main(arguments, prog_name=program, standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except SystemExit as error:  # how typer ends at a closed pipe
        if isinstance(error.__context__, BrokenPipeError):
            return _closed()
        raise
    except BrokenPipeError:
        return _closed()
    except (_UsageError, MixerError, ValueError, ImportError, OSError) as error:
        return _failed(error)


def _failed(error: Exception) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error, file=sys.stderr)  # noqa: T201 - a command line speaks
        return FAILED
    said = _of_file(error) if isinstance(error, OSError) else _of_use(error)
    line = "; ".join(part.strip().removeprefix("- ") for part in said.splitlines() if part.strip())
    print(f"error: {line}", file=sys.stderr)  # noqa: T201
    return FAILED


def _of_use(error: Exception) -> str:
    message: str = getattr(error, "format_message", error.__str__)()
    problems = getattr(error.__cause__, "errors", list)() if isinstance(error, _UsageError) else ()
    return message + "".join(f", got {one['input']!r}" for one in problems[:1])  # pydantic knows what came


def _of_file(error: OSError) -> str:
    """``FILE: Not a directory``; of a rename, what it was renamed to."""
    name = error.filename2 or error.filename
    return str(error) if name is None or error.strerror is None else f"{name}: {error.strerror}"


def _closed() -> int:
    """Whoever reads has seen enough; what is still buffered goes nowhere when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    return 0
