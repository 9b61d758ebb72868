"""``Product``: what a client asks for by name: gates, parameters, the flow or pipeline that answers, a fallback."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import attrs

from mixer.component import NAME_PATTERN, resolved
from mixer.errors import ConfigurationError, UnknownProductError
from mixer.inventory import Inventory, collisions, inventory
from mixer.predicates import Always, Predicate
from mixer.result import Outcome
from mixer.run import Cause, Degradation
from mixer.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mixer.param_registry import ParamRegistry

T = TypeVar("T", bound=Target)
T_contra = TypeVar("T_contra", bound=Target, contravariant=True)


class Runner(Protocol[T_contra]):
    """A flow or a pipeline."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    async def process(self, target: T_contra) -> Any:
        """Its answer for a target."""
        ...


@attrs.frozen(slots=False)
class ProductResult:
    """What a product answers.

    Args:
        product: name of the product.
        runner: which flow or pipeline answered; empty if the product is closed to the target.
        outcome: INELIGIBLE if a gate is closed, DEGRADED if the fallback answered, else the answer's own.
        answer: the RecommendationResult or MixerResult; None if the product is closed.
        reasons: why it is closed.
        degradations: the failure that the fallback stepped in for, and the answer's own.
    """

    product: str
    runner: str
    outcome: Outcome
    answer: Any = None
    reasons: tuple[str, ...] = ()
    degradations: tuple[Degradation, ...] = ()


@attrs.frozen
class Product(Generic[T]):
    """A named entry point.

    Args:
        name: unique in a registry, snake case.
        runners: the flows and pipelines it may choose from.
        gate: who may have it; others get an INELIGIBLE result, never an exception.
        choose: the name of the runner for a target; the first one if None.
        fallback: answers when the chosen runner raises; the result is then degraded and says why.
        params: the parameters that its parts read.

    Raises:
        ConfigurationError: lists everything that is wired wrongly, colliding component names included.
    """

    name: str
    runners: tuple[Runner[T], ...] = attrs.field(converter=tuple)
    gate: Predicate[T] = attrs.field(factory=Always)
    choose: Callable[[T], str] | None = None
    fallback: Runner[T] | None = None
    params: ParamRegistry | None = None

    def __attrs_post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ConfigurationError(f"product {self.name!r}", problems)

    def _problems(self) -> Iterator[str]:
        names = [runner.name for runner in self.runners]
        if not NAME_PATTERN.fullmatch(self.name):
            yield "name: expected snake case of 3 to 80 characters"
        if not names:
            yield "runners: expected at least one flow or pipeline, got none"
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"runners: two are named {name!r}"
        for runner in self.runners:
            yield from collisions(inventory(runner))

    async def process(self, target: T) -> ProductResult:
        """The answer for a target.

        Raises:
            ConfigurationError: ``choose`` named a runner that the product does not have.
            Exception: what the runner raised, if there is no fallback; or what the fallback raised.
        """
        eligible = await resolved(self.gate.check(target))
        if not eligible.valid:
            return ProductResult(self.name, "", Outcome.INELIGIBLE, reasons=tuple(sorted(eligible.reasons)))
        runner = self._chosen(target)
        try:
            answer = await runner.process(target)
        except Exception as error:
            if self.fallback is None:
                raise
            cause = Degradation(
                runner.name, Cause.ERROR, f"{self.fallback.name} instead", type(error).__name__
            )
            answer = await self.fallback.process(target)
            return ProductResult(
                self.name, self.fallback.name, Outcome.DEGRADED, answer, (), (cause, *answer.degradations)
            )
        return ProductResult(self.name, runner.name, answer.outcome, answer, (), tuple(answer.degradations))

    def _chosen(self, target: T) -> Runner[T]:
        if self.choose is None:
            return self.runners[0]
        wanted = self.choose(target)
        for runner in self.runners:
            if runner.name == wanted:
                return runner
        known = ", ".join(runner.name for runner in self.runners)
        raise ConfigurationError(
            f"product {self.name!r}", [f"no runner is named {wanted!r}; there are: {known}"]
        )

    def inventory(self) -> Inventory:
        """Everything the product is made of."""
        parts = [inventory(self.gate), *(inventory(runner) for runner in self.runners)]
        if self.fallback is not None:
            parts.append(attrs.evolve(inventory(self.fallback), stage="fallback"))
        return Inventory(self.name, "Product", "product", "", {}, tuple(parts))


class ProductRegistry(Mapping[str, Product[Any]]):
    """Products by name.

    Raises:
        ConfigurationError: when built, if two products share a name.
    """

    def __init__(self, products: Sequence[Product[Any]]) -> None:
        names = [product.name for product in products]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigurationError(
                "product registry", [f"two products are named {name!r}" for name in twice]
            )
        self._products = dict(zip(names, products, strict=True))

    def __getitem__(self, name: str) -> Product[Any]:
        try:
            return self._products[name]
        except KeyError:
            known = ", ".join(self._products)
            raise UnknownProductError(f"no product is named {name!r}; there are: {known}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._products)

    def __len__(self) -> int:
        return len(self._products)
