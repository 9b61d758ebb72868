"""``python -m components.embeddings.twhin``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import attrs
import typer

from components.command_line import DataOption, JsonOption, SetOption, app_of, file_to_write, run
from components.datasets.load import load_named
from components.embeddings.progress import progress_bar
from components.embeddings.twhin.config import Relation, TwhinConfig
from components.embeddings.twhin.embeddings import TwhinEmbeddings
from components.embeddings.twhin.relations import relations_of
from components.embeddings.twhin.triples import SPLITS, is_triples, read_triples
from components.models.heavy_ranker.load import load_as

app = app_of("Train and test TwHIN embeddings.")

BeforeOption = Annotated[
    int | None,
    typer.Option("--before-ms", help="Train on what came before, test on the rest (default: the end)."),
]


def main() -> int:
    """Run the command line."""
    return run(app, "python -m components.embeddings.twhin")


@app.command()
def train(
    data: DataOption,
    out: Annotated[
        Path, typer.Option("--out", "-o", callback=file_to_write, help="File to write, such as twhin.npz.")
    ],
    config: Annotated[Path | None, typer.Option("--config", "-c", help="YAML; defaults without it.")] = None,
    overrides: SetOption = None,
    start: Annotated[Path | None, typer.Option(help="Embeddings to begin with, where ids agree.")] = None,
    before_ms: BeforeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train; an interrupted training goes on from OUT.checkpoint."""
    from components.embeddings.twhin.train import train as fit

    settings = load_as(TwhinConfig, config, overrides or [])
    relations, checkpoint = _known(data, before_ms), out.with_name(out.name + ".checkpoint")
    earlier = None if start is None else TwhinEmbeddings.load(start)
    with progress_bar(quiet=as_json) as listener:
        trained = fit(relations, settings, checkpoint=checkpoint, start=earlier, listener=listener)
    trained.save(out)
    checkpoint.unlink(missing_ok=True)
    sizes = {
        "edges": {relation.name: len(relation.edges) for relation in relations},
        "entities": {type: len(table.index) for type, table in trained.entities.items()},
    }
    typer.echo(json.dumps(sizes) if as_json else _in_words(sizes))


@app.command()
def evaluate(
    model: Annotated[Path, typer.Option("--model", "-m", help="File that train wrote.")],
    data: DataOption,
    before_ms: BeforeOption = None,
    split: Annotated[str, typer.Option(help="Of a knowledge graph: valid or test.")] = "test",
    as_json: JsonOption = False,
) -> None:
    """Filtered link prediction: ranks among all entities that are not known to be true."""
    from components.embeddings.twhin.evaluate import evaluate as judge

    embeddings = TwhinEmbeddings.load(model)
    test, known = _held_out(data, before_ms, split)
    trained = [relation for relation in test if relation.name in embeddings.relations]
    found = attrs.asdict(judge(embeddings, trained, known))
    typer.echo(json.dumps(found) if as_json else "  ".join(f"{k} {v:.4f}" for k, v in found.items()))


def _known(data: str, before_ms: int | None) -> list[Relation]:
    if is_triples(Path(data)):
        return read_triples(Path(data), "train")
    dataset = load_named(data)
    return relations_of(dataset, dataset.now_ms if before_ms is None else before_ms)


def _held_out(data: str, before_ms: int | None, split: str) -> tuple[list[Relation], list[Relation]]:
    """What to test on, and everything else that is true."""
    if is_triples(Path(data)):
        if split not in SPLITS[1:]:
            raise ValueError(f"--split: expected valid or test, got {split!r}")
        others = [relation for name in SPLITS if name != split for relation in read_triples(Path(data), name)]
        return read_triples(Path(data), split), others
    dataset = load_named(data)
    if before_ms is None:
        raise ValueError("--before-ms: expected the moment that training ended, got none")
    begin_ms = int(dataset["engagements"]["time_ms"].min(initial=dataset.now_ms))
    if not begin_ms < before_ms < dataset.now_ms:
        raise ValueError(
            f"--before-ms: expected one between {begin_ms} and {dataset.now_ms}, got {before_ms}"
        )
    known = relations_of(dataset, before_ms)
    return [new_edges(later, known) for later in relations_of(dataset, dataset.now_ms)], known


def new_edges(relation: Relation, known: Sequence[Relation]) -> Relation:
    """A relation without the edges that were known."""
    old = {tuple(edge) for other in known if other.name == relation.name for edge in other.edges.tolist()}
    fresh = [edge for edge in relation.edges.tolist() if tuple(edge) not in old]
    return Relation(relation.name, relation.source, relation.target, fresh)


def _in_words(sizes: dict[str, dict[str, int]]) -> str:
    return "\n".join(
        f"{kind}: " + ", ".join(f"{count:,} {name}" for name, count in counts.items())
        for kind, counts in sizes.items()
    )
