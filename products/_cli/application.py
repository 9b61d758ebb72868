"""What the command lines have to know about a product, and what a product gets to be built from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any, TypeVar

import attrs
from rich.table import Table

from components.datasets.files import cache_directory
from components.stores.types import Viewer
from mixer import RecommendationFlow, RecommendationResult
from mixer.params import Params
from products._cli.answer import Row
from products._cli.choices import Choices
from products._cli.data import Bars, Loaded, fingerprint, open_data, report, require
from products._offline.trial import Offline

M = TypeVar("M")


@attrs.define
class Workshop:
    """Where the parts of a flow are made, once, and kept.

    Args:
        past: what may be learned from.
        now: what is served from, as of the time of each request; the same data, or more of them.
        params: of the product.
        choices: what was asked for.
        bars: show how far it is.
        made: what was made here, in order.
    """

    past: Loaded
    now: Loaded
    params: Params
    choices: Choices
    bars: Bars = attrs.field(factory=Bars)
    made: list[Made] = attrs.field(factory=list)

    async def part(
        self,
        name: str,
        version: Sequence[object],
        load: Callable[[Path], M],
        make: Callable[[Path], Awaitable[M]],
    ) -> M:
        """A part, read from the cache, or made there.

        Args:
            name: of the part; begins its file's name.
            version: what it depends on besides the data it learned from: modules and values.
            load: reads it; a ValueError means that it has to be made anew.
            make: makes it and leaves it at the path, whole or not at all.
        """
        key = fingerprint((*version, self.choices.seed, values_of(self.params)), self.past.stores)
        path = cache_directory() / f"{name}-{key}"
        begin = perf_counter()
        if path.exists():
            try:
                part = load(path)
            except ValueError:
                part = await make(path)  # damaged
            else:
                self.made.append(Made(name, path, perf_counter() - begin, kept=True))
                return part
        else:
            part = await make(path)
        self.made.append(Made(name, path, perf_counter() - begin, kept=False))
        return part


@attrs.frozen
class Made:
    """A part: where it is kept, and how long it took to make, or to read if it was there."""

    name: str
    path: Path
    seconds: float
    kept: bool


@attrs.frozen
class Application:
    """A product, as command lines see it.

    Args:
        name: of the product and its flow.
        needs: tables of which at least one must have rows.
        settings: the module that declares parameters, with ``PRESETS`` by name of a data set.
        rankers: names to choose from, the default first.
        flow: builds the flow.
        page: how an answer looks.
        offline: how it is judged.
        shown: how its ranker is judged on what viewers were shown; None where that says nothing.
        viewer: what is known about a viewer besides the data.
    """

    name: str
    needs: tuple[str, ...]
    settings: ModuleType
    rankers: tuple[str, ...]
    flow: Callable[[Workshop], Awaitable[RecommendationFlow[Viewer, Any]]]
    page: Page
    offline: Offline
    shown: Offline | None = None
    viewer: Callable[[Loaded, Viewer], Viewer] = lambda _loaded, viewer: viewer

    def open(self, data: Path | None, world: str, seed: int, bars: Bars) -> Loaded:
        """The data at a path or the embedded world; what was left out is told on standard error.

        Raises:
            DataError: the data cannot be used, or have nothing that the product needs.
            ValueError: no such world.
        """
        loaded = open_data(data, world, seed, bars)
        require(loaded.data, self.name, *self.needs)
        report(loaded.data, bars.console)
        return loaded

    def check(self, choices: Choices) -> None:
        """Raise ValueError unless there is such a ranker."""
        if choices.ranker not in self.rankers:
            raise ValueError(f"--ranker: expected one of {', '.join(self.rankers)}, got {choices.ranker!r}")


@attrs.frozen
class Page:
    """How the answers of a product look.

    Args:
        rows: ``(loaded, result)`` to a JSON object a candidate.
        table: ``(user, rows)`` to a table for people.
    """

    rows: Callable[[Loaded, RecommendationResult[Any]], list[Row]]
    table: Callable[[int, Sequence[Row]], Table]


def values_of(params: Params) -> list[tuple[str, object]]:
    """All parameters by name, for what depends on them."""
    settings: Mapping[str, Any] = params.explain()
    return [(name, setting.value) for name, setting in settings.items()]
