"""The command line of a product."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from products._cli.choices import Choices
from products._cli.options import (
    AblateOption,
    DataOption,
    EmbeddingsOption,
    ExplainOption,
    JsonOption,
    LimitOption,
    Options,
    ParamsOption,
    PlotsOption,
    RankerOption,
    ResumeOption,
    SeedOption,
    ShownOption,
    StagesOption,
    UserOption,
    UsersOption,
    WhatOption,
    WorldOption,
)

if TYPE_CHECKING:
    from products._cli.serve import Application

EPILOG = """Without --data: the embedded world, which is made on the first run and then kept, like the ranker, in the
cache (MIXER_CACHE names another directory). Parameters come from variables MIXER_PARAM_..., then from the file of --params."""


def app_of(product: Callable[[], Application], summary: str) -> typer.Typer:
    """An app that answers, and judges its answers; the product is imported when it is needed, not for ``--help``."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)

    @app.callback(invoke_without_command=True, help=summary, epilog=EPILOG)
    def answer(  # noqa: PLR0913, PLR0917 - an option each
        context: typer.Context,
        data: DataOption = None,
        user: UserOption = None,
        limit: LimitOption = None,
        explain: ExplainOption = None,
        as_json: JsonOption = False,
        seed: SeedOption = 0,
        world: WorldOption = "small",
        params: ParamsOption = None,
        stages: StagesOption = False,
        ranker: RankerOption = "logistic",
        embeddings: EmbeddingsOption = False,
    ) -> None:
        if context.invoked_subcommand is not None:
            return
        from products._cli.serve import serve

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
            choices=Choices(ranker, embeddings, seed),
        )
        serve(product(), options)

    @app.command("evaluate", epilog=EPILOG)
    def evaluate(  # noqa: PLR0913, PLR0917 - an option each
        data: DataOption = None,
        users: UsersOption = 500,
        as_json: JsonOption = False,
        seed: SeedOption = 0,
        world: WorldOption = "small",
        params: ParamsOption = None,
        plots: PlotsOption = None,
        resume: ResumeOption = None,
        ablate: AblateOption = False,
        shown: ShownOption = False,
        ranker: RankerOption = "logistic",
        embeddings: EmbeddingsOption = False,
    ) -> None:
        """Judge the flow on logged requests, beside popularity, recency, random, and each source alone."""
        from products._cli.evaluate import EvaluateOptions
        from products._cli.evaluate import evaluate as judge

        options = EvaluateOptions(
            data=data,
            users=users,
            as_json=as_json,
            seed=seed,
            world=world,
            params=params,
            plots=plots,
            resume=resume,
            ablate=ablate,
            shown=shown,
            choices=Choices(ranker, embeddings, seed),
        )
        judge(product(), options)

    @app.command("train", epilog=EPILOG)
    def train(
        data: DataOption = None,
        what: WhatOption = "ranker",
        as_json: JsonOption = False,
        seed: SeedOption = 0,
        world: WorldOption = "small",
        params: ParamsOption = None,
    ) -> None:
        """Train what answers need, and keep it in the cache, where answers find it."""
        from products._cli.train import TrainOptions
        from products._cli.train import train as learn

        options = TrainOptions(data=data, what=what, as_json=as_json, seed=seed, world=world, params=params)
        learn(product(), options)

    return app
