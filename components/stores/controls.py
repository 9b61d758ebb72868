"""``ControlStore``: what each viewer asked of the timeline, with undo, kept in a file if wanted."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from filelock import FileLock

from components.files import atomic_file
from components.stores.types import Controls

_FORMAT = "mixer.controls/1"


class ControlStore:
    """Controls by viewer; a change is in force from the next request on, and can be taken back.

    Args:
        path: a JSON file that every change rewrites, whole or not at all; several processes may share it, and each is
            told what the others change. None keeps nothing.
        undo: how many changes of a viewer can be taken back.

    Raises:
        ValueError: the file is not one of these.
    """

    def __init__(self, path: Path | None = None, *, undo: int = 50) -> None:
        self.path = path
        self.undo_depth = undo
        self._states: dict[int, list[Controls]] = {}
        self._version: tuple[int, int, int] | None = None
        self._look()

    def of(self, viewer_id: int) -> Controls:
        """What is in force; the defaults for whoever never asked for anything."""
        self._look()
        return self._states.get(viewer_id, [Controls()])[-1]

    def change(self, viewer_id: int, **changes: Any) -> Controls:
        """Replace some controls, by name.

        Raises:
            TypeError: there is no such control.
            ValueError: a control cannot have that value.
        """
        with self._alone():
            changed = attrs.evolve(self.of(viewer_id), **changes)
            past = self._states.setdefault(viewer_id, [Controls()])
            past.append(changed)
            del past[: -self.undo_depth - 1]
            self._save()
        return changed

    def undoable(self, viewer_id: int) -> int:
        """How many changes can be taken back."""
        self._look()
        return len(self._states.get(viewer_id, [Controls()])) - 1

    def undo(self, viewer_id: int) -> Controls:
        """Take the latest change back; nothing happens when there is none."""
        with self._alone():
            if self.undoable(viewer_id):
                self._states[viewer_id].pop()
                self._save()
        return self.of(viewer_id)

    def reset_profile(self, viewer_id: int, now_ms: int) -> Controls:
        """Forget what was wished for, and do not count what the viewer did until now."""
        return self.change(viewer_id, **attrs.asdict(Controls(profile_since_ms=now_ms), recurse=False))

    def export(self, viewer_id: int) -> Mapping[str, Any]:
        """Everything kept about a viewer, as JSON can say it."""
        return _jsonable(self.of(viewer_id))

    def _alone(self) -> contextlib.AbstractContextManager[object]:
        """Nobody else changes the file meanwhile."""
        if self.path is None:
            return contextlib.nullcontext()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(self.path.with_name(f".{self.path.name}.lock"))

    def _look(self) -> None:
        """Read the file if it is another one than before."""
        if self.path is None or (version := _version(self.path)) == self._version:
            return
        past = _load(self.path) if version else ()
        self._states = {int(user): [_read(one, self.path) for one in states] for user, states in past}
        self._version = version

    def _save(self) -> None:
        if self.path is None:
            return
        states = {user: [_jsonable(state) for state in past] for user, past in self._states.items()}
        with atomic_file(self.path) as temporary:
            temporary.write_text(json.dumps({"format": _FORMAT, "viewers": states}), encoding="utf-8")
        self._version = _version(self.path)


def _version(path: Path) -> tuple[int, int, int] | None:
    """Which file lies there: every change makes a new one."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _load(path: Path) -> list[tuple[str, list[dict[str, Any]]]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: expected the JSON of a control store, got {error}") from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise ValueError(f"{path}: expected format {_FORMAT}")
    return list(document["viewers"].items())


def _jsonable(controls: Controls) -> dict[str, Any]:
    return {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in attrs.asdict(controls, recurse=False).items()
    }


def _read(state: Mapping[str, Any], path: Path) -> Controls:
    defaults = attrs.asdict(Controls(), recurse=False)
    try:
        return Controls(
            **{
                name: type(defaults[name])(value) if isinstance(value, list) else value
                for name, value in state.items()
            }
        )
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: expected controls {', '.join(defaults)}, got {', '.join(state)}"
        ) from error
