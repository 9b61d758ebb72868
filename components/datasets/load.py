"""One way in: a name or a path, and out comes a data set."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path

import attrs
import numpy as np

from components.datasets import edge_list, folder_of_csv, higgs, lastfm, movielens
from components.datasets.dataset import Dataset
from components.datasets.errors import DataError
from components.datasets.events import EventLog
from components.datasets.files import cache_directory, members
from components.datasets.truth import Truth
from components.datasets.world import World, generate
from components.files import atomic_folder

KINDS: tuple[tuple[Callable[[Path], bool], Callable[[Path], Dataset]], ...] = (
    (lambda path: (path / "dataset.json").is_file(), Dataset.open),
    (lambda path: path.suffix == ".jsonl", lambda path: EventLog(path).to_dataset(path.stem)),
    (lastfm.is_lastfm, lastfm.load_lastfm),
    (higgs.is_higgs, higgs.load_higgs),
    (movielens.is_movielens, movielens.load_movielens),
    (folder_of_csv.is_folder_of_csv, folder_of_csv.load_folder_of_csv),
    (edge_list.is_edge_list, edge_list.load_edge_list),
)
"""How each kind of data is recognised and read; the first that fits wins."""


def load(path: str | os.PathLike[str]) -> Dataset:
    """The data set at a path, as a directory or as the archive or file of its publisher.

    One of: what :meth:`Dataset.save` wrote, Last.fm, Higgs, MovieLens, CSV files named after the tables of the
    schema, a list of edges, an event log (``.jsonl``).

    Raises:
        DataError: nothing is there, it is none of these, or it is damaged.
    """
    place = Path(path)
    if not place.exists():
        raise DataError(str(place), ["expected a directory or file, found nothing there"])
    for recognised, read in KINDS:
        if recognised(place):
            try:
                return read(place)
            except ModuleNotFoundError as error:
                needs = f"reading it needs {error.name}, which the extra 'arrow' installs"
                raise DataError(str(place), [needs]) from error
    found = ", ".join(Path(name).name for name in members(place)[:6]) or "nothing"
    known = (
        f"{lastfm.MEMBER} (Last.fm), {higgs.MEMBER} (Higgs), ratings.csv (MovieLens), posts.csv and the like (your"
        " own), dataset.json (saved), *.jsonl (an event log) or a list of edges"
    )
    raise DataError(str(place), [f"expected {known}, got {found}"])


def load_named(name: str, seed: int = 0) -> Dataset:
    """What a command line names: ``world:SIZE`` (or ``world-SIZE``; ``world`` is the small one), else a path.

    Args:
        name: of a world, or a path.
        seed: of the world.

    Raises:
        DataError: there is no such data set, or it is damaged.
        ValueError: there is no such world.
    """
    kind, separator, size = name.replace("-", ":", 1).partition(":")
    if kind == "world" and not Path(name).exists():
        return load_world(size if separator else "small", seed).dataset
    return load(name)


def load_world(
    size: str = "small",
    seed: int = 0,
    cache: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> World:
    """The synthetic world of a size and seed: generated once, then read from the cache.

    The cache is private to the user who runs this; what an older generator made, or is damaged, is made anew.
    """
    folder = (cache or cache_directory()) / f"world-{size}-{seed}-{_version()}"
    if folder.exists():
        try:
            return _open_world(folder, size, seed)
        except (DataError, OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
            pass  # damaged, and replaced below
    made = generate(size, seed, progress)
    if find_spec("pyarrow") is None:
        return made  # nothing can be kept without the extra "arrow"
    with atomic_folder(folder) as temporary:
        made.dataset.save(temporary / "data")
        np.savez(temporary / "truth.npz", **attrs.asdict(made.truth, recurse=False))
        np.save(temporary / "vectors.npy", made.vectors)
    return made


def _open_world(folder: Path, size: str, seed: int) -> World:
    with (folder / "truth.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        truth = Truth(**{name: arrays[name] for name in arrays.files})
    vectors = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
    return World(Dataset.open(folder / "data", checked=True), truth, seed, size, vectors)


def _version() -> str:
    """Changes whenever the code that makes worlds does."""
    here = Path(__file__).parent
    sources = [
        path for name in ("world*.py", "truth*.py", "words*.py", "schema.py") for path in here.glob(name)
    ]
    return blake2b(b"".join(path.read_bytes() for path in sorted(sources)), digest_size=6).hexdigest()
