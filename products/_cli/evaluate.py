"""Judge a product from the command line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import anyio
import attrs
from rich.table import Table

from components.evaluation import Interval, Report, plot_segments
from products._cli.application import Application, Workshop, values_of
from products._cli.choices import Choices
from products._cli.data import Bars, fingerprint
from products._cli.serve import console_of, resolved_params
from products._offline.measure import DEPTH, MAIN, PLANTED, TOP, Settings, measured
from products._offline.reliability import reliability


@attrs.frozen(kw_only=True)
class EvaluateOptions:
    """What was asked for."""

    data: Path | None
    users: int
    as_json: bool
    seed: int
    world: str
    params: Path | None
    plots: Path | None
    resume: Path | None
    ablate: bool
    shown: bool
    choices: Choices

    def check(self) -> None:
        """Raise ValueError for the first option that makes no sense."""
        if self.users < 1:
            raise ValueError(f"--users: expected 1 or more, got {self.users}")
        if self.shown and self.ablate:
            raise ValueError("--shown: expected without --ablate, for only the ranker is judged")


def evaluate(application: Application, options: EvaluateOptions) -> None:
    """Judge the product and print a report.

    Raises:
        MixerError, ValueError: with what was expected and what came.
    """
    anyio.run(_evaluate, application, options)


async def _evaluate(application: Application, options: EvaluateOptions) -> None:
    options.check()
    application.check(options.choices)
    bars, offline = Bars(), application.shown if options.shown else application.offline
    if offline is None:
        raise ValueError(f"--shown: {application.name} cannot be judged by what was shown; leave it out")
    loaded = application.open(options.data, options.world, options.seed, bars)
    params = resolved_params(application.settings, loaded.data.name, options.params)
    trial = offline.trial(loaded, options.users, options.seed)
    workshop = Workshop(trial.past, trial.now, params, options.choices, bars)
    ours = await application.flow(workshop)
    identity = {
        "version": fingerprint(values_of(params), loaded.stores),
        "users": options.users,
        "protocol": trial.protocol,
        "parts": [part.path.name for part in workshop.made],
    }
    settings = Settings(params, options.seed, identity, options.resume)
    systems = dict(offline.systems(trial, ours)) | (offline.ablated(ours) if options.ablate else {})
    judged = await measured(offline, trial, systems, settings)
    if options.plots is not None:
        options.plots.mkdir(parents=True, exist_ok=True)
        plot_segments(judged, MAIN, options.plots / "segments.png")
        judged = judged.with_rows(await reliability(offline, trial, ours, settings, options.plots))
    if options.as_json:
        print(judged.to_json())  # noqa: T201
    else:
        _show(application.name, loaded.data.name, judged)


QUALITY = (MAIN, f"recall@{TOP}", f"hit_rate@{TOP}", PLANTED)
REST = (f"recall@{DEPTH}", f"unique@{DEPTH}", "in_network", "age_h", "author_gini", "coverage", "empty", "ms")
"""Columns of the tables; the JSON has every metric and segment."""


def _show(product: str, data: str, judged: Report) -> None:
    console, systems = console_of(), list(dict.fromkeys(row.system for row in judged.rows))
    differences = [name for name in systems if " - " in name]
    plain = [name for name in systems if name not in differences]
    title = f"{product} on {data}: {judged.settings['protocol']}"
    console.print(_table(judged, title, plain, QUALITY, limits=True))
    console.print(_table(judged, "what is found, and what is shown", plain, REST, limits=False))
    console.print(_table(judged, "differences, paired by viewer", differences, (MAIN, PLANTED), limits=True))


def _table(
    judged: Report, title: str, systems: Sequence[str], metrics: Sequence[str], *, limits: bool
) -> Table:
    cells = {(row.system, row.metric): row.interval for row in judged.rows if row.segment == "all"}
    metrics = [name for name in metrics if any((system, name) in cells for system in systems)]
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("system", no_wrap=True)
    for name in metrics:
        table.add_column(name, justify="right", no_wrap=True)
    for system in systems:
        if any((system, name) in cells for name in metrics):
            table.add_row(system, *(_cell(cells.get((system, name)), limits) for name in metrics))
    return table


def _cell(interval: Interval | None, limits: bool) -> str:
    if interval is None or math.isnan(interval.estimate):
        return ""
    if not limits or math.isnan(interval.low):
        return f"{interval.estimate:.3f}"
    return f"{interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
