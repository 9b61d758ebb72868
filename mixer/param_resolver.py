"""From the settings of a service to the parameters of a request, and a lint of what is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from mixer.errors import ParamError
from mixer.experiments import layer_problems
from mixer.params import Bundle, Origin, Overlay, Param, Params, Plan, compose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mixer.experiments import Experiment, Exposure
    from mixer.param_registry import ParamRegistry


class ParamResolver:
    """Makes the parameters of every request; see :meth:`ParamRegistry.resolver`."""

    def __init__(
        self,
        registry: ParamRegistry,
        overlays: Sequence[Overlay],
        experiments: Iterable[Experiment],
        problems: list[str],
        listener: Callable[[Exposure], None] | None,
    ) -> None:
        self._registry = registry
        accepted = [self._accepted(one, problems) for one in experiments]
        problems.extend(layer_problems(accepted))
        by_param = self._by_param(accepted, problems)
        self._plan = Plan(tuple(registry), registry.bundles, overlays, by_param, listener)
        self._settings = compose(registry.bundles, overlays)
        self._shared = Params(self._plan, self._settings)

    def resolve(self, unit: str | int | None = None, forced: Mapping[Any, object] | None = None) -> Params:
        """The parameters of one request.

        Args:
            unit: what experiments assign, such as a user id; None takes part in none.
            forced: values by parameter or name that win over everything, for debugging; no exposure to what they hide.

        Raises:
            ParamError: lists every forced value that is unknown or not accepted.
        """
        if forced:
            return self._forced(unit, forced)
        if unit is None or not self._plan.experiments:
            return self._shared
        return Params(self._plan, self._settings, unit)

    def lint(self, declared: Iterable[Param[Any] | Bundle] = ()) -> tuple[str, ...]:
        """What looks forgotten, after a test run or some traffic has read parameters.

        Args:
            declared: parameters that should be registered; see ``declared_in``.

        Returns:
            One sentence for each parameter that is declared or read but not registered (it can never vary), or
            registered but never read (setting it changes nothing).
        """
        reads = set(self._plan.reads)
        reads |= {bundle.switch for bundle in self._plan.bundles if reads & bundle.overrides.keys()}
        params = [one.switch if isinstance(one, Bundle) else one for one in declared]
        unregistered = dict.fromkeys(params, "declared") | dict.fromkeys(reads, "read")
        found = [
            f"{one}: {how}, but not registered"
            for one, how in unregistered.items()
            if one not in self._registry
        ]
        found += [f"{one}: registered, but never read" for one in self._registry if one not in reads]
        return tuple(sorted(found))

    def _forced(self, unit: str | int | None, values: Mapping[Any, object]) -> Params:
        problems: list[str] = []
        overlay = Overlay.uniform(
            Origin.FORCED, self._registry.accept(values, problems, "request"), "request"
        )
        if problems:
            raise ParamError("forced parameters", problems)
        settings = compose(self._plan.bundles, [*self._plan.overlays, overlay])
        return Params(self._plan, settings, unit, overlay)

    def _accepted(self, experiment: Experiment, problems: list[str]) -> Experiment:
        problems.extend(experiment.problems())
        arms = [
            attrs.evolve(
                arm, overrides=self._registry.accept(arm.overrides, problems, f"{experiment.name}/{arm.name}")
            )
            for arm in experiment.arms
        ]
        return attrs.evolve(experiment, arms=tuple(arms))

    def _by_param(
        self, experiments: Iterable[Experiment], problems: list[str]
    ) -> dict[Param[Any], list[Experiment]]:
        by_param: dict[Param[Any], list[Experiment]] = {}
        for experiment in experiments:
            for key in self._touched(experiment):
                others = by_param.setdefault(key, [])
                if others and others[0].layer != experiment.layer:
                    problems.append(
                        f"{experiment.name}: overrides {key.name}, which belongs to layer {others[0].layer} "
                        f"({others[0].name})"
                    )
                others.append(experiment)
        return by_param

    def _touched(self, experiment: Experiment) -> set[Param[Any]]:
        direct = {key for arm in experiment.arms for key in arm.overrides if isinstance(key, Param)}
        bundled = {
            key for bundle in self._registry.bundles if bundle.switch in direct for key in bundle.overrides
        }
        return direct | bundled
