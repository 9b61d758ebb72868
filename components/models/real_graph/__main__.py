"""``python -m components.models.real_graph``: train and judge the model, and score everybody."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer

from components.command_line import DataOption, JsonOption, SeedOption, app_of, file_to_write, run
from components.datasets.load import load_named
from components.embeddings.progress import progress_bar
from components.evaluation import Bootstrap
from components.models.real_graph.evaluate import evaluate_real_graph
from components.models.real_graph.features import FeatureConfig
from components.models.real_graph.log import InteractionLog
from components.models.real_graph.model import RealGraph, RealGraphConfig, train_real_graph
from components.models.real_graph.trees import TreeConfig
from components.stores.ids import IdIndex
from components.units import HOUR_MS

app = app_of("Learn who will interact with whom.")


def main() -> int:
    """Run the command line."""
    return run(app, "python -m components.models.real_graph")


@app.command()
def train(
    data: DataOption,
    out: Annotated[
        Path, typer.Option("--out", "-o", callback=file_to_write, help="File to write the model to.")
    ],
    period_hours: Annotated[float, typer.Option(min=0.1, help="Length of a feature's period.")] = 24.0,
    horizon_hours: Annotated[float, typer.Option(min=0.1, help="How far ahead to predict.")] = 24.0,
    snapshots: Annotated[int, typer.Option(min=1, help="Moments to train on.")] = 1,
    resamples: Annotated[int, typer.Option(min=2, help="Resamples of each interval.")] = 100,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Train on all but the last horizon, calibrate on the end of that, and judge on the last horizon."""
    dataset = load_named(data, seed)
    log = InteractionLog.of_dataset(dataset)
    config = RealGraphConfig(
        FeatureConfig(int(period_hours * HOUR_MS)),
        TreeConfig(seed=seed),
        int(horizon_hours * HOUR_MS),
        snapshots,
        seed=seed,
    )
    at_ms = dataset.now_ms - config.horizon_ms
    with progress_bar(quiet=as_json) as listener:
        model = train_real_graph(log, at_ms, config, listener)
        model.save(out)
        report = evaluate_real_graph(model, log, at_ms, Bootstrap(resamples, seed=seed), listener)
    typer.echo(json.dumps(report, default=attrs.asdict) if as_json else _in_words(report))


@app.command()
def score(
    data: DataOption,
    model: Annotated[Path, typer.Option("--model", "-m", help="What train wrote.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", callback=file_to_write, help="File to write the scores to.")
    ],
    at_ms: Annotated[int | None, typer.Option(help="As of when; the end of the data if absent.")] = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Score every candidate pair as of a moment, for sources and hydrators to look up."""
    dataset = load_named(data, seed)
    users = IdIndex.of(dataset.users["user_id"])
    moment = dataset.now_ms if at_ms is None else at_ms
    scores = RealGraph.load(model).scores(InteractionLog.of_dataset(dataset), moment, users)
    scores.save(out)
    found: dict[str, Any] = {"users": len(users), "pairs": scores.graph.edges, "at_ms": moment}
    typer.echo(json.dumps(found) if as_json else ", ".join(f"{k} {v:,}" for k, v in found.items()))


def _in_words(report: dict[str, Any]) -> str:
    total = f"{report['pairs']:,} pairs, of which {report['interacted']:,} interacted"
    calibrated = (
        f"ECE {report['ece']:.5f}, mean predicted / observed {report['mean_predicted_over_observed']:.3f}"
    )
    heading = f"{'':12}{'AUC':>8}{'PR-AUC':>9}   gain of RealGraph in AUC, in PR-AUC (95 %)"
    lines = [f"{total}; {calibrated}", heading]
    for name, values in report["arms"].items():
        gains = report["gain_over"].get(name, {}).values()
        said = ", ".join(f"{g.estimate:+.4f} [{g.low:+.4f}, {g.high:+.4f}]" for g in gains)
        lines.append(f"{name:12}{values['auc']:8.4f}{values['pr_auc']:9.4f}   {said}".rstrip())
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
