"""The stages of a flow as a table, so that a README cannot fall behind the code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from components.predicates.switched import Switched
from components.rankers.combined import UnlessLoaded
from components.rankers.replay import Remembered
from components.transforms.guarded import FailOpen
from mixer import RecommendationFlow, SourceRegistry
from mixer.candidate_predicates import AllOf
from mixer.component import Component
from mixer.inventory import summary_of
from mixer.predicates import ParamIsOn
from mixer.trace import STAGES

BEGIN, END = "<!-- stages: begin -->", "<!-- stages: end -->"


def stage_table(flow: RecommendationFlow[Any, Any]) -> str:
    """Markdown: each stage with its components and what they do."""
    components = list(flow.components())
    lines = ["| stage | component | what it does |", "|---|---|---|"]
    for stage in (*STAGES, "side_effects"):
        for one in (leaf for name, held in components if name == stage for leaf in _leaves(held)):
            summary = summary_of(one).replace("|", "\\|")
            lines.append(f"| {stage} | `{one.name}` | {summary} |")
    return "\n".join(lines)


HOLDERS = (SourceRegistry, Switched, AllOf, FailOpen, UnlessLoaded, Remembered)


def _leaves(component: Component) -> Iterator[Component]:
    """What a person wrote: operators, which are private classes, gates and registries only hold it together."""
    if isinstance(component, ParamIsOn):
        return
    if isinstance(component, HOLDERS) or type(component).__name__.startswith("_"):
        children = list(component.children())
        for child in children:
            yield from _leaves(child)
        if children:
            return
    yield component
