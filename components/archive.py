"""How what was trained is saved: one ``.npz`` file with arrays and a JSON header that names its format."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from components.files import atomic_file

Header: TypeAlias = dict[str, Any]  # what JSON can say
Arrays: TypeAlias = dict[str, NDArray[Any]]


def write_archive(path: str | Path, format: str, header: Mapping[str, Any], arrays: Arrays) -> None:
    """Writes an archive that appears whole or not at all.

    Args:
        format: name and version of what is saved, such as ``mixer.twhin/1``.
    """
    text = json.dumps({"format": format, **header})
    members: dict[str, Any] = {"header": np.array(text), **arrays}
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **members)


def read_archive(path: str | Path, format: str, names: Sequence[str] = ()) -> tuple[Header, Arrays]:
    """Reads what ``write_archive`` wrote; nothing is unpickled.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, of another format or version, or lacks one of ``names``.
    """
    try:
        # Given a path, NumPy leaves damaged archives open.
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            header = json.loads(str(archive["header"]))
            arrays = {name: archive[name] for name in archive.files if name != "header"}
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: expected an archive of format {format}, got {error}") from error
    if header.get("format") != format:
        raise ValueError(f"{path}: expected format {format}, got {header.get('format')!r}")
    missing = sorted(set(names) - set(arrays))
    if missing:
        raise ValueError(f"{path}: expected arrays {sorted(names)}, got none named {missing}")
    return header, arrays


def pack_sparse(name: str, matrix: sparse.csr_array) -> Arrays:
    """The arrays of a sparse matrix under names that begin with ``name``."""
    shape = np.array(matrix.shape, dtype=np.int64)
    parts = {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr, "shape": shape}
    return {f"{name}.{part}": array for part, array in parts.items()}


def unpack_sparse(name: str, arrays: Arrays) -> sparse.csr_array:
    """The sparse matrix that ``pack_sparse`` took apart."""
    data, indices, indptr, shape = (
        arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr", "shape")
    )
    return sparse.csr_array((data, indices, indptr), shape=tuple(int(size) for size in shape))
