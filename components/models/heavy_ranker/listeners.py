"""Who hears of a training run: a log file, a progress bar, TensorBoard."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Self

import attrs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from components.files import atomic_file
from components.models.heavy_ranker.metrics import COLUMNS, HeadMetrics, mean_over_heads
from mixer.errors import MissingExtraError

if TYPE_CHECKING:
    from pathlib import Path

console = Console(stderr=True)


@attrs.frozen
class JsonLinesLog:
    """One JSON object a line: ``{"step", "losses"}`` or ``{"step", "metrics"}``; undefined metrics are null."""

    path: Path

    @classmethod
    def resumed_at(cls, path: Path, step: int) -> JsonLinesLog:
        """Drops what a killed run wrote after its last checkpoint: those steps will be taken again."""
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        # A killed process may leave half a line.
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        with atomic_file(path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        return cls(path)

    def on_step(self, step: int, losses: dict[str, float]) -> None:
        self._append({"step": step, "losses": losses})

    def on_evaluation(self, step: int, metrics: HeadMetrics) -> None:
        self._append({"step": step, "metrics": without_nan(metrics)})

    def _append(self, entry: dict[str, object]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


class ProgressBar:
    """A bar on standard error with the loss and the last mean AUC."""

    def __init__(self, steps: int, done: int) -> None:
        columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, TextColumn("{task.fields[note]}"), console=console)
        self._task = self._bar.add_task("training", total=steps, completed=done, note="")
        self._auc = ""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def on_step(self, step: int, losses: dict[str, float]) -> None:
        note = f"loss {sum(losses.values()) / len(losses):.4f}{self._auc}"
        self._bar.update(self._task, completed=step, note=note)

    def on_evaluation(self, step: int, metrics: HeadMetrics) -> None:
        self._auc = f" · AUC {mean_over_heads(metrics, 'auc'):.4f}"


class TensorBoardLog:
    """Scalars ``loss/HEAD`` and ``METRIC/HEAD`` in TensorBoard's event files.

    Raises:
        MissingExtraError: tensorboardX is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise MissingExtraError("TensorBoard logs", "tensorboard") from error
        self._writer = SummaryWriter(str(folder))

    def on_step(self, step: int, losses: dict[str, float]) -> None:
        for head, loss in losses.items():
            self._writer.add_scalar(f"loss/{head}", loss, step)

    def on_evaluation(self, step: int, metrics: HeadMetrics) -> None:
        for head, values in metrics.items():
            for name, value in values.items():
                self._writer.add_scalar(f"{name}/{head}", value, step)
        self._writer.flush()


def without_nan(metrics: HeadMetrics) -> dict[str, dict[str, float | None]]:
    """JSON has no NaN: an undefined metric is null."""
    return {
        head: {name: None if math.isnan(value) else value for name, value in values.items()}
        for head, values in metrics.items()
    }


def metrics_table(metrics: HeadMetrics, title: str) -> Table:
    """Heads as rows, metrics as columns, the mean below."""
    table = Table(title=title)
    table.add_column("head", no_wrap=True)
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for head, values in metrics.items():
        table.add_row(head, *(f"{values[column]:.4g}" for column in COLUMNS))
    table.add_section()
    table.add_row("mean", *(f"{mean_over_heads(metrics, column):.4g}" for column in COLUMNS))
    return table
