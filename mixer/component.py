"""What all components share: a name, children for the inventory, and results that may be awaited."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, Union, cast

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

R = TypeVar("R")

MaybeAwaitable = Union[R, Awaitable[R]]  # noqa: UP007 - a generic alias needs Union
"""What every stage method may return: ``def`` answers at once, ``async def`` when it has waited."""

NAME_PATTERN = re.compile(r"[a-z][a-z0-9_]{1,78}[a-z0-9]")
"""Component names are snake case, 3 to 80 characters, so that they can be metric scopes."""


@lru_cache(maxsize=4096)
def snake_case(name: str) -> str:
    """``MaxAge`` -> ``max_age``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name.strip("_")).lower()


class Component:
    """Base of every stage.

    A component is called concurrently by many requests: configuration lives in fields, what belongs to a
    request in local variables.
    """

    __slots__ = ()

    label: ClassVar[str | None] = None
    """Overrides the name of all instances of a class."""

    @property
    def name(self) -> str:
        """Scope of this component in stats and traces; the class name in snake case unless overridden."""
        return type(self).label or snake_case(type(self).__name__)

    def children(self) -> Iterator[Component]:
        """Components that this one is made of, in order."""
        if attrs.has(type(self)):
            for field in attrs.fields(type(self)):
                yield from components_in(getattr(self, field.name))


class Wrapper(Component):  # noqa: D101 - a docstring would stand in for those of the stages that mix this in
    # A component around another that goes by its name.
    __slots__ = ()

    inner: Any

    @property
    def name(self) -> str:
        return self.inner.name


def components_in(value: object) -> Iterator[Component]:
    """The components held by a value: itself, or the items of a sequence or mapping."""
    if isinstance(value, Component):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in cast("list[object]", value):
            yield from components_in(item)
    elif isinstance(value, dict):
        yield from components_in(list(cast("dict[object, object]", value).values()))


async def resolved(value: MaybeAwaitable[R]) -> R:
    """The value itself, awaited if it has to be."""
    return await cast("Awaitable[R]", value) if isinstance(value, Awaitable) else value


class Deferred(Generic[R]):
    """An awaitable that runs ``use`` on another awaitable; closing it unused closes the other one too.

    A coroutine around a coroutine would leave the inner one unawaited when the outer one never starts.
    """

    __slots__ = ("awaitable", "use")

    def __init__(self, awaitable: Awaitable[Any], use: Callable[[Awaitable[Any]], Awaitable[R]]) -> None:
        self.awaitable = awaitable
        self.use = use

    def __await__(self) -> Generator[Any, Any, R]:
        return self.use(self.awaitable).__await__()

    def close(self) -> None:
        """Give it up without awaiting it."""
        close_unawaited(self.awaitable)


def close_unawaited(awaitable: object) -> None:
    """Close a coroutine that nobody will await."""
    if isinstance(awaitable, Deferred) or inspect.iscoroutine(awaitable):
        cast("Deferred[Any]", awaitable).close()


def function_name(function: Callable[..., Any]) -> str:
    """The component name of a lifted function."""
    return snake_case(getattr(function, "__name__", type(function).__name__).replace("<lambda>", "function"))
