"""``FeatureStore``: a table of 32-bit floats on disk, a row an id, read through memory mapping."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from components.files import atomic_file
from components.stores.ids import IdIndex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

FORMAT = "mixer.features/1"
_PREFIX = struct.Struct("<8sII")  # magic, length and CRC-32 of the header that follows
_MAGIC = b"MIXFEAT\n"
_ALIGNED = 64
_ROWS_AT_ONCE = 65_536


@attrs.frozen(eq=False)
class FeatureStore:
    """Features by id, in one file that is never changed, only replaced as a whole.

    The file holds a header, the ids in ascending order, and the values row by row, so that the features of one id lie
    side by side. Readers share its pages; one that has the file open keeps reading what it opened when another
    process replaces it.

    Args:
        path: where it was read from.
        index: ids in ascending order.
        names: of the features.
        values: ``(ids, features)``, memory-mapped.
    """

    path: Path
    index: IdIndex = attrs.field(repr=False)
    names: tuple[str, ...]
    values: NDArray[np.float32] = attrs.field(repr=False)

    @staticmethod
    def write(path: str | Path, ids: ArrayLike, names: Sequence[str], values: ArrayLike) -> None:
        """Write a file that appears whole or not at all.

        Args:
            path: the file; an older one is replaced.
            ids: ``(n,)`` distinct, in any order.
            names: of the ``f`` features, distinct.
            values: ``(n, f)`` floats; read in blocks, so that it may be memory-mapped itself.

        Raises:
            ValueError: ids or names repeat, or the shapes do not fit.
        """
        keys, table = np.asarray(ids, dtype=np.int64), np.asarray(values)
        _check(keys, names, table)
        order = np.argsort(keys)
        header = json.dumps({"format": FORMAT, "names": list(names), "ids": len(keys)}).encode()
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            file.write(_PREFIX.pack(_MAGIC, len(header), zlib.crc32(header)))
            file.write(header.ljust(_begin_of_ids(len(header)) - _PREFIX.size, b" "))
            file.write(keys[order].astype("<i8").tobytes())
            for begin in range(0, len(order), _ROWS_AT_ONCE):
                rows = table[order[begin : begin + _ROWS_AT_ONCE]]
                file.write(np.ascontiguousarray(rows, dtype="<f4").tobytes())

    @classmethod
    def open(cls, path: str | Path) -> FeatureStore:
        """Map a file that :meth:`write` made; values are read from the disk when they are asked for.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is no feature store of this version, or damaged.
        """
        file = Path(path)
        header, begin = _read_header(file)
        count, names = int(header["ids"]), tuple(header["names"])
        middle = begin + count * 8
        expected, got = middle + count * len(names) * 4, file.stat().st_size
        if expected != got:
            raise ValueError(
                f"{file}: expected {expected} bytes for {count} ids of {len(names)} features, got {got}"
            )
        ids = np.fromfile(file, dtype="<i8", count=count, offset=begin)
        if (ids[1:] <= ids[:-1]).any():
            raise ValueError(f"{file}: expected ids in ascending order, got others")
        shape = (count, len(names))
        empty = not count or not names  # which cannot be mapped
        values = (
            np.zeros(shape, np.float32) if empty else np.memmap(file, "<f4", "r", offset=middle, shape=shape)
        )
        return cls(file, IdIndex(ids), names, np.asarray(values))

    def __len__(self) -> int:
        return len(self.index)

    def get(
        self, ids: ArrayLike, names: Sequence[str] | None = None, default: float = np.nan
    ) -> NDArray[np.float32]:
        """``(n, f)`` features of many ids at once.

        Args:
            ids: ``(n,)``.
            names: which features, in which order; all unless given.
            default: for ids that are not here.

        Raises:
            KeyError: no feature of that name.
        """
        wanted = np.asarray(ids, dtype=np.int64)
        if not len(self.index):
            found = np.full((len(wanted), len(self.names)), default, dtype=np.float32)
        else:
            # In ascending order, neighbouring searches and rows share cache lines and pages: half the time.
            order = np.argsort(wanted)
            rows = self.index.rows_of(wanted[order])
            found = np.empty((len(wanted), len(self.names)), dtype=np.float32)
            found[order] = self.values.take(rows, axis=0, mode="clip")
            found[order[rows < 0]] = default
        return found if names is None else found[:, [self._place(name) for name in names]]

    def column(self, name: str) -> NDArray[np.float32]:
        """``(ids,)`` one feature of all ids, in order of id; a view.

        Raises:
            KeyError: no feature of that name.
        """
        return self.values[:, self._place(name)]

    def _place(self, name: str) -> int:
        try:
            return self.names.index(name)
        except ValueError:
            raise KeyError(f"{self.path}: no feature {name!r}; features: {', '.join(self.names)}") from None


def _check(ids: NDArray[np.int64], names: Sequence[str], values: NDArray[Any]) -> None:
    if values.shape != (len(ids), len(names)):
        raise ValueError(f"expected values of shape {(len(ids), len(names))}, got {values.shape}")
    if len(set(names)) < len(names):
        raise ValueError(f"expected distinct names, got {list(names)}")
    repeated = len(ids) - len(np.unique(ids))
    if repeated:
        raise ValueError(f"expected distinct ids, got {repeated} repeated")


def _begin_of_ids(header: int) -> int:
    return -(-(_PREFIX.size + header) // _ALIGNED) * _ALIGNED


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """The header, and where the ids begin."""
    with path.open("rb") as file:
        prefix = file.read(_PREFIX.size)
        if len(prefix) < _PREFIX.size or not prefix.startswith(_MAGIC):
            raise ValueError(f"{path}: expected a feature store ({FORMAT}), got {prefix[:8]!r}")
        _, length, checksum = _PREFIX.unpack(prefix)
        text = file.read(length)
    if zlib.crc32(text) != checksum:
        raise ValueError(f"{path}: expected a header with checksum {checksum}, got {zlib.crc32(text)}")
    header = json.loads(text)
    if header["format"] != FORMAT:
        raise ValueError(f"{path}: expected format {FORMAT}, got {header['format']!r}")
    return header, _begin_of_ids(length)
