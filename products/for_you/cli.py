"""The command line of For You."""

from __future__ import annotations

import typer

from products._cli import main as command_line
from products._cli.options import (
    DataOption,
    ExplainOption,
    JsonOption,
    LimitOption,
    Options,
    SeedOption,
    StagesOption,
    UserOption,
    WorldOption,
)

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def for_you(
    data: DataOption = None,
    user: UserOption = None,
    limit: LimitOption = None,
    explain: ExplainOption = None,
    as_json: JsonOption = False,
    seed: SeedOption = 0,
    world: WorldOption = "small",
    stages: StagesOption = False,
) -> None:
    """Show a timeline: posts from people one follows and people one might.

    Without arguments: a user of the embedded world, which is made on the first run and then kept in the cache
    (MIXER_CACHE names another directory). Settings are read from MIXER_PARAM_FOR_YOU_... variables.
    """
    from products._cli.serve import serve
    from products.for_you.product import FOR_YOU

    serve(
        FOR_YOU,
        Options(
            data=data,
            user=user,
            limit=limit,
            explain=explain,
            as_json=as_json,
            seed=seed,
            world=world,
            stages=stages,
        ),
    )


def main() -> int:
    """Run the command line."""
    return command_line.run(app, "python -m products.for_you")
