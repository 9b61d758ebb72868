"""The stages of a flow as a table, so that a README cannot fall behind the code."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from components.predicates.switched import Switched
from components.rankers.combined import UnlessLoaded
from components.rankers.replay import Remembered
from components.transforms.guarded import FailOpen
from mixer import RecommendationFlow, SourceRegistry
from mixer.candidate_predicates import AllOf
from mixer.component import Component
from mixer.predicates import ParamIsOn
from mixer.trace import STAGES

BEGIN, END = "<!-- stages: begin -->", "<!-- stages: end -->"


def stage_table(flow: RecommendationFlow[Any, Any]) -> str:
    """Markdown: each stage with its components and what they do."""
    components = list(flow.components())
    lines = ["| stage | component | what it does |", "|---|---|---|"]
    for stage in (*STAGES, "side_effects"):
        mine = [one for name, held in components if name == stage for one in _leaves(held)]
        lines += [f"| {stage} | `{one.name}` | {_summary(one)} |" for one in mine]
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


def _summary(component: Component) -> str:
    documented = getattr(component, "function", component)
    text = inspect.getdoc(documented if inspect.isfunction(documented) else type(documented)) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")
