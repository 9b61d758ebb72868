"""The options of a product's command line, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import attrs
import typer

from components.command_line import folder_to_write
from products._cli.choices import Choices

TOP = "top"
"""As ``--explain``: the first result."""

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        "-d",
        help="Last.fm, Higgs or MovieLens as published, a folder of CSV files, an edge list, an event log, or a saved"
        " data set.",
    ),
]
UserOption = Annotated[int | None, typer.Option("--user", "-u", help="Whom for; a busy user unless given.")]
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", "-n", help="How many results at most; the product's own number unless given."),
]
ExplainOption = Annotated[
    str | None,
    typer.Option(
        "--explain",
        "-e",
        metavar="[ID]",
        help="Tell the story of a candidate, shown or not; of the first by default.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
SeedOption = Annotated[
    int, typer.Option("--seed", "-s", help="Seed of the world and of every random choice.")
]
WorldOption = Annotated[
    str,
    typer.Option(
        "--world", help="Size of the embedded world: tiny, small, medium or large (40 GB of memory)."
    ),
]
ParamsOption = Annotated[
    Path | None, typer.Option("--params", help="A YAML, JSON or TOML file of parameter values by name.")
]
StagesOption = Annotated[
    bool, typer.Option("--stages", help="Print the stages of the flow as a table, and exit.")
]
RankerOption = Annotated[
    str, typer.Option("--ranker", help="What ranks: logistic, or, for posts, trees or heavy.")
]
EmbeddingsOption = Annotated[
    bool, typer.Option("--embeddings", help="Add the sources that search trained embeddings.")
]
WhatOption = Annotated[
    str, typer.Option("--what", help="What to train: ranker, embeddings, heavy (posts only) or all.")
]
UsersOption = Annotated[int, typer.Option("--users", help="How many viewers' requests to judge.")]
PlotsOption = Annotated[
    Path | None,
    typer.Option("--plots", callback=folder_to_write, help="A folder for PNG plots of the report."),
]
ResumeOption = Annotated[
    Path | None,
    typer.Option(
        "--resume",
        callback=folder_to_write,
        help="A folder that keeps answers, so that an interrupted run goes on.",
    ),
]
AblateOption = Annotated[
    bool,
    typer.Option("--ablate", help="Judge the flow with one part changed at a time, too: what does each add?"),
]
ShownOption = Annotated[
    bool,
    typer.Option(
        "--shown", help="Judge the ranker alone, by the order in which it puts what viewers were shown."
    ),
]


@attrs.frozen(kw_only=True)
class Options:
    """What was asked for."""

    data: Path | None
    user: int | None
    limit: int | None
    explain: str | None
    as_json: bool
    seed: int
    world: str
    params: Path | None
    stages: bool
    choices: Choices

    def check(self) -> None:
        """Raise ValueError for the first option that makes no sense, with what was expected and what came."""
        if self.limit is not None and self.limit < 0:
            raise ValueError(f"--limit: expected 0 or more, got {self.limit}")
        if self.stages and self.as_json:
            raise ValueError("--stages: expected without --json, for it prints a Markdown table")
        if self.explain not in (None, TOP) and not (self.explain or "").isdecimal():
            raise ValueError(f"--explain: expected the id of a candidate, got {self.explain!r}")
