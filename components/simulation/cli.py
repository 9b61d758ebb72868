"""``python -m components.simulation``: compare two of the built-in recommenders over simulated days."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import anyio
import attrs
import typer

from components.datasets.load import load_world
from components.embeddings.progress import Progress, progress_bar
from components.evaluation.errors import EvaluationError
from components.evaluation.plots import plot_segments
from components.evaluation.report import Report
from components.simulation.compare import Done, ab_test, interleave
from components.simulation.recommenders import baselines
from components.simulation.simulation import Simulation

app = typer.Typer(add_completion=False)


class Design(StrEnum):
    """How to compare."""

    ab = "ab"
    interleaving = "interleaving"


def main() -> None:
    """Runs the command line; errors that name their cause end without a traceback."""
    try:
        app()
    except (EvaluationError, ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


@app.command()
def compare(
    design: Annotated[Design, typer.Argument(help="People randomised to arms, or lists interleaved.")],
    control: Annotated[str, typer.Option(help="truth, random or newest.")] = "random",
    treatment: Annotated[str, typer.Option(help="The same; what is compared with it.")] = "truth",
    world: Annotated[str, typer.Option(help="Size of the world: tiny, small, medium or large.")] = "tiny",
    days: Annotated[int, typer.Option(help="How many days to live through.")] = 3,
    seed: Annotated[int, typer.Option(help="Seed of the world and of what happens in it.")] = 0,
    plot: Annotated[Path | None, typer.Option(help="PNG of engagements, or credit, day by day.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")] = False,
) -> None:
    """Compare two built-in recommenders over simulated days."""
    simulation = Simulation(load_world(world, seed), seed=seed)
    known = baselines(simulation)
    strange = [name for name in (control, treatment) if name not in known]
    if strange or control == treatment:
        got = strange[0] if strange else f"{control} twice"
        raise ValueError(f"--control, --treatment: expected two of {', '.join(known)}, got {got}")
    run = ab_test if design is Design.ab else interleave
    arms = {name: known[name] for name in (control, treatment)}
    with _progress(as_json) as done:
        report = anyio.run(lambda: run(simulation, arms, days, done=done))
    if plot is not None:
        plot_segments(_daily(report), "engagements" if design is Design.ab else "credit", plot)
    typer.echo(report.to_json() if as_json else report.to_text())


@contextmanager
def _progress(quiet: bool) -> Iterator[Done | None]:
    if quiet:
        yield None
        return
    with progress_bar() as listen:
        yield lambda day, days: listen(Progress("simulated days", day, days))


def _daily(report: Report) -> Report:
    return attrs.evolve(report, rows=[row for row in report.rows if row.segment != "all"])
