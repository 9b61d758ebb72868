"""What values a parameter accepts, whichever form they arrive in: Python objects, YAML, or text."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

T = TypeVar("T")

_TRUTH = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(us|ms|s|m|h|d)?\s*")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NAMES: Mapping[type, str] = {
    bool: "a bool",
    int: "an int",
    float: "a float",
    str: "a string",
    timedelta: "a duration such as 400ms",
}


@attrs.frozen
class Domain(Generic[T]):
    """A type with bounds or choices.

    Args:
        kind: the type of a value; tuple for sequences.
        minimum: smallest value, included.
        maximum: largest value, included.
        choices: the only values, by the name that text forms use; empty for any.
        each: for sequences, the domain of an item.
    """

    kind: type[T]
    minimum: T | None = None
    maximum: T | None = None
    choices: Mapping[str, T] = attrs.field(factory=dict[str, T])
    each: Domain[Any] | None = None

    @classmethod
    def of(
        cls,
        sample: T,
        *,
        kind: type[T] | None = None,
        minimum: T | None = None,
        maximum: T | None = None,
        choices: Mapping[str, T] | Iterable[T] = (),
        each: Domain[Any] | None = None,
    ) -> Domain[T]:
        """The domain that a default value suggests: its type; an enum's members; a sequence's first item."""
        kind = kind or type(sample)
        if not choices and issubclass(kind, Enum):
            choices = list(kind)
        if each is None and isinstance(sample, tuple) and sample:
            each = Domain[Any].of(cast("tuple[Any, ...]", sample)[0])
        return cls(kind, minimum, maximum, _by_name(choices), each)

    def accept(self, raw: object) -> T:
        """The value that ``raw`` stands for.

        Args:
            raw: a value of the right type, or a text or number that stands for one.

        Raises:
            ValueError: says what was expected and what came.
        """
        try:
            value = self._convert(raw)
        except (TypeError, LookupError, ValueError, OverflowError):
            value = _UNACCEPTABLE
        if isinstance(value, self.kind) and self._contains(value):
            return value
        raise ValueError(f"expected {self}, got {raw!r}")

    def __str__(self) -> str:
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        name = _NAMES.get(self.kind, f"a {self.kind.__name__}")
        if self.kind is tuple:
            name = f"a sequence, each item {self.each}" if self.each else "a sequence"
        if self.minimum is None and self.maximum is None:
            return name
        low = "" if self.minimum is None else f">= {self.minimum}"
        high = "" if self.maximum is None else f"<= {self.maximum}"
        return f"{name} {' and '.join(filter(None, (low, high)))}"

    def _convert(self, raw: object) -> object:
        if isinstance(raw, str):
            named = [value for name, value in self.choices.items() if name.casefold() == raw.casefold()]
            return named[0] if named else _PARSERS.get(self.kind, _as_it_is)(self, raw)
        if isinstance(raw, bool):  # which Python takes for a number
            return raw if self.kind not in _NUMBERS else _UNACCEPTABLE
        if isinstance(raw, (int, float)) and self.kind in _NUMBERS:
            return _NUMBERS[self.kind](raw)
        return self._items(cast("list[object]", raw)) if isinstance(raw, (list, tuple)) else raw

    def _items(self, items: Iterable[object]) -> tuple[object, ...]:
        return tuple(item if self.each is None else self.each.accept(item) for item in items)

    def _contains(self, value: T) -> bool:
        if self.choices and value not in self.choices.values():
            return False
        ordered = cast("Any", value)  # a bound of the same type is the author's word that values are ordered
        return not (
            (isinstance(value, float) and math.isnan(value))
            or (self.minimum is not None and ordered < self.minimum)
            or (self.maximum is not None and ordered > self.maximum)
        )


def _by_name(choices: Mapping[str, T] | Iterable[T]) -> Mapping[str, T]:
    if hasattr(choices, "items"):
        return dict(cast("Mapping[str, T]", choices))
    values = cast("Iterable[T]", choices)
    return {value.name if isinstance(value, Enum) else str(value): value for value in values}


def _parse_duration(_: Domain[Any], text: str) -> object:
    match = _DURATION.fullmatch(text)
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2] or "s"]) if match else _UNACCEPTABLE


def _parse_sequence(domain: Domain[Any], text: str) -> object:
    return domain.accept([item.strip() for item in text.split(",")] if text.strip() else [])


def _as_it_is(_: Domain[Any], text: str) -> object:
    return text


_UNACCEPTABLE = object()
_NUMBERS: Mapping[type, Callable[[float], object]] = {
    int: lambda number: number,
    float: float,
    timedelta: lambda seconds: timedelta(seconds=seconds),
}
_PARSERS: Mapping[type, Callable[[Domain[Any], str], object]] = {
    bool: lambda _, text: _TRUTH[text.strip().lower()],
    int: lambda _, text: int(text),
    float: lambda _, text: float(text),
    timedelta: _parse_duration,
    tuple: _parse_sequence,
}
