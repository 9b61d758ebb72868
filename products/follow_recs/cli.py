"""The command line of follow recommendations."""

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
def follow_recs(
    data: DataOption = None,
    user: UserOption = None,
    limit: LimitOption = None,
    explain: ExplainOption = None,
    as_json: JsonOption = False,
    seed: SeedOption = 0,
    world: WorldOption = "small",
    stages: StagesOption = False,
) -> None:
    """Recommend accounts to follow: friends of friends, people of like interests, and popular ones.

    Without arguments: a user of the embedded world, which is made on the first run and then kept in the cache
    (MIXER_CACHE names another directory). Settings are read from MIXER_PARAM_FOLLOW_RECS_... variables.
    """
    from products._cli.serve import serve
    from products.follow_recs.product import FOLLOW_RECS

    serve(
        FOLLOW_RECS,
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
    return command_line.run(app, "python -m products.follow_recs")
