"""Train the parts of a product from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import attrs
from rich.table import Table

from products._cli.application import Application, Made, Workshop
from products._cli.choices import Choices
from products._cli.data import Bars
from products._cli.serve import console_of, resolved_params

WHAT = ("ranker", "embeddings", "heavy", "all")


@attrs.frozen(kw_only=True)
class TrainOptions:
    """What was asked for."""

    data: Path | None
    what: str
    as_json: bool
    seed: int
    world: str
    params: Path | None

    def choices(self, application: Application) -> Choices:
        """The flow that needs what was asked for.

        Raises:
            ValueError: there is no such part.
        """
        if self.what not in WHAT:
            raise ValueError(f"--what: expected one of {', '.join(WHAT)}, got {self.what!r}")
        if self.what == "heavy" and "heavy" not in application.rankers:
            raise ValueError(f"--what: {application.name} has no heavy ranker, expected one of the others")
        heavy = self.what in ("heavy", "all") and "heavy" in application.rankers
        return Choices("heavy" if heavy else "logistic", self.what in ("embeddings", "all"), self.seed)


def train(application: Application, options: TrainOptions) -> None:
    """Train, and say what was made and where it is.

    Raises:
        MixerError, ValueError: with what was expected and what came.
    """
    anyio.run(_train, application, options)


async def _train(application: Application, options: TrainOptions) -> None:
    choices, bars = options.choices(application), Bars()
    loaded = application.open(options.data, options.world, options.seed, bars)
    params = resolved_params(application.settings, loaded.data.name, options.params)
    workshop = Workshop(loaded, loaded, params, choices, bars)
    await application.flow(workshop)
    if options.as_json:
        document = {
            "product": application.name,
            "seed": options.seed,
            "parts": [_json(one) for one in workshop.made],
        }
        print(json.dumps(document, indent=2))  # noqa: T201
    else:
        console_of().print(_table(application.name, workshop.made))


def _json(made: Made) -> dict[str, object]:
    return {
        "name": made.name,
        "path": str(made.path),
        "seconds": round(made.seconds, 3),
        "was_kept": made.kept,
    }


def _table(product: str, parts: list[Made]) -> Table:
    table = Table(title=f"parts of {product}", title_justify="left", box=None, pad_edge=False)
    table.add_column("part", no_wrap=True)
    table.add_column("s", justify="right")
    table.add_column("", no_wrap=True)
    table.add_column("kept at", overflow="fold")
    for one in parts:
        state = "was there" if one.kept else "trained"
        table.add_row(one.name, f"{one.seconds:.1f}", state, str(one.path))
    return table
