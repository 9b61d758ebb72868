"""The command line of For You."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from products._cli import main as command_line
from products._cli.app import app_of
from products._cli.options import JsonOption, PlotsOption, SeedOption, WorldOption

if TYPE_CHECKING:
    from products._cli.serve import Application


def application() -> Application:
    """For You; importing it takes a moment."""
    from products.for_you.product import FOR_YOU

    return FOR_YOU


app = app_of(application, "Show a timeline: posts from people one follows and people one might.")


@app.command("simulate")
def simulate(
    against: Annotated[str, typer.Option(help="popular, in_network, newest or random.")] = "popular",
    design: Annotated[str, typer.Option(help="ab or interleaving.")] = "ab",
    days: Annotated[int, typer.Option(help="How many days to live through.")] = 5,
    world: WorldOption = "tiny",
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    plots: PlotsOption = None,
) -> None:
    """Live through simulated days in which people react, get tired, drift, follow and come back, or do not."""
    from products.for_you.simulate import SimulateOptions
    from products.for_you.simulate import simulate as live

    live(
        SimulateOptions(
            against=against,
            design=design,
            days=days,
            world=world,
            seed=seed,
            as_json=as_json,
            plots=plots,
        )
    )


def main() -> int:
    """Run the command line."""
    return command_line.run(app, "python -m products.for_you")
