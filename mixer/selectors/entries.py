"""What selectors move: entries of a pool of several flows' results, and of the slate that is built from it.

A pool holds tens of entries to a few hundred, of different kinds, so entries are light objects and not columns.
An entry is recognised by its handle, which it keeps when a selector changes it; values never decide who is who.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, Union, cast

import attrs

from mixer.columns import Candidate
from mixer.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mixer.candidates import Candidates
    from mixer.columns import Column

V = TypeVar("V")


@attrs.frozen(eq=False)
class Entry:
    """One place in a pool or slate.

    Args:
        handle: identity within a request; survives every change of the entry.
        flow: name of the flow that it came from.
    """

    handle: int
    flow: str

    @property
    def flows(self) -> tuple[str, ...]:
        """Every flow that produced it: more than one after duplicates were combined; its own comes last."""
        return (self.flow,)

    @property
    def size(self) -> int:
        """How many candidates it shows: 1 for an item, its items for a module, 0 for a cursor."""
        return 0

    def value(self, column: Column[Any, V]) -> V | None:
        """The value of a column; None if nothing wrote it, it is NaN, or the entry has no such column."""
        return None

    def family(self) -> Iterator[Entry]:
        """The entry itself and the entries in it."""
        yield self


@attrs.frozen(eq=False)
class Item(Entry):
    """A row of a flow's result.

    Args:
        candidates: the batch that holds the row.
        row: its position there.
        merged: duplicates whose values were combined into it.
    """

    candidates: Candidates[Any]
    row: int
    merged: tuple[Item, ...] = ()

    @property
    def id(self) -> int:
        """The candidate's id."""
        return int(self.candidates.ids[self.row])

    @property
    def kind(self) -> type[Candidate]:
        """The candidate type."""
        return self.candidates.kind

    @property
    def flows(self) -> tuple[str, ...]:
        others = (flow for item in self.merged for flow in item.flows if flow != self.flow)
        return (*dict.fromkeys(others), self.flow) if self.merged else (self.flow,)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of all candidate sources that found it; empty for rows that came through no flow."""
        provenance = self.candidates.provenance
        own = () if provenance is None else provenance.names_of(int(self.candidates.handles[self.row]))
        return tuple(dict.fromkeys((*own, *(name for item in self.merged for name in item.sources))))

    @property
    def size(self) -> int:
        return 1

    def value(self, column: Column[Any, V]) -> V | None:
        if column not in self.kind.column_set or not self.candidates.has(column):
            return None
        found = self.candidates[column][self.row]
        missing = found is None or (column.dtype.kind == "f" and not column.shape and found != found)  # noqa: PLR0124
        return None if missing else column.row_value(found)

    def data(self) -> Candidate:
        """The row as an object of its candidate type."""
        return self.candidates.slice(self.row, self.row + 1).rows()[0]

    def combined(self, other: Item) -> Item:
        """This item with the columns that ``other`` has: on equal columns the other's value wins."""
        written = [key for key in other.candidates.present if key in self.kind.column_set]
        values = {key: other.candidates[key][other.row : other.row + 1] for key in written}
        values.pop(cast("Any", Candidate.id), None)
        batch = self.candidates.slice(self.row, self.row + 1).with_columns(values)
        return attrs.evolve(self, candidates=batch, row=0, merged=(*self.merged, other))


@attrs.frozen(eq=False)
class Module(Entry):
    """Entries that are shown as one, such as a carousel or a conversation.

    Its value of a column is the largest among its items, so that a module ranks by its best item.
    """

    entries: tuple[Entry, ...]

    @property
    def size(self) -> int:
        return sum(entry.size for entry in self.entries)

    def value(self, column: Column[Any, V]) -> V | None:
        values = [value for entry in self.entries if (value := entry.value(column)) is not None]
        return cast("Any", max)(values) if values else None

    def family(self) -> Iterator[Entry]:
        yield self
        for entry in self.entries:
            yield from entry.family()

    def holding(self, entries: Iterable[Entry]) -> Module:
        """The same module with other entries."""
        return attrs.evolve(self, entries=tuple(entries))


@attrs.frozen(eq=False)
class CursorEntry(Entry):
    """Where another page begins, as one of the entries. Caps and counts pass it over.

    Args:
        text: the cursor, as the client sends it back.
        role: which way it leads, such as ``bottom``, ``top`` or ``gap``.
    """

    text: str
    role: str = "bottom"


Entries = tuple[Entry, ...]


@attrs.frozen
class Scope:
    """Which entries a selector acts on: those of all flows, of some, or of all but some.

    An entry that several flows produced is of each of them.
    """

    names: frozenset[str] = frozenset()
    excluding: bool = True

    def __contains__(self, entry: Entry) -> bool:
        if not self.names:
            return self.excluding
        return self.names.isdisjoint(entry.flows) is self.excluding

    def split(self, entries: Iterable[Entry]) -> tuple[Entries, Entries]:
        """Entries inside and outside, each in order."""
        inside: list[Entry] = []
        outside: list[Entry] = []
        for entry in entries:
            (inside if entry in self else outside).append(entry)
        return tuple(inside), tuple(outside)

    def __str__(self) -> str:
        return "_".join((*(["except"] if self.names and self.excluding else []), *sorted(self.names)))


EVERYTHING = Scope()
ScopeLike = Union[Scope, str, tuple[str, ...]]  # noqa: UP007 - evaluated by attrs converters
"""A scope, the name of a flow, or names of flows."""


def only(*names: str) -> Scope:
    """The entries of these flows.

    Raises:
        ConfigurationError: no name at all.
    """
    if not names:
        raise ConfigurationError("scope", ["expected the name of at least one flow, got none"])
    return Scope(frozenset(names), excluding=False)


def all_except(*names: str) -> Scope:
    """The entries of all flows but these."""
    return Scope(frozenset(names))


def as_scope(scope: ScopeLike) -> Scope:
    """The scope that a scope, a name or names of flows stand for."""
    if isinstance(scope, Scope):
        return scope
    return only(scope) if isinstance(scope, str) else only(*scope)
