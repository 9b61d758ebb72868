"""What long training tells its caller."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import attrs


@attrs.frozen
class Progress:
    """One step of a stage is done: ``done`` of ``total``, with what was measured on the way."""

    stage: str
    done: int
    total: int
    metrics: Mapping[str, float] = attrs.field(factory=dict)


ProgressListener: TypeAlias = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Listens to nothing."""


@contextlib.contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[ProgressListener]:
    """Yields a listener that draws one bar a stage on standard error, or a silent one; needs ``rich``."""
    if quiet:
        yield silent
        return
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    tasks: dict[str, TaskID] = {}
    with Bars(console=Console(stderr=True)) as bars:

        def listen(progress: Progress) -> None:
            stage = progress.stage
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=progress.total)
            metrics = " ".join(f"{name} {value:.4g}" for name, value in progress.metrics.items())
            bars.update(tasks[stage], completed=progress.done, description=f"{stage} {metrics}".strip())

        yield listen
