"""``python -m components.models.heavy_ranker``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer
from rich.console import Console
from rich.progress import track

from components.command_line import (
    JsonOption,
    SeedOption,
    SetOption,
    app_of,
    folder_to_write,
    run,
)
from components.models.heavy_ranker.load import CLICK_PRESETS, dump, load_config, preset_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from components.models.heavy_ranker.runs import RunReport

app = app_of("Train, calibrate and test the heavy ranker.")

ConfigOption = Annotated[
    str, typer.Option("--config", "-c", help=f"A YAML file, or a preset: {', '.join(preset_names())}.")
]
DataOption = Annotated[
    Path, typer.Option("--data", "-d", help="Folder with train/, valid/, calibrate/, test/.")
]


def main() -> int:
    """Run the command line."""
    return run(app, "python -m components.models.heavy_ranker")


@app.command()
def show_config(config: ConfigOption = "laptop", overrides: SetOption = None) -> None:
    """Print a configuration with every default written out."""
    typer.echo(dump(load_config(config, overrides or [])))


@app.command()
def create_random_data(
    out: Annotated[Path, typer.Option("--out", "-o", callback=folder_to_write, help="Folder to write.")],
    config: ConfigOption = "laptop",
    overrides: SetOption = None,
    rows: Annotated[
        int, typer.Option(min=1, help="Training rows; the other splits are shares of it.")
    ] = 50_000,
    shard_rows: Annotated[int, typer.Option(min=1, help="Rows of a shard.")] = 25_000,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Write random training data of any size in which every head can be learned."""
    from components.models.heavy_ranker.listeners import console
    from components.models.heavy_ranker.synthetic import World, create_data

    world = World(load_config(config, overrides or []), seed)
    for _ in track(create_data(world, out, rows, shard_rows), "writing shards", console=console, total=None):
        pass
    heads = json.loads((out / "truth.json").read_text(encoding="utf-8"))["heads"]
    if as_json:
        typer.echo(json.dumps(heads))
        return
    for head, facts in heads.items():
        typer.echo(f"{head:50} base rate {facts['base_rate']:.4f}  best possible AUC {facts['best_auc']:.4f}")


@app.command()
def train(
    data: DataOption,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", callback=folder_to_write, help="Run folder; an interrupted run in it goes on."
        ),
    ],
    config: ConfigOption = "laptop",
    overrides: SetOption = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs with this many seeds, in OUT/seed-N.")] = 1,
    warm_start: Annotated[Path | None, typer.Option(help="Checkpoint to copy fitting weights from.")] = None,
    tensorboard: Annotated[bool, typer.Option(help="Write TensorBoard logs to OUT/tensorboard.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train, calibrate on the slice after training, and report on the test split.

    Several processes: ``torchrun --nproc-per-node 2 -m components.models.heavy_ranker train ...``
    """
    from components.models.heavy_ranker.runs import RunOptions, over_seeds, train_folder

    settings, options = (
        load_config(config, overrides or []),
        RunOptions(warm_start, tensorboard, quiet=as_json),
    )
    reports = []
    for extra in range(seeds):
        training = attrs.evolve(settings.training, seed=settings.training.seed + extra)
        run = out if seeds == 1 else out / f"seed-{training.seed}"
        report = train_folder(attrs.evolve(settings, training=training), data, run, options)
        if report is not None:
            reports.append(report)
            _print_report(report, as_json=as_json)
    if len(reports) > 1:
        for name, (mean, spread) in over_seeds(reports).items():
            typer.echo(f"{name}: {mean:.4f} ± {spread:.4f} over {len(reports)} seeds", err=as_json)


@app.command()
def evaluate(
    checkpoint: Annotated[Path, typer.Option("--checkpoint", help="A checkpoint, or a run folder.")],
    data: Annotated[Path, typer.Option("--data", "-d", help="Folder with shards.")],
    as_json: JsonOption = False,
) -> None:
    """Metrics of a checkpoint's calibrated probabilities."""
    from components.models.heavy_ranker import trainer
    from components.models.heavy_ranker.datasets import ParquetDataset
    from components.models.heavy_ranker.listeners import metrics_table, without_nan
    from components.models.heavy_ranker.predictor import Predictor

    metrics = trainer.evaluate(Predictor.load(checkpoint), ParquetDataset.open(data))
    if as_json:
        typer.echo(json.dumps(without_nan(metrics)))
    else:
        _print_table(metrics_table(metrics, str(data)))


@app.command()
def calibrate(
    checkpoint: Annotated[Path, typer.Option("--checkpoint", help="A checkpoint, or a run folder.")],
    data: Annotated[Path, typer.Option("--data", "-d", help="Shards from after the training period.")],
) -> None:
    """Fit every head's calibration anew and store it with the checkpoint."""
    from components.models.heavy_ranker import trainer
    from components.models.heavy_ranker.checkpoint import CALIBRATION, locate
    from components.models.heavy_ranker.datasets import ParquetDataset
    from components.models.heavy_ranker.predictor import Predictor

    fitted = trainer.calibrate(Predictor.load(checkpoint), ParquetDataset.open(data))
    fitted.save(locate(checkpoint) / CALIBRATION)
    for head, calibrator in fitted.heads.items():
        typer.echo(f"{head:50} {calibrator.kind}")


@app.command()
def quantize(
    checkpoint: Annotated[Path, typer.Option("--checkpoint", help="A checkpoint, or a run folder.")],
    data: Annotated[Path, typer.Option("--data", "-d", help="Shards of which the first rows are stored.")],
    rows: Annotated[int, typer.Option(min=2, help="Half fix the ranges, half check the answer.")] = 2048,
    bound: Annotated[float, typer.Option(help="Refuse weights that move a probability further.")] = 0.05,
) -> None:
    """Store the rows that int8 needs beside a checkpoint, if int8 moves probabilities little enough."""
    from components.models.heavy_ranker import quantize as int8
    from components.models.heavy_ranker.datasets import ParquetDataset, in_order
    from components.models.heavy_ranker.predictor import Predictor

    sample = next(in_order(ParquetDataset.open(data), rows))
    found = int8.quantize(Predictor.load(checkpoint), sample, bound)
    int8.store_sample(checkpoint, sample)
    typer.echo(f"probabilities move by {found.mean:.5f} in the mean and {found.largest:.4f} at most")


@app.command()
def drift(
    checkpoint: Annotated[Path, typer.Option("--checkpoint", help="A checkpoint, or a run folder.")],
    before: Annotated[Path, typer.Option(help="Shards that the checkpoint was calibrated on.")],
    now: Annotated[Path, typer.Option(help="Newer shards.")],
    as_json: JsonOption = False,
) -> None:
    """Compare calibration and predicted distribution with a later slice."""
    from components.models.heavy_ranker import trainer
    from components.models.heavy_ranker.datasets import ParquetDataset
    from components.models.heavy_ranker.drift import Slice, drift_report
    from components.models.heavy_ranker.predictor import Predictor

    predictor = Predictor.load(checkpoint)
    slices = [Slice(*trainer.score(predictor, ParquetDataset.open(folder))[:2]) for folder in (before, now)]
    report = drift_report(predictor.heads, predictor.calibration, *slices)
    if as_json:
        typer.echo(
            json.dumps({head: {**attrs.asdict(d), "drifted": d.drifted} for head, d in report.items()})
        )
        return
    for head, d in report.items():
        mark = "DRIFTED" if d.drifted else "ok"
        typer.echo(
            f"{head:50} {mark:8} p/y {d.ratio_before:.3f} -> {d.ratio_now:.3f} (± {d.standard_error:.3f}), "
            f"ECE {d.ece_now:.4f}, PSI {d.stability_index:.4f}"
        )


@app.command()
def fit(
    train_file: Annotated[Path, typer.Option("--train", help="CSV, libsvm or libffm click log.")],
    valid_file: Annotated[Path, typer.Option("--valid", help="Early stopping and calibration.")],
    test_file: Annotated[Path, typer.Option("--test", help="Reported.")],
    config: Annotated[
        str | None,
        typer.Option(
            "--config", "-c", help=f"A YAML file, or a preset: {', '.join(preset_names(CLICK_PRESETS))}."
        ),
    ] = None,
    overrides: SetOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", callback=folder_to_write, help="Keep checkpoint and vocabulary here."),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Fit with this many seeds from fit.seed on, in OUT/seed-N.")
    ] = 1,
    as_json: JsonOption = False,
) -> None:
    """Fit a click model on public files; AUC and log loss before and after calibration."""
    from components.models.heavy_ranker.fit import Files, Splits, fit_click_log, load_click_config, over_seeds

    settings = load_click_config(config, overrides or [])
    splits = Splits.read(settings.data, Files(train_file, valid_file, test_file))
    reports = []
    for number in range(settings.fit.seed, settings.fit.seed + seeds):
        once = attrs.evolve(settings, fit=attrs.evolve(settings.fit, seed=number))
        folder = out / f"seed-{number}" if out is not None and seeds > 1 else out
        reports.append(fit_click_log(once, splits, folder, quiet=as_json))
        _print_fit(f"seed {number}", attrs.asdict(reports[-1]), as_json=as_json)
    if seeds > 1:
        for name, values in over_seeds(reports).items():
            _print_fit(f"{name} of {seeds} seeds", {"over_seeds": name, **values}, as_json=as_json)


def _print_fit(title: str, values: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(values))
        return
    typer.echo(f"{title}, {values['epochs']:g} epochs; test split")
    typer.echo(f"  raw         AUC {values['auc']:.6f}  log loss {values['log_loss']:.6f}")
    typer.echo(
        f"  calibrated  AUC {values['auc_calibrated']:.6f}  log loss {values['log_loss_calibrated']:.6f}"
    )


def _print_report(report: RunReport, *, as_json: bool) -> None:
    from components.models.heavy_ranker.listeners import metrics_table, without_nan

    if as_json:
        both = {"raw": without_nan(report.raw), "calibrated": without_nan(report.calibrated)}
        typer.echo(json.dumps({"best_step": report.progress.best_step, **both}))
        return
    title = f"test split, calibrated (best step {report.progress.best_step})"
    _print_table(metrics_table(report.calibrated, title))


def _print_table(table: Table) -> None:
    console = Console()
    # A pipe has no width; a terminal has its own.
    (console if console.is_terminal else Console(width=140)).print(table)
