"""How a snapshot lies on the disk: arrays behind a checksum, in one file that appears whole or not at all."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from components.datasets import DataError
from components.files import atomic_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_MAGIC = b"MIXSNAP1"
_PREFIX = struct.Struct("<8sQI")  # magic, length of what follows, its CRC-32
_PIECE = 1 << 22
_TEXT = "text of "
_LENGTHS = "lengths of "


def write_checkpoint(path: str | Path, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays of numbers or text; what was under the name before stays until the new file is on the disk."""
    members: dict[str, Any] = {"header": np.array(json.dumps(header)), **_without_objects(arrays)}
    with atomic_file(path) as temporary, temporary.open("w+b") as file:
        file.write(bytes(_PREFIX.size))
        np.savez(file, **members)
        prefix = _PREFIX.pack(_MAGIC, *_measured(file))
        file.seek(0)
        file.write(prefix)


def read_checkpoint(path: str | Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What ``write_checkpoint`` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        DataError: it is no snapshot of this version, or damaged; says what was expected and what came.
    """
    with Path(path).open("rb") as file:
        prefix = file.read(_PREFIX.size)
        if len(prefix) < _PREFIX.size or not prefix.startswith(_MAGIC):
            raise DataError(
                str(path), [f"expected a snapshot that begins with {_MAGIC!r}, got {prefix[:8]!r}"]
            )
        _, length, checksum = _PREFIX.unpack(prefix)
        got = _measured(file)
        if got != (length, checksum):
            expected = f"expected {length} bytes with checksum {checksum:08x}"
            raise DataError(str(path), [f"{expected}, got {got[0]} bytes with checksum {got[1]:08x}"])
        file.seek(_PREFIX.size)
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    return json.loads(str(arrays.pop("header"))), _with_objects(arrays)


def joined(parts: Mapping[str, Mapping[str, NDArray[Any]]], mark: str = ".") -> dict[str, NDArray[Any]]:
    """The arrays of all parts, by the name of the part, a mark, and their own name."""
    return {f"{part}{mark}{name}": array for part, arrays in parts.items() for name, array in arrays.items()}


def parted(arrays: Mapping[str, NDArray[Any]], mark: str = ".") -> dict[str, dict[str, NDArray[Any]]]:
    """What ``joined`` was given."""
    parts: dict[str, dict[str, NDArray[Any]]] = {}
    for name, array in arrays.items():
        part, own = name.split(mark, 1)
        parts.setdefault(part, {})[own] = array
    return parts


def _measured(file: IO[bytes]) -> tuple[int, int]:
    """Length and checksum of everything behind the prefix."""
    file.seek(_PREFIX.size)
    length = checksum = 0
    while piece := file.read(_PIECE):
        length, checksum = length + len(piece), zlib.crc32(piece, checksum)
    return length, checksum


def _without_objects(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Columns of text as bytes and lengths, so that nothing needs pickling."""
    plain: dict[str, NDArray[Any]] = {}
    for name, array in arrays.items():
        if array.dtype != object:
            plain[name] = array
            continue
        texts = [text.encode("utf-8", "surrogatepass") for text in array.tolist()]
        plain[_TEXT + name] = np.frombuffer(b"".join(texts), dtype=np.uint8)
        plain[_LENGTHS + name] = np.fromiter(map(len, texts), np.int64, len(texts))
    return plain


def _with_objects(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    whole: dict[str, NDArray[Any]] = {}
    for name, array in arrays.items():
        if name.startswith(_TEXT):
            of = name.removeprefix(_TEXT)
            whole[of] = _texts(array.tobytes(), arrays[_LENGTHS + of])
        elif not name.startswith(_LENGTHS):
            whole[name] = array
    return whole


def _texts(data: bytes, lengths: NDArray[np.int64]) -> NDArray[np.object_]:
    stops = np.cumsum(lengths)
    spans = zip((stops - lengths).tolist(), stops.tolist(), strict=True)
    texts = np.empty(len(lengths), dtype=object)
    texts[:] = [data[start:stop].decode("utf-8", "surrogatepass") for start, stop in spans]
    return texts
