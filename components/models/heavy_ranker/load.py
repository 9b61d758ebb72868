"""From YAML, presets and command-line overrides to a validated configuration, and back."""

from __future__ import annotations

import difflib
import types
import typing
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import msgspec
import yaml

from components.models.heavy_ranker.config import RankerConfig
from mixer.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from importlib.resources.abc import Traversable

T = TypeVar("T")

PRESETS = resources.files("components.models.heavy_ranker") / "presets"
CLICK_PRESETS = PRESETS / "clicks"


def preset_names(folder: Traversable = PRESETS) -> tuple[str, ...]:
    """Configurations that ship with the package."""
    return tuple(sorted(Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def load_config(source: str | Path, overrides: Iterable[str] = ()) -> RankerConfig:
    """Reads a preset or a YAML file, applies ``key.path=value`` overrides in order, and validates the result.

    A file may start from a preset or another file with ``extends: NAME``; mappings are merged key by key.

    Raises:
        ConfigurationError: unknown preset or key, wrong type, or a value out of its bounds.
    """
    return load_as(RankerConfig, source, overrides)


def load_as(kind: type[T], source: str | Path | None, overrides: Iterable[str] = ()) -> T:
    """The same for any configuration class; without a source it starts from the class's defaults."""
    tree = {} if source is None else _read(str(source), PRESETS)
    return decode(kind, _overridden(tree, overrides), _name(source))


def load_over(
    defaults: T, source: str | Path | None, overrides: Iterable[str] = (), presets: Traversable = PRESETS
) -> T:
    """As ``load_as``; but what the file leaves out of a nested mapping, too, is as in ``defaults``."""
    plain = msgspec.to_builtins(defaults)
    tree = plain if source is None else _merge(plain, _read(str(source), presets))
    return decode(type(defaults), _overridden(tree, overrides), _name(source))


def _name(source: str | Path | None) -> str:
    return "defaults" if source is None else str(source)


def _overridden(tree: dict[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    for override in overrides:
        _apply(tree, override)
    return tree


def decode(kind: type[T], tree: Mapping[str, Any], source: str) -> T:
    """Turns plain data into a configuration; every unknown key is reported with the nearest known one."""
    problems = list(_unknown_keys(tree, kind, ""))
    if problems:
        raise ConfigurationError(source, problems)
    try:
        # YAML reads 1e-3 as text; not strict, it becomes the number that was meant.
        return msgspec.convert(tree, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(source, [str(error)]) from error


def dump(config: object) -> str:
    """The configuration as YAML, every default written out."""
    return yaml.safe_dump(_plain(msgspec.to_builtins(config)), sort_keys=False)


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _read(source: str, presets: Traversable, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    if source in seen:
        raise ConfigurationError(source, [f"extends: goes round in circles: {' -> '.join([*seen, source])}"])
    try:
        tree = yaml.safe_load(_text(source, presets))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(source, [f"expected YAML, got {error}"]) from error
    if not isinstance(tree, dict):
        raise ConfigurationError(source, [f"expected a mapping at the top, got {type(tree).__name__}"])
    parent = tree.pop("extends", None)
    return tree if parent is None else _merge(_read(str(parent), presets, (*seen, source)), tree)


def _text(source: str, presets: Traversable) -> str:
    names = preset_names(presets)
    if source in names:
        return (presets / f"{source}.yaml").read_text(encoding="utf-8")
    path = Path(source)
    if path.is_file():
        return path.read_text(encoding="utf-8")
    hint = _nearest(source, names)
    raise ConfigurationError(source, [f"neither a file nor a preset{hint}; presets: {', '.join(names)}"])


def _merge(base: dict[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in top.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _apply(tree: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigurationError("--set", [f"expected key.path=value, got {override!r}"])
    *parents, last = key.split(".")
    place = tree
    for parent in parents:
        inner = place.get(parent)
        # A shared child would let one configuration's override leak into another.
        place[parent] = dict(inner) if isinstance(inner, dict) else {}
        place = place[parent]
    try:
        place[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError("--set", [f"expected a value in YAML for {key}, got {text!r}"]) from error


def _unknown_keys(tree: object, annotation: object, where: str) -> Iterator[str]:
    annotation = _unwrapped(annotation)
    if not isinstance(tree, dict):
        return
    if isinstance(annotation, type) and attrs.has(annotation):
        hints = typing.get_type_hints(annotation)
        for key, value in tree.items():
            if key in hints:
                yield from _unknown_keys(value, hints[key], f"{where}{key}.")
            else:
                hint = _nearest(str(key), hints) or f"; known: {', '.join(hints)}"
                yield f"unknown key {where}{key}{hint}"
    elif typing.get_origin(annotation) is dict:
        for key, value in tree.items():
            yield from _unknown_keys(value, typing.get_args(annotation)[1], f"{where}{key}.")


def _unwrapped(annotation: object) -> object:
    """``X | None`` as ``X``."""
    if isinstance(annotation, types.UnionType):
        return next(part for part in typing.get_args(annotation) if part is not type(None))
    return annotation


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""
