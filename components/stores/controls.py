"""``ControlStore``: what each viewer asked of the timeline, with undo, kept in a file if wanted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from components.models.files import atomic_file
from components.stores.types import Controls

_FORMAT = "mixer.controls/1"


class ControlStore:
    """Controls by viewer; a change is in force from the next request on, and can be taken back.

    Args:
        path: a JSON file that is read now and rewritten, whole or not at all, at every change; None keeps nothing.
        undo: how many changes of a viewer can be taken back.

    Raises:
        ValueError: the file is not one of these.
    """

    def __init__(self, path: Path | None = None, *, undo: int = 50) -> None:
        self.path = path
        self.undo_depth = undo
        self._states: dict[int, list[Controls]] = {}
        if path is not None and path.exists():
            self._states = {int(user): [_read(state, path) for state in past] for user, past in _load(path)}

    def of(self, viewer_id: int) -> Controls:
        """What is in force; the defaults for whoever never asked for anything."""
        return self._states.get(viewer_id, [Controls()])[-1]

    def change(self, viewer_id: int, **changes: Any) -> Controls:
        """Replace some controls, by name.

        Raises:
            TypeError: there is no such control.
            ValueError: a control cannot have that value.
        """
        changed = attrs.evolve(self.of(viewer_id), **changes)
        past = self._states.setdefault(viewer_id, [Controls()])
        past.append(changed)
        del past[: -self.undo_depth - 1]
        self._save()
        return changed

    def undoable(self, viewer_id: int) -> int:
        """How many changes can be taken back."""
        return len(self._states.get(viewer_id, [Controls()])) - 1

    def undo(self, viewer_id: int) -> Controls:
        """Take the latest change back; nothing happens when there is none."""
        if self.undoable(viewer_id):
            self._states[viewer_id].pop()
            self._save()
        return self.of(viewer_id)

    def reset_profile(self, viewer_id: int, now_ms: int) -> Controls:
        """Forget what was wished for, and do not count what the viewer did until now."""
        return self.change(viewer_id, **{**_plain(Controls()), "profile_since_ms": now_ms})

    def export(self, viewer_id: int) -> Mapping[str, Any]:
        """Everything kept about a viewer, as JSON can say it."""
        return _jsonable(self.of(viewer_id))

    def _save(self) -> None:
        if self.path is None:
            return
        states = {user: [_jsonable(state) for state in past] for user, past in self._states.items()}
        with atomic_file(self.path) as temporary:
            temporary.write_text(json.dumps({"format": _FORMAT, "viewers": states}), encoding="utf-8")


def _load(path: Path) -> list[tuple[str, list[dict[str, Any]]]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: expected the JSON of a control store, got {error}") from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise ValueError(f"{path}: expected format {_FORMAT}")
    return list(document["viewers"].items())


def _plain(controls: Controls) -> dict[str, Any]:
    return {field.name: getattr(controls, field.name) for field in attrs.fields(Controls)}


def _jsonable(controls: Controls) -> dict[str, Any]:
    return {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in _plain(controls).items()
    }


def _read(state: Mapping[str, Any], path: Path) -> Controls:
    defaults = _plain(Controls())
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
