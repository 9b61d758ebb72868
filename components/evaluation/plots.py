"""PNG plots of calibration and of a metric by segment; needs matplotlib, imported on first use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from components.evaluation.bootstrap import Interval
from components.evaluation.calibration import Reliability
from components.evaluation.errors import InvalidInputError, require
from components.evaluation.report import Report
from components.files import atomic_file

__all__ = ["plot_reliability", "plot_segments"]

# matplotlib is optional and its objects are untyped here, hence Any for figures and axes.
Figure = Any


def plot_reliability(systems: Mapping[str, Reliability], path: Path) -> None:
    """Draws observed against predicted rate of each system's bins and writes a PNG.

    Both axes are logarithmic: base rates of 1e-3 would sit in a corner otherwise. Bins that observed nothing
    are left out.

    Raises:
        MissingPackageError: matplotlib is not installed.
        InvalidInputError: there is nothing to draw.
    """
    figure = _figure()
    axes = figure.add_subplot(xlabel="predicted rate", ylabel="observed rate", xscale="log", yscale="log")
    shown: list[float] = []
    for name, bins in systems.items():
        drawn = (bins.predicted > 0.0) & (bins.observed > 0.0)
        axes.plot(bins.predicted[drawn], bins.observed[drawn], marker="o", label=name)
        shown += [*bins.predicted[drawn], *bins.observed[drawn]]
    if not shown:
        raise InvalidInputError("systems: expected bins with observed positives, got none")
    limits = [min(shown), max(shown)]
    axes.plot(limits, limits, color="grey", linestyle="--", label="calibrated")
    axes.legend()
    _write(figure, path)


def plot_segments(report: Report, metric: str, path: Path) -> None:
    """Draws one metric of every system in every segment, with its limits, and writes a PNG.

    Raises:
        MissingPackageError: matplotlib is not installed.
        InvalidInputError: the report has no such metric.
    """
    rows = [row for row in report.rows if row.metric == metric]
    if not rows:
        known = sorted({row.metric for row in report.rows})
        raise InvalidInputError(f"metric: expected one of {known}, got {metric!r}")
    segments = list(dict.fromkeys(row.segment for row in rows))
    systems = list(dict.fromkeys(row.system for row in rows))
    figure = _figure()
    axes = figure.add_subplot(ylabel=metric, title=report.title)
    width = 0.8 / len(systems)
    for index, system in enumerate(systems):
        own = [row for row in rows if row.system == system]
        place = np.array([segments.index(row.segment) for row in own]) + (index + 0.5) * width - 0.4
        values, errors = [row.interval.estimate for row in own], [_error(row.interval) for row in own]
        axes.bar(place, values, width, yerr=np.transpose(errors), capsize=3, label=system)
    axes.set_xticks(range(len(segments)), segments)
    axes.legend()
    _write(figure, path)


def _error(interval: Interval) -> tuple[float, float]:
    # A percentile interval may leave its estimate out; an error bar cannot point inwards.
    if math.isnan(interval.low):
        return 0.0, 0.0
    return max(interval.estimate - interval.low, 0.0), max(interval.high - interval.estimate, 0.0)


def _figure() -> Figure:
    # A figure without pyplot: no global state, no display needed.
    return require("matplotlib.figure", "a plot").Figure(figsize=(7.0, 5.0), layout="constrained")


def _write(figure: Figure, path: Path) -> None:
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
