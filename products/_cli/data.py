"""Data and trained rankers for a product: read or generated, and kept in the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from types import ModuleType

import attrs
import numpy as np
from rich.console import Console
from rich.progress import Progress

from components.datasets import SIZES, DataError, Dataset, Truth, load, load_world
from components.stores.from_dataset import stores_of
from components.stores.stores import Stores

Track = Callable[[Iterable[int]], Iterable[int]]


@attrs.frozen
class Loaded:
    """A data set, ready to serve from; with the truth behind it, if it is a synthetic world."""

    data: Dataset
    stores: Stores
    truth: Truth | None = None

    @property
    def follows_are_interactions(self) -> bool:
        """True where nobody follows, and whom somebody acted upon stands in for it."""
        return not len(self.data.follows)


@attrs.frozen
class Bars:
    """Progress bars on standard error, for people only."""

    console: Console = attrs.field(factory=lambda: Console(stderr=True))

    @contextmanager
    def step(self, description: str, total: float | None = None) -> Iterator[Callable[[], None]]:
        """A bar while the block runs; call what it gives to advance."""
        bar = Progress(console=self.console, transient=True, disable=not self.console.is_terminal)
        with bar:
            task = bar.add_task(description, total=total)
            yield lambda: bar.advance(task)

    def track(self, description: str) -> Track:
        """Shows how far an iteration has come."""

        def tracked(values: Iterable[int]) -> Iterator[int]:
            listed = list(values)
            with self.step(description, len(listed)) as advance:
                for value in listed:
                    yield value
                    advance()

        return tracked


def open_data(path: Path | None, world: str, seed: int, bars: Bars) -> Loaded:
    """The data set at a path, or the embedded world.

    Raises:
        DataError: the data cannot be used.
        ValueError: no such world, or a negative seed.
    """
    if seed < 0:
        raise ValueError(f"--seed: expected 0 or more, got {seed}")
    if world not in SIZES:
        raise ValueError(f"--world: expected one of {', '.join(SIZES)}, got {world!r}")
    if path is None:
        with bars.step("making the world") as advance:
            made = load_world(world, seed, progress=lambda _: advance())
        return Loaded(made.dataset, stores_of(made.dataset), made.truth)
    with bars.step(f"reading {path}"):
        data = load(path)
    return Loaded(data, stores_of(data))


def report(data: Dataset, console: Console) -> None:
    """Say what was read and what was left out, if the data came from outside."""
    if data.report.rows:
        console.print(f"{data.name}: {data.report.in_words()}", style="dim", highlight=False, soft_wrap=True)


def require(data: Dataset, product: str, *tables: str) -> None:
    """Raise DataError unless one of the tables has rows."""
    if not any(len(data[table]) for table in tables):
        rows = ", ".join(f"{len(table):,} {name}" for name, table in data.tables.items() if len(table))
        raise DataError(data.name, [f"{product} needs {' or '.join(tables)}, got {rows or 'no rows at all'}"])


def default_user(stores: Stores) -> int:
    """A user who follows many and engages much."""
    everybody = np.arange(len(stores.users))
    activity = stores.follows.degrees(everybody) * (1 + stores.engagements.degrees(everybody))
    return int(stores.users.ids[np.argmax(activity)])


def chosen_user(stores: Stores, user: int | None) -> int:
    """The user that was asked for, or a busy one.

    Raises:
        ValueError: there is no such user.
    """
    if user is None:
        return default_user(stores)
    if stores.users.row_of(user) < 0:
        example = default_user(stores)
        raise ValueError(
            f"--user: expected one of the {len(stores.users):,} users, such as {example}, got {user}"
        )
    return user


def fingerprint(version: Iterable[object], stores: Stores) -> str:
    """A name for what depends on modules (their source counts), values and the data."""
    digest = blake2b(digest_size=10)
    for part in version:
        source = (
            Path(part.__file__ or "").read_bytes() if isinstance(part, ModuleType) else repr(part).encode()
        )
        digest.update(source)
    arrays = [stores.users.ids, stores.posts.created_ms, stores.posts.author]
    for graph in stores.graphs.values():
        arrays += [graph.starts, graph.ends, graph.time_ms]
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
