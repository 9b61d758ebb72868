"""The command line of For You."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from products._cli import main as command_line
from products._cli.app import EPILOG, app_of
from products._cli.options import (
    DataOption,
    EmbeddingsOption,
    ExplainOption,
    JsonOption,
    LimitOption,
    ParamsOption,
    PlotsOption,
    RankerOption,
    SeedOption,
    StagesOption,
    UserOption,
    WorldOption,
)

if TYPE_CHECKING:
    from products._cli.serve import Application


def application() -> Application:
    """For You; importing it takes a moment."""
    from products.for_you.product import FOR_YOU

    return FOR_YOU


app = app_of(application, "Show a timeline: posts from people one follows and people one might.")


@app.command("simulate")
def simulate(
    against: Annotated[
        str, typer.Option(help="What to compare with: popular, in_network, newest or random.")
    ] = "popular",
    design: Annotated[str, typer.Option(help="ab (people in arms) or interleaving (lists mixed).")] = "ab",
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


@app.command("home", epilog=EPILOG)
def home(  # noqa: PLR0913, PLR0917 - an option each
    data: DataOption = None,
    user: UserOption = None,
    limit: LimitOption = None,
    pages: Annotated[int, typer.Option(help="How many pages, one after the other.")] = 1,
    cursor: Annotated[str | None, typer.Option(help="Where an earlier page ended or began.")] = None,
    refresh: Annotated[
        str,
        typer.Option(help="Why: opened, pulled, manual, own_post, or polling, which only tells what is new."),
    ] = "opened",
    pushed: Annotated[
        int | None, typer.Option(metavar="ID", help="The post of the notification by which the viewer came.")
    ] = None,
    ago: Annotated[float, typer.Option(help="Hours before the data end.")] = 0.0,
    as_json: JsonOption = False,
    seed: SeedOption = 0,
    world: WorldOption = "small",
    ranker: RankerOption = "logistic",
    embeddings: EmbeddingsOption = False,
) -> None:
    """Show the home timeline: posts, people to follow and prompts, in pages."""
    from products._cli.choices import Choices
    from products.for_you.show_home import HomeOptions, refresh_of, show_home

    show_home(
        HomeOptions(
            data=data,
            user=user,
            limit=limit,
            pages=pages,
            cursor=cursor,
            refresh=refresh_of(refresh),
            pushed=pushed,
            ago_h=ago,
            as_json=as_json,
            seed=seed,
            world=world,
            choices=Choices(ranker, embeddings, seed),
        )
    )


@app.command("control", epilog=EPILOG)
def control(
    changes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=VALUE]...",
            help="Such as more_topics=3,5 or discovery=0.8; without any, shows all names and values.",
        ),
    ] = None,
    data: DataOption = None,
    user: UserOption = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take the latest change back.")] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Do not count what the viewer did and asked for until now.")
    ] = False,
    as_json: JsonOption = False,
    seed: SeedOption = 0,
    world: WorldOption = "small",
) -> None:
    """Say what a viewer wants more or less of; in force from the next request on."""
    from products.for_you.control import ControlOptions
    from products.for_you.control import control as change

    change(
        ControlOptions(
            data=data,
            world=world,
            seed=seed,
            user=user,
            changes=changes or (),
            undo=undo,
            forget=forget,
            as_json=as_json,
        )
    )


@app.command("following", epilog=EPILOG)
def following(  # noqa: PLR0913, PLR0917 - an option each
    data: DataOption = None,
    user: UserOption = None,
    limit: LimitOption = None,
    explain: ExplainOption = None,
    ranked: Annotated[
        bool, typer.Option("--ranked", help="Best first, 38 posts, instead of newest first.")
    ] = False,
    as_json: JsonOption = False,
    seed: SeedOption = 0,
    world: WorldOption = "small",
    params: ParamsOption = None,
    stages: StagesOption = False,
    ranker: Annotated[
        str | None, typer.Option(help="With --ranked: logistic (as without it), trees or heavy.")
    ] = None,
) -> None:
    """Show what followed people post, newest first or ranked."""
    from products._cli.choices import Choices
    from products._cli.options import Options
    from products._cli.serve import serve
    from products.for_you.product import FOLLOWING, RANKED_FOLLOWING

    if ranker is not None and not ranked:
        raise ValueError("--ranker: expected with --ranked, for newest first needs none")
    options = Options(
        data=data,
        user=user,
        limit=limit,
        explain=explain,
        as_json=as_json,
        seed=seed,
        world=world,
        params=params,
        stages=stages,
        choices=Choices(ranker or "logistic", seed=seed),
    )
    serve(RANKED_FOLLOWING if ranked else FOLLOWING, options)


def main() -> int:
    """Run the command line."""
    return command_line.run(app, "python -m products.for_you")
