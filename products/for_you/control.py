"""What viewers ask of the timeline, from the command line: kept beside the cache, in force from the next request on."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from rich.table import Table

from components.datasets.files import cache_directory
from components.stores.controls import ControlStore
from components.stores.stores import Stores
from components.stores.types import Controls, Viewer
from products._cli.data import Bars, Loaded, chosen_user, open_data
from products._cli.serve import console_of

_DEFAULTS: Mapping[str, Any] = attrs.asdict(Controls(), recurse=False)
_TRUTH = {"true": True, "false": False}


@attrs.frozen(kw_only=True)
class ControlOptions:
    """What was asked for."""

    data: Path | None
    world: str
    seed: int
    user: int | None
    changes: Sequence[str]
    undo: bool
    forget: bool
    as_json: bool

    def check(self) -> None:
        """Raise ValueError unless one thing at most is to be done."""
        if sum((bool(self.changes), self.undo, self.forget)) > 1:
            raise ValueError("control: expected changes, --undo or --forget, got more than one of them")


def control(options: ControlOptions) -> None:
    """Change what a viewer asks for, or take it back, and print what is in force.

    Raises:
        MixerError, ValueError: with what was expected and what came.
    """
    options.check()
    changes = dict(parsed(change) for change in options.changes)
    loaded = open_data(options.data, options.world, options.seed, Bars())
    user, store = chosen_user(loaded.stores, options.user), control_store(loaded)
    _check_ids(loaded.stores, changes)
    if changes:
        store.change(user, **changes)
    elif options.undo:
        if not store.undoable(user):
            raise ValueError(f"--undo: user {user} changed nothing that could be taken back")
        store.undo(user)
    elif options.forget:
        store.reset_profile(user, loaded.stores.now_ms)
    told = store.export(user)
    if options.as_json:
        print(json.dumps({"user": user, "controls": told}, ensure_ascii=False, indent=2))  # noqa: T201
    else:
        console_of().print(_table(user, told))


def controlled(loaded: Loaded, viewer: Viewer) -> Viewer:
    """The viewer with what is in force."""
    return attrs.evolve(viewer, controls=control_store(loaded).of(viewer.user_id))


def control_store(loaded: Loaded) -> ControlStore:
    """Where the controls of a data set's users are kept."""
    return ControlStore(cache_directory() / f"for_you-controls-{loaded.data.name}.json")


def parsed(change: str) -> tuple[str, Any]:
    """A control and its value.

    >>> parsed("discovery=0.8"), parsed("more_topics=3,5"), parsed("half_life_h=none")
    (('discovery', 0.8), ('more_topics', frozenset({3, 5})), ('half_life_h', None))

    Raises:
        ValueError: there is no such control, or it cannot have that value.
    """
    name, equals, text = change.partition("=")
    if name not in _DEFAULTS or not equals:
        near = difflib.get_close_matches(name, _DEFAULTS, 1)
        meant = f"; did you mean {near[0]}?" if near and equals else ""
        raise ValueError(f"control: expected NAME=VALUE of {', '.join(_DEFAULTS)}, got {change!r}{meant}")
    expected, read = _reading(name)
    try:
        value = read(text)
    except (ValueError, KeyError):
        raise ValueError(f"control {name}: expected {expected}, got {text!r}") from None
    try:
        Controls(**{name: value})
    except ValueError as error:
        raise ValueError(f"control: {error}") from None
    return name, value


def _check_ids(stores: Stores, changes: Mapping[str, Any]) -> None:
    for name, ids in changes.items():
        if not isinstance(ids, frozenset):
            continue
        known = stores.users.ids if name.endswith("authors") else np.unique(stores.posts.number("topic", -1))
        strange = sorted(set(ids) - set(known.tolist()))
        if strange:
            raise ValueError(f"control {name}: expected ids in the data, got {', '.join(map(str, strange))}")


def _reading(name: str) -> tuple[str, Callable[[str], Any]]:
    default = _DEFAULTS[name]
    if isinstance(default, frozenset):
        return "ids with commas between them", lambda text: frozenset(
            int(one) for one in text.split(",") if one
        )
    if isinstance(default, tuple):
        return "words with commas between them", lambda text: tuple(one for one in text.split(",") if one)
    if isinstance(default, bool):
        return "true or false", lambda text: _TRUTH[text]
    if isinstance(default, int):
        return "a whole number", int
    if default is None:
        return "a number, or none", lambda text: None if text == "none" else float(text)
    return "a number", float


def _table(user: int, told: Mapping[str, Any]) -> Table:
    view = Table(title=f"user {user} asks for", title_justify="left", box=None, pad_edge=False)
    for name in ("control", "value", ""):
        view.add_column(name)
    untouched = ControlStore().export(user)
    for name, value in told.items():
        view.add_row(name, str(value), "" if value == untouched[name] else "changed")
    return view
