"""Find and read members of a publisher's distribution: a directory, an archive, plain or gzipped files."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.datasets.errors import DataError


def members(path: Path) -> list[str]:
    """Names of the files in a directory or archive, or of the file itself."""
    if path.is_dir():
        return sorted(str(one.relative_to(path)) for one in path.rglob("*") if one.is_file())
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    if _is_tar(path):
        with tarfile.open(path) as archive:
            return archive.getnames()
    return [path.name]


def find(path: Path, wanted: str) -> str | None:
    """The member called ``wanted`` or ``wanted.gz``, in whatever folder."""
    return next((name for name in members(path) if Path(name).name in (wanted, wanted + ".gz")), None)


def read(path: Path, wanted: str) -> bytes:
    """The uncompressed bytes of a member.

    Raises:
        DataError: there is no such file or member, or it is damaged.
    """
    if not path.exists():
        raise DataError(str(path), ["expected a file or directory, found nothing there"])
    name = find(path, wanted)
    if name is None:
        found = ", ".join(Path(one).name for one in members(path)[:8])
        raise DataError(str(path), [f"expected a member {wanted} or {wanted}.gz, got {found or 'nothing'}"])
    try:
        data = _bytes(path, name)
        return gzip.decompress(data) if name.endswith(".gz") else data
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError) as error:
        raise DataError(f"{path}: {name}", [f"cannot be read: {error}"]) from error


def _bytes(path: Path, name: str) -> bytes:
    if path.is_dir():
        return (path / name).read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return archive.read(name)
    if _is_tar(path):
        with tarfile.open(path) as archive:
            member = archive.extractfile(name)
            return b"" if member is None else member.read()
    return path.read_bytes()


def _is_tar(path: Path) -> bool:
    return path.is_file() and not path.name.endswith(".txt.gz") and tarfile.is_tarfile(path)


def rows_of(
    path: Path,
    wanted: str,
    columns: int,
    *,
    separator: str = "\t",
    header: str | None = None,
    encoding: str = "utf-8",
) -> tuple[list[list[str]], int]:
    """Split lines of a member, and how many lines were bad (another number of columns).

    Raises:
        DataError: unreadable, or the first line is not ``header``, or no line is good.
    """
    text = io.StringIO(read(path, wanted).decode(encoding, errors="replace"))
    lines = [line.rstrip("\r\n") for line in text]
    if header is not None:
        first = lines[0] if lines else ""
        if first.split(separator)[: len(header.split(separator))] != header.split(separator):
            raise DataError(f"{path}: {wanted}", [f"expected the header {header!r}, got {first[:80]!r}"])
        lines = lines[1:]
    rows = [line.split(separator) for line in lines if line]
    good = [row for row in rows if len(row) == columns]
    if rows and not good:
        got = f"{len(rows[0])} in {lines[0][:80]!r}"
        raise DataError(f"{path}: {wanted}", [f"expected {columns} columns a line, got {got}"])
    return good, len(rows) - len(good)


def integers(rows: list[list[str]], columns: int, source: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """``(n, columns)`` integers of the first columns, and which rows are integers throughout.

    Raises:
        DataError: not one row is.
    """
    try:
        values = np.array([row[:columns] for row in rows], dtype=object).reshape(-1, columns).astype(np.int64)
        return values, np.ones(len(rows), dtype=bool)
    except (ValueError, OverflowError):
        parsed = [_integers(row[:columns]) for row in rows]
    good = np.array([one is not None for one in parsed], dtype=bool)
    if not good.any():
        raise DataError(source, [f"expected {columns} integers a line, got {rows[0][:columns]}"])
    return np.array([one or [0] * columns for one in parsed], dtype=np.int64), good


def _integers(cells: list[str]) -> list[int] | None:
    try:
        return [int(cell) for cell in cells]
    except ValueError:
        return None


def cache_directory() -> Path:
    """Where generated data are kept: ``MIXER_CACHE``, or ``mixer`` in the user's cache directory."""
    named = os.environ.get("MIXER_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mixer"
