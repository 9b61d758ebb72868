"""Results of an offline run in a JSON-lines file that survives being killed and knows its configuration."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from components.evaluation.errors import InvalidInputError, JournalError
from components.files import atomic_file

__all__ = ["Journal", "Served", "config_hash"]

_FORMAT = 1


@attrs.frozen
class Served:
    """What one user got: item ids in order, how long it took, and the error if there was one."""

    user: int
    ids: tuple[int, ...] = attrs.field(converter=tuple)
    elapsed_ms: float
    error: str = ""


def config_hash(config: Mapping[str, object]) -> str:
    """A hash of a JSON-able configuration that does not depend on the order of its keys.

    Raises:
        InvalidInputError: a value cannot be written as JSON.
    """
    try:
        text = json.dumps(config, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"config: expected values that JSON can hold: {error}") from error
    return hashlib.sha256(text.encode()).hexdigest()


@attrs.frozen
class Journal:
    """One file a configuration: a header line, then one line a served user; the last line of a user counts.

    A line that was cut off by a crash is removed on opening. One process may write at a time.
    """

    path: Path
    served: dict[int, Served]

    @classmethod
    def open(cls, folder: Path, config: Mapping[str, object]) -> Journal:
        """Opens the configuration's file in the folder, or starts it.

        Raises:
            JournalError: the file belongs to another configuration, or a line before the last is damaged.
        """
        key = config_hash(config)
        path = folder / f"offline-{key[:16]}.jsonl"
        if not path.exists():
            header = {"format": _FORMAT, "hash": key, "config": config}
            with atomic_file(path) as temporary:
                temporary.write_text(json.dumps(header, sort_keys=True) + "\n", encoding="utf-8")
        header, *lines = _whole_lines(path)
        _check_header(path, header, key)
        served = (_parse(path, number, line) for number, line in enumerate(lines, start=2))
        return cls(path, {one.user: one for one in served})

    def append(self, served: Iterable[Served]) -> None:
        """Adds users with one write and waits until they are on the disk."""
        text = "".join(json.dumps(attrs.asdict(one)) + "\n" for one in served)
        with self.path.open("ab") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())


def _whole_lines(path: Path) -> list[bytes]:
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
    return content[:whole].splitlines() or [b""]


def _check_header(path: Path, line: bytes, key: str) -> None:
    try:
        header = json.loads(line)
        found = (header["format"], header["hash"])
    except (ValueError, KeyError, TypeError) as error:
        raise JournalError(
            f"{path}, line 1: expected the header of a results file, got {line[:60]!r}"
        ) from error
    if found != (_FORMAT, key):
        raise JournalError(f"{path}: expected format {_FORMAT} and configuration {key}, got {found}")


def _parse(path: Path, number: int, line: bytes) -> Served:
    try:
        return Served(**json.loads(line))
    except (ValueError, TypeError) as error:
        raise JournalError(f"{path}, line {number}: expected a served user, got {line[:60]!r}") from error
