"""What the hooks of a flow have to answer, checked once, when the flow is built."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from mixer.candidate_predicates import CandidatePredicate
from mixer.hydrators import Hydrator
from mixer.predicates import Predicate
from mixer.rankers import Ranker
from mixer.side_effects import SideEffect
from mixer.sources import CandidateSource
from mixer.transforms import Transform

if TYPE_CHECKING:
    from mixer.component import Component

ONE: dict[str, type[Component]] = {
    "target_eligibility": Predicate,
    "pre_ranker_filter": CandidatePredicate,
    "post_ranker_transform": Transform,
    "validate_candidates": CandidatePredicate,
    "transform_results": Transform,
}
"""Hooks that answer with one component, and its kind."""
MANY: dict[str, type[Component]] = {"hydrate_candidates": Hydrator, "side_effects": SideEffect}
"""Hooks that answer with a sequence of components, and their kind."""
METHODS: dict[type[Component], str] = {
    Predicate: "check",
    CandidatePredicate: "check",
    CandidateSource: "fetch",
    Hydrator: "hydrate",
    Ranker: "rank",
    Transform: "transform",
    SideEffect: "apply",
}
"""The method that every stage of a kind has to write."""
ALIKE = 0.87
"""How alike two names are, from 0 to 1, when one must be the other misspelt."""


def wrong_answers(hooks: dict[str, Any]) -> Iterator[str]:
    """What hooks answered that is not of their kind; a forgotten ``return`` is a None."""
    for hook, kind in ONE.items():
        if not isinstance(hooks[hook], kind):
            yield f"{hook}: expected a {kind.__name__}, got {type(hooks[hook]).__name__}"
    for hook, kind in MANY.items():
        answer = hooks[hook]
        if not isinstance(answer, Sequence):
            yield f"{hook}: expected a sequence of {kind.__name__}, got {type(answer).__name__}"
            continue
        strange = [one for one in cast("Sequence[object]", answer) if not isinstance(one, kind)]
        yield from (f"{hook}: expected a {kind.__name__}, got {type(one).__name__}" for one in strange)


def unwritten(component: Component) -> Iterator[str]:
    """Stages, this one or within it, whose class lacks the method of its kind."""
    for kind, method in METHODS.items():
        if isinstance(component, kind) and getattr(type(component), method) is getattr(kind, method):
            yield f"{component.name}: class {type(component).__name__} has no method {method!r}"
    for child in component.children():
        yield from unwritten(child)


def misspelt(kind: type, base: type) -> Iterator[str]:
    """Methods of a flow's class that are nearly, but not, the name of a hook which it leaves as it was."""
    free = [
        name for name in vars(base) if getattr(kind, name) is getattr(base, name) and not name.startswith("_")
    ]
    mine = {name for one in kind.__mro__[: kind.__mro__.index(base)] for name in vars(one)}
    for name in sorted(mine):
        near = difflib.get_close_matches(name, free, 1, ALIKE)
        if near and name not in free and inspect.isfunction(getattr(kind, name)):
            yield f"{name}: there is no such hook; did you mean {near[0]!r}?"
