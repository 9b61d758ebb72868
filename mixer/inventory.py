"""What a flow, pipeline or product is made of, as a tree: for people as text, for tools as JSON."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, cast

import attrs

from mixer.component import Component
from mixer.flow import RecommendationFlow
from mixer.hydrators import Hydrator
from mixer.params import Param
from mixer.pipeline import MixerPipeline
from mixer.rankers import Ranker
from mixer.trace import STAGES
from mixer.transforms import Transform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@attrs.frozen
class Inventory:
    """One component and what it is made of.

    Args:
        name: its name in stats and traces.
        kind: its class.
        stage: the stage it serves; empty below the first level.
        summary: the first line of its documentation.
        fields: its settings: fields that are not components.
        children: its parts, in order.
    """

    name: str
    kind: str
    stage: str
    summary: str
    fields: Mapping[str, str]
    children: tuple[Inventory, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return attrs.asdict(self)

    def to_text(self, indent: int = 0) -> str:
        """An indented tree, one component a line."""
        settings = ", ".join(f"{name}={value}" for name, value in self.fields.items())
        stage = f"{self.stage}: " if self.stage else ""
        line = f"{'  ' * indent}{stage}{self.name} ({self.kind}){' [' + settings + ']' if settings else ''}"
        documented = f"{line} - {self.summary}" if self.summary else line
        return "\n".join([documented, *(child.to_text(indent + 1) for child in self.children)])

    def walk(self) -> Iterator[Inventory]:
        """This component and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


def inventory(thing: object, stage: str = "") -> Inventory:
    """The tree of a flow, a pipeline, or any component.

    Components that a per-request hook returns are listed when the flow keeps them in an attribute.
    """
    if isinstance(thing, RecommendationFlow):
        return _flow(cast("RecommendationFlow[Any, Any]", thing), stage)
    if isinstance(thing, MixerPipeline):
        return _pipeline(cast("MixerPipeline[Any]", thing), stage)
    name = getattr(thing, "name", type(thing).__name__)
    children: tuple[Inventory, ...] = ()
    if isinstance(thing, Component):
        children = tuple(inventory(child) for child in thing.children())
    return Inventory(str(name), type(thing).__name__, stage, summary_of(thing), _fields(thing), children)


def _flow(flow: RecommendationFlow[Any, Any], stage: str) -> Inventory:
    order = {name: number for number, name in enumerate((*STAGES, "side_effects", "other"))}
    parts = sorted(flow.components(), key=lambda part: order[part[0]])
    fields = {f"budget of {name}": f"{seconds} s" for name, seconds in flow.stage_budgets_s.items()}
    children = tuple(inventory(component, at) for at, component in parts)
    return Inventory(flow.name, type(flow).__name__, stage or "flow", summary_of(flow), fields, children)


def _pipeline(pipeline: MixerPipeline[Any], stage: str) -> Inventory:
    flows = [
        inventory(branch.flow, "flow" if branch.after is None else "dependent flow")
        for branch in pipeline.flows
    ]
    selectors = [inventory(one, "selector") for one in pipeline.program]
    effects = [inventory(one, "side_effects") for one in pipeline.effects]
    children = (*flows, *selectors, *effects)
    return Inventory(
        pipeline.name, type(pipeline).__name__, stage or "pipeline", summary_of(pipeline), {}, children
    )


def collisions(tree: Inventory) -> list[str]:
    """Names that two different classes share within a stage: their metrics would be one.

    The same class twice under one name is allowed: its metrics are meant to be summed.
    """
    problems: list[str] = []
    for node in tree.walk():
        seen: dict[tuple[str, str], str] = {}
        for child in node.children:
            other = seen.setdefault((child.stage, child.name), child.kind)
            if other != child.kind:
                problems.append(f"{node.name}: {other} and {child.kind} are both named {child.name!r}")
    return problems


def summary_of(thing: object) -> str:
    """The first paragraph that documents a component: its class, or the function that was lifted to it."""
    function: Any = getattr(thing, "function", None)  # a lifted function documents its stage
    documented: Any = function if inspect.isfunction(function) else type(thing)
    text = inspect.getdoc(documented) or ""
    return " ".join(text.split("\n\n")[0].split())


def _fields(thing: Any) -> dict[str, str]:
    fields: dict[str, str] = {}
    kind: type[object] = type(cast("object", thing))
    settings: list[str] = [field.name for field in attrs.fields(kind)] if attrs.has(kind) else []
    if issubclass(kind, Ranker | Transform):
        fields["traits"] = str(thing.traits).removeprefix("Trait.")
    if issubclass(kind, Hydrator):
        fields["reads"] = ", ".join(key.name for key in thing.reads) or "nothing"
        fields["writes"] = ", ".join(key.name for key in thing.writes)
    for name in settings:
        value: Any = getattr(thing, name)
        if name not in fields and isinstance(value, (str, int, float, frozenset, Param)):
            fields[name.rstrip("_")] = str(cast("object", value))
    return fields
