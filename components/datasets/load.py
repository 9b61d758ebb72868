"""One way in: a name or a path, and out comes a data set."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from components.datasets import lastfm, truth, words, world
from components.datasets.dataset import Dataset
from components.datasets.errors import DataError
from components.datasets.files import cache_directory, members
from components.datasets.higgs import is_higgs, load_higgs
from components.datasets.world import World, generate

_LOOKS_LIKE_TEXT = (".txt", ".txt.gz")


def load(path: str | os.PathLike[str]) -> Dataset:
    """The data set at a path: Last.fm or Higgs, as a directory or as the archive or file of its publisher.

    Raises:
        DataError: nothing is there, or it is neither.
    """
    place = Path(path)
    if not place.exists():
        raise DataError(str(place), ["expected a directory or file, found nothing there"])
    if lastfm.is_lastfm(place):
        return lastfm.load_lastfm(place)
    if is_higgs(place) or (place.is_file() and place.name.endswith(_LOOKS_LIKE_TEXT)):
        return load_higgs(place)
    found = ", ".join(Path(name).name for name in members(place)[:6]) or "nothing"
    raise DataError(
        str(place), [f"expected {lastfm.MEMBER} (Last.fm) or higgs-activity_time.txt (Higgs), got {found}"]
    )


def load_world(
    size: str = "small",
    seed: int = 0,
    cache: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> World:
    """The synthetic world of a size and seed: generated once, then read from the cache.

    The cache is private to the user who runs this; a file from an older generator, or a damaged one, is replaced.
    """
    directory = cache or cache_directory()
    path = directory / f"world-{size}-{seed}-{_version()}.pickle"
    if path.exists():
        try:
            return pickle.loads(path.read_bytes())  # noqa: S301 - our own file in the user's own cache
        except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError):
            path.unlink()
    made = generate(size, seed, progress)
    write_atomically(path, pickle.dumps(made, protocol=pickle.HIGHEST_PROTOCOL))
    return made


def write_atomically(path: Path, data: bytes) -> None:
    """Write to a temporary name beside ``path``, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as partial:
        partial.write(data)
    Path(partial.name).replace(path)


def _version() -> str:
    sources = (Path(module.__file__ or "").read_bytes() for module in (world, truth, words))
    return blake2b(b"".join(sources), digest_size=6).hexdigest()
