"""Parameter files: YAML, JSON or TOML, nested or with dotted names."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any, cast

from mixer.errors import MissingExtraError, ParamError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path


def read_settings(path: Path) -> dict[str, object]:
    """Values by dotted name; ``ranker: {cap: 200}`` and ``ranker.cap: 200`` say the same.

    Args:
        path: a file that ends in .yaml, .yml, .json or .toml.

    Raises:
        ParamError: the file is missing, malformed, not a mapping, or sets a name twice; says where.
        MissingExtraError: YAML without PyYAML.
    """
    parse = _PARSERS.get(path.suffix.lower())
    if parse is None:
        raise ParamError(
            str(path), [f"expected a file that ends in {', '.join(_PARSERS)}, got {path.suffix!r}"]
        )
    try:
        tree = parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ParamError(str(path), [str(error)]) from error
    if tree is None:  # an empty file
        return {}
    if not isinstance(tree, dict):
        raise ParamError(str(path), [f"expected names with values, got {type(tree).__name__}"])
    return _flat(cast("dict[object, object]", tree), path)


def _flat(tree: Mapping[object, object], path: Path) -> dict[str, object]:
    settings: dict[str, object] = {}
    twice: list[str] = []
    for name, value in _leaves(tree, ""):
        if name in settings:
            twice.append(f"{name}: expected one value, got {settings[name]!r} and {value!r}")
        settings[name] = value
    if twice:
        raise ParamError(str(path), twice)
    return settings


def _leaves(tree: Mapping[object, object], prefix: str) -> Iterator[tuple[str, object]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(cast("dict[object, object]", value), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _parse_yaml(text: str) -> object:
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError("reading YAML parameter files", "cli") from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    ".yaml": _parse_yaml,
    ".yml": _parse_yaml,
    ".json": json.loads,
    ".toml": tomllib.loads,
}
