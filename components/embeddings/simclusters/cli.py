"""``python -m components.embeddings.simclusters``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import numpy as np
import typer

from components.command_line import (
    DataOption,
    JsonOption,
    SeedOption,
    SetOption,
    app_of,
    file_to_write,
    folder_to_write,
    run,
)
from components.embeddings.simclusters.config import load_config, preset_names

if TYPE_CHECKING:
    from components.embeddings.simclusters.model import SimClusters

app = app_of("Train and look at SimClusters.")

ConfigOption = Annotated[
    str, typer.Option("--config", "-c", help=f"A YAML file, or a preset: {', '.join(preset_names())}.")
]
ModelArgument = Annotated[Path, typer.Argument(help="What train wrote.")]


def main() -> int:
    """Run the command line."""
    return run(app, "python -m components.embeddings.simclusters")


@app.command()
def show_config(config: ConfigOption = "small", overrides: SetOption = None) -> None:
    """Print a configuration with every default written out."""
    from components.models.heavy_ranker.load import dump

    typer.echo(dump(load_config(config, overrides or [])))


@app.command()
def train(  # noqa: PLR0913, PLR0917 - options of a command line
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", "-o", callback=file_to_write, help="File to write.")],
    config: ConfigOption = "small",
    overrides: SetOption = None,
    seed: SeedOption = 0,
    checkpoint: Annotated[
        Path | None,
        typer.Option(callback=folder_to_write, help="Folder that an interrupted training goes on from."),
    ] = None,
    warm_start: Annotated[Path | None, typer.Option(help="Last time's model to begin with.")] = None,
    until_ms: Annotated[
        int | None, typer.Option(help="Learn only from what is known before; milliseconds since 1970.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train communities, KnownFor, InterestedIn and producers, and say what came out."""
    from components.datasets.load import load_named
    from components.embeddings.progress import progress_bar
    from components.embeddings.simclusters.model import SimClusters
    from components.embeddings.simclusters.signals import Signals, liked_stores
    from components.embeddings.simclusters.train import train as fit
    from components.stores.graph import NEVER

    settings = load_config(config, overrides or [])
    dataset = load_named(data, seed)
    before_ms = NEVER if until_ms is None else until_ms
    half_life = settings.interests.favourite_half_life_days
    signals = Signals.of(liked_stores(dataset), before_ms, half_life)
    if not signals.favourites.nnz and settings.posts.score != "follow":
        hint = "use --set posts.score=follow --set posts.gate=follow"
        typer.echo(f"warning: {dataset.name} has no likes, so vectors will be empty; {hint}", err=True)
    start = None if warm_start is None else SimClusters.load(warm_start)
    began = time.perf_counter()
    with progress_bar(quiet=as_json) as listener:
        model = fit(signals, settings, seed=seed, start=start, checkpoint=checkpoint, listener=listener)
    model.save(out)
    _print({"seconds": round(time.perf_counter() - began, 2), **summary(model), "file": str(out)}, as_json)


@app.command()
def info(model: ModelArgument, as_json: JsonOption = False) -> None:
    """Say what a model holds."""
    from components.embeddings.simclusters.model import SimClusters

    loaded = SimClusters.load(model)
    _print({**summary(loaded), **({"config": attrs.asdict(loaded.config)} if as_json else {})}, as_json)


@app.command()
def similar(
    model: ModelArgument,
    author: Annotated[int, typer.Argument(help="Id of a user.")],
    k: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """The authors nearest to one, by their audiences."""
    from components.embeddings.simclusters.model import SimClusters

    trained = SimClusters.load(model)
    if trained.users.row_of(author) < 0:
        raise ValueError(f"author: expected one of the {len(trained.users):,} users, got {author}")
    ids, cosines = trained.similar_authors(author, k)
    _print(
        {str(id): round(cosine, 4) for id, cosine in zip(ids.tolist(), cosines.tolist(), strict=True)},
        as_json,
    )


def summary(model: SimClusters) -> dict[str, Any]:
    """Counts that tell whether a training made sense."""
    sizes = np.bincount(model.known_for.indices, minlength=model.clusters)
    support = model.interests.support
    covered = int((np.diff(support.indptr) > 0).sum())
    return {
        "users": len(model.users),
        "producers_with_cluster": int(model.known_for.nnz),
        "clusters": model.clusters,
        "clusters_in_use": int((sizes > 0).sum()),
        "largest_cluster": int(sizes.max(initial=0)),
        "users_with_interests": covered,
        "clusters_a_user": round(support.nnz / max(covered, 1), 2),
        "producers_with_vector": int((np.diff(model.producers.indptr) > 0).sum()),
    }


def _print(values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(values))
        return
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        typer.echo(f"{name:{width}}  {value}")
