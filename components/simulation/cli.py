"""``python -m components.simulation``: compare two of the built-in recommenders over simulated days."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import anyio
import attrs
import typer

from components.command_line import JsonOption, SeedOption, app_of, file_to_write, run
from components.datasets.load import load_world
from components.embeddings.progress import Progress, progress_bar
from components.evaluation.plots import plot_segments
from components.evaluation.report import Report
from components.simulation.compare import ab_test, interleave
from components.simulation.recommenders import baselines
from components.simulation.simulation import Simulation

app = app_of("")


class Design(StrEnum):
    """How to compare."""

    ab = "ab"
    interleaving = "interleaving"


def main() -> int:
    """Run the command line."""
    return run(app, "python -m components.simulation")


@app.command()
def compare(
    design: Annotated[Design, typer.Argument(help="People randomised to arms, or lists interleaved.")],
    control: Annotated[str, typer.Option(help="truth, random or newest.")] = "random",
    treatment: Annotated[str, typer.Option(help="The same; what is compared with it.")] = "truth",
    world: Annotated[str, typer.Option(help="Size of the world: tiny, small, medium or large.")] = "tiny",
    days: Annotated[int, typer.Option(min=1, help="How many days to live through.")] = 3,
    seed: SeedOption = 0,
    plot: Annotated[
        Path | None, typer.Option(callback=file_to_write, help="PNG of engagements, or credit, day by day.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two built-in recommenders over simulated days."""
    simulation = Simulation(load_world(world, seed), seed=seed)
    known = baselines(simulation)
    strange = [name for name in (control, treatment) if name not in known]
    if strange or control == treatment:
        got = strange[0] if strange else f"{control} twice"
        raise ValueError(f"--control, --treatment: expected two of {', '.join(known)}, got {got}")
    compared = ab_test if design is Design.ab else interleave
    arms = {name: known[name] for name in (control, treatment)}
    with progress_bar(quiet=as_json) as listen:

        def done(day: int, days: int) -> None:
            listen(Progress("simulated days", day, days))

        report = anyio.run(lambda: compared(simulation, arms, days, done=done))
    if plot is not None:
        plot_segments(_daily(report), "engagements" if design is Design.ab else "credit", plot)
    typer.echo(report.to_json() if as_json else report.to_text())


def _daily(report: Report) -> Report:
    return attrs.evolve(report, rows=[row for row in report.rows if row.segment != "all"])
