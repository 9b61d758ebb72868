"""Reading what torch saved."""

from __future__ import annotations

import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch


def read_tensors(path: Path) -> Any:
    """What ``torch.save`` wrote there; only tensors and plain values are unpickled.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        _compare_checksums(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, UnpicklingError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: expected weights that torch saved, got a damaged file") from error


def _compare_checksums(path: Path) -> None:
    """Torch writes them, and does not look at them when it loads."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(damaged)
